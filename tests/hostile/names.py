"""The fake DNS: which names there are, where they lead, and how they misbehave."""

import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence

LOOPBACK = "127.0.0.1"
# A second address of the same server, which the list of private addresses takes for a public one.
PUBLIC_FACE = "127.77.0.1"
LONGEST_HANG_S = 60.0


class Names:
    """What the names of the tests resolve to; every `.test` name that is not named here is the server."""

    def __init__(self) -> None:
        self.lookups: Counter[str] = Counter()
        self._released = threading.Event()
        self._known: dict[str, Callable[[], Sequence[str]]] = {
            "nowhere.test": self._unknown,
            "later.test": self._not_now,
            "nothing.test": list,
            "hanging.test": self._hangs,
            "inside.test": lambda: [LOOPBACK],
            "localhost": lambda: [LOOPBACK, "::1"],
            "cloud.test": lambda: ["169.254.169.254"],
            "mapped.test": lambda: [f"::ffff:{LOOPBACK}"],
            "both.test": lambda: [LOOPBACK, PUBLIC_FACE],
            "rebinding.test": self._rebound,
        }

    def lookup(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host`, as text; the port plays no part."""
        name = host.lower().rstrip(".")
        self.lookups[name] += 1
        for known, addresses in self._known.items():
            if name == known or name.endswith(f".{known}"):
                return addresses()
        if name.endswith(".face.test"):
            return [PUBLIC_FACE]
        if name.endswith(".test"):
            return [LOOPBACK]
        # Addresses written as numbers, also odd ones, are what the system makes of them; no name leaves here.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in found]

    def release(self) -> None:
        """Lookups that hang come to their end."""
        self._released.set()

    def _hangs(self) -> Sequence[str]:
        self._released.wait(LONGEST_HANG_S)
        raise socket.gaierror(socket.EAI_AGAIN, "released")

    def _rebound(self) -> Sequence[str]:
        return [PUBLIC_FACE if self.lookups["rebinding.test"] == 1 else LOOPBACK]

    @staticmethod
    def _unknown() -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    @staticmethod
    def _not_now() -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
