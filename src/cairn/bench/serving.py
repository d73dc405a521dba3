"""A loopback server of photos that costs as little as can be: a thread a connection, bytes sent by the kernel.

Run as `python -m cairn.bench.serving FOLDER`: prints its port, serves until its stdin ends.
`/N.jpg` is photo N modulo the number of photos, with N in a JPEG comment: every address has bytes of its own.
"""

import os
import re
import socket
import sys
import threading
from pathlib import Path

_WANTED = re.compile(rb"GET /(\d+)\.jpg HTTP/1\.[01]\r\n")
_MOST_HEADER_BYTES = 65_536


def comment(number: int) -> bytes:
    """The segment after a JPEG's first two bytes that tells photo `number` from all others."""
    text = b"%012d" % number
    return b"\xff\xfe" + (2 + len(text)).to_bytes(2, "big") + text


def serve(listener: socket.socket, photos: list[Path]) -> None:
    """Answers every connection to `listener` until that is shut down."""
    opened = [os.open(path, os.O_RDONLY) for path in photos]
    files = [(file, os.fstat(file).st_size) for file in opened]
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer_all, args=(connection, files), daemon=True).start()


def _answer_all(connection: socket.socket, files: list[tuple[int, int]]) -> None:
    """Answers the requests of one connection, one after the other, until the client is gone."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection:
        try:
            while (asked := _request(connection)) is not None:
                _answer(connection, asked, files)
        except OSError:
            # The client has gone away in the middle: nothing is left to do for it.
            return


def _request(connection: socket.socket) -> bytes | None:
    asked = b""
    while b"\r\n\r\n" not in asked and len(asked) < _MOST_HEADER_BYTES:
        received = connection.recv(_MOST_HEADER_BYTES)
        if not received:
            return None
        asked += received
    return asked


def _answer(connection: socket.socket, asked: bytes, files: list[tuple[int, int]]) -> None:
    found = _WANTED.match(asked)
    if found is None:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        return
    number = int(found[1])
    file, size = files[number % len(files)]
    own = comment(number)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n\xff\xd8" % (
        size + len(own)
    )
    connection.sendall(head + own)
    # The first two bytes of the file are those that begin every JPEG; they went before the comment.
    sent, left = 2, size - 2
    while left > 0:
        n_bytes = os.sendfile(connection.fileno(), file, sent, left)
        sent += n_bytes
        left -= n_bytes


def main(folder: str) -> None:
    """Serves the photos in `folder` on a free port of this machine, which is told on stdout."""
    photos = sorted(Path(folder).glob("*.jpg"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    threading.Thread(target=serve, args=(listener, photos), daemon=True).start()
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
