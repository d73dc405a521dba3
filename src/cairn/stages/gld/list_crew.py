"""The crew of a data set's lists: fetches one after the other, tells how far it is, waits for room, ends when asked."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from cairn.images.fetch.addresses import host_of
from cairn.images.fetch.manners import Doing
from cairn.stages.download.progress import Attendance, Counts, Rate, Snapshot
from cairn.stages.download.schedule import HostState
from cairn.stages.download.space import Room, when_there_is_room
from cairn.stages.download.ticking import StopNow, first_of, ticking

LOOK_AGAIN_S = 0.2


class Lists(Protocol):
    """What fetches lists."""

    async def list_file(self, name: str) -> Path:
        """The path of a list that is here; raises FetchError where it cannot be had."""
        ...


@dataclass(frozen=True)
class ListHands:
    """What a crew works with. counts: whoever fetches adds the bytes that came. note: tells people a line."""

    lists: Lists
    address_of: Callable[[str], str]
    room: Room
    counts: Counts
    note: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic


class ListCrew:
    """One run over the lists of these names; `run` is called once."""

    def __init__(self, names: Sequence[str], hands: ListHands, attendance: Attendance) -> None:
        self._names, self._hands, self._attendance = names, hands, attendance
        self._now = ""
        self._started = hands.clock()
        self._rate = Rate()

    async def run(self) -> bool:
        """Whether all lists are here; False where it was asked to end before. What broke off goes on in another run.

        Raises FetchError where a list cannot be had.
        """
        is_done = False
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(ticking(self._tick, self._attendance.stopping))
                fetching = group.create_task(self._fetch_all())
                while not fetching.done() and not self._ends:
                    await asyncio.wait([fetching], timeout=LOOK_AGAIN_S)
                is_done = fetching.done() and fetching.result()
                fetching.cancel()
                ticker.cancel()
        except BaseExceptionGroup as errors:
            with contextlib.suppress(StopNow):
                raise first_of(errors) from None
        self._tick()
        return is_done

    @property
    def _ends(self) -> bool:
        return self._attendance.stopping.is_draining

    async def _fetch_all(self) -> bool:
        """Whether each list was fetched; False where the disk stayed full until the end was asked for."""
        for name in self._names:
            self._now = name
            self._hands.note(f"fetching the list {name}")
            path = await when_there_is_room(
                partial(self._hands.lists.list_file, name),
                self._hands.room,
                ends=lambda: self._ends,
            )
            if path is None:
                return False
            self._hands.counts.n_kept += 1
        return True

    def _tick(self) -> None:
        now, counts = self._hands.clock(), self._hands.counts
        n_left = len(self._names) - counts.n_kept
        n_running = min(n_left, 1)
        host = host_of(self._hands.address_of(self._now or self._names[0]))
        doing = Doing.RUNNING if n_running else Doing.WAITING
        self._attendance.tell(
            Snapshot(
                n_rows=len(self._names),
                n_kept=counts.n_kept,
                n_failed=0,
                n_running=n_running,
                bytes_received=counts.bytes_received,
                elapsed_s=now - self._started,
                rows_per_s=self._rate.at(now, counts.n_kept),
                eta_s=None,
                causes={},
                hosts=(
                    HostState(
                        host, n_left - n_running, n_running, doing, math.inf, counts.bytes_received
                    ),
                ),
                waits_for=None if self._ends else self._hands.room.shortage(now),
            )
        )
