"""Doubts: hosts that have not answered well may fill half of all slots, so that the dead never hold up the living."""

import math
from collections import deque
from collections.abc import Iterator
from typing import Final

from cairn.images.fetch.manners import Verdict
from cairn.stages.download.host_queue import HostQueue, Place

# At the start nobody has answered yet, and who will is not known.
START_S: Final = 30.0


class Doubts:
    """Which hosts are doubted (none of their answers was good yet, or the last was bad), and how many slots they fill.

    most: requests at once to such hosts, while hosts that answer well have more to do, and in the first half minute; where
    nobody else needs the slots, they may have all.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._n_running = self._n_awaited = 0
        self._aside: deque[HostQueue] = deque()
        self._began: float | None = None

    def may_start(self, host: HostQueue, now: float) -> bool:
        """Whether a request to `host` may start as far as doubts go."""
        return not host.is_doubted or self._has_room(now)

    def started(self, host: HostQueue) -> None:
        """Notes that a request to `host` starts."""
        self._n_running += host.is_doubted

    def finished(self, host: HostQueue, verdict: Verdict) -> None:
        """Notes how a request to `host` ended, of which `n_running` tells no more."""
        self._n_running -= host.is_doubted
        was_doubted = host.is_doubted
        if verdict is Verdict.OK:
            host.is_doubted = False
        elif verdict in (Verdict.FAILING, Verdict.ABSENT, Verdict.OFF_LIMITS):
            host.is_doubted = True
        self._n_running += host.n_running * (host.is_doubted - was_doubted)
        self.changed(host)

    def changed(self, host: HostQueue) -> None:
        """Notes that there is more, or less, to do at `host`."""
        is_given_up = host.manners is not None and host.manners.given_up
        is_awaited = host.has_more and not host.is_doubted and not is_given_up
        self._n_awaited += is_awaited - host.is_awaited
        host.is_awaited = is_awaited

    def put_aside(self, host: HostQueue) -> None:
        """`host` waits until there is room for doubted ones."""
        host.place = Place.ASIDE
        self._aside.append(host)

    def released(self, now: float) -> Iterator[HostQueue]:
        """The hosts that wait aside and for which there is room now, as many as may start."""
        n_more = self._most - self._n_running if self._is_needed(now) else len(self._aside)
        while self._aside and n_more > 0:
            host = self._aside.popleft()
            # One that was given up meanwhile has left without a word.
            if host.place is Place.ASIDE:
                host.place = Place.NOWHERE
                n_more -= 1
                yield host

    def free_at(self) -> float:
        """When those that wait aside may start without any end of a request; infinity where that is not known."""
        if not self._aside or self._n_awaited or self._began is None:
            return math.inf
        return self._began + START_S

    def _has_room(self, now: float) -> bool:
        return self._n_running < self._most or not self._is_needed(now)

    def _is_needed(self, now: float) -> bool:
        """Whether the other half of the slots is kept free for hosts that answer well."""
        self._began = now if self._began is None else self._began
        return self._n_awaited > 0 or now - self._began < START_S
