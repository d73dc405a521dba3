"""Where commands that serve listen: a port of this machine, or words on why it cannot be had."""

import os
import socket

from cairn.base.errors import InputError


def listening_at(host: str, port: int) -> socket.socket:
    """A socket that listens at `host` and `port`; 0 takes a free port.

    Raises InputError where it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be listened on: {os.strerror(error.errno) if error.errno else error}; an address of this "
            "machine and a port that no other program listens on (such as another cairn) were expected; choose another "
            "with --port, or 0 for any"
        ) from error
