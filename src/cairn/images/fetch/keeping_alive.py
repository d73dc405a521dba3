"""For which hosts connections are kept open: few enough that the system never runs out of them."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

# With the usual 1,024 open files, four connections to each of so many hosts leave room for all else.
MOST_HOSTS = 128
IDLE_S = 15.0
_NOTHING: Mapping[str, str] = MappingProxyType({})
_CLOSE: Mapping[str, str] = MappingProxyType({"Connection": "close"})


class KeepingAlive:
    """Remembers the hosts that were asked lately; hosts past the first 128 are asked to close after each answer."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_asked: dict[str, float] = {}

    def headers(self, host: str) -> Mapping[str, str]:
        """What to send to `host` besides all else: nothing, or that the connection is to be closed."""
        now = self._clock()
        known = self._last_asked
        if known.pop(host, None) is None:
            while known and now - next(iter(known.values())) > IDLE_S:
                del known[next(iter(known))]
            if len(known) >= MOST_HOSTS:
                return _CLOSE
        known[host] = now
        return _NOTHING
