"""What waits at one host: tasks moved there, second tries, and the rows of its own that were not touched yet."""

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from cairn.images.fetch.manners import Doing, HostManners

Rows = Sequence[int] | npt.NDArray[np.int32]

# So many tasks of one host may wait for another try, or at other hosts, before its next row is touched.
MOST_OUT: Final = 1000


class HostState(NamedTuple):
    """One host at one moment, for the display; until when, where that is known."""

    host: str
    waiting: int
    running: int
    state: Doing
    until: float
    bytes_received: int


@dataclass(slots=True)
class Task:
    """One photo on its way: the address to ask next, and what became of it so far.

    index: the row's position in the plan. home: the host in whose queue the row began; the schedule fills it in.
    original: the list's own address where `url` was rewritten to that of a smaller photo.
    Attempts and redirects are counted by whoever makes the requests; 0 attempts: its host was given up before.
    spent_s: seconds that requests of the present attempt have taken.
    """

    index: int
    url: str
    host: str
    attempt: int = 1
    n_redirects: int = 0
    spent_s: float = 0.0
    original: str | None = None
    home: str = ""


class Place(IntEnum):
    """Where a host stands; nowhere while it waits for a request to end, and when nothing is left."""

    NOWHERE = 0
    IN_TURN = 1
    LATER = 2
    GIVEN_UP = 3
    ASIDE = 4


class HostQueue:
    """What waits at one host, in the order in which it goes: moved tasks, due second tries, new rows.

    n_out: tasks that began here and wait outside of `rows`, here or at other hosts.
    place, due: where the schedule has put the host, and until when where that is `LATER`.
    is_doubted: it has not answered well yet, or not the last time. is_awaited: it answers well and has more to do.
    """

    __slots__ = (
        "_moved", "_n_touched", "_retries", "_rows", "bytes_received", "due", "is_awaited", "is_doubted",
        "is_long", "manners", "n_out", "name", "place",
    )  # fmt: skip

    def __init__(self, name: str, rows: Rows) -> None:
        self.name = name
        self.manners: HostManners | None = None
        self.n_out = 0
        self.bytes_received = 0
        self.place = Place.NOWHERE
        self.due = math.inf
        self.is_long = self.is_awaited = False
        self.is_doubted = True
        self._rows = rows
        self._n_touched = 0
        # Most hosts are never redirected to and never asked twice.
        self._moved: deque[Task] | None = None
        self._retries: list[tuple[float, int, Task]] | None = None

    @property
    def n_rows(self) -> int:
        """Rows that were not touched yet."""
        return len(self._rows) - self._n_touched

    @property
    def n_running(self) -> int:
        """Requests to the host that are under way."""
        return self.manners.n_running if self.manners else 0

    @property
    def n_waiting(self) -> int:
        """All that waits here."""
        return self.n_rows + len(self._moved or ()) + len(self._retries or ())

    @property
    def has_more(self) -> bool:
        """Whether anything waits here, due or not."""
        return self._n_touched < len(self._rows) or bool(self._moved or self._retries)

    def push_moved(self, task: Task) -> None:
        """Adds a task that goes before all that is no moved one."""
        if self._moved is None:
            self._moved = deque()
        self._moved.append(task)

    def push_retry(self, task: Task, at: float, number: int) -> None:
        """Adds a task that is not touched before `at`; `number` orders those of the same time."""
        if self._retries is None:
            self._retries = []
        heapq.heappush(self._retries, (at, number, task))

    def work_at(self) -> float:
        """When there is something to do: -inf is at once, inf is not by itself."""
        if self._moved or (self.n_out < MOST_OUT and self._n_touched < len(self._rows)):
            return -math.inf
        return self._retries[0][0] if self._retries else math.inf

    def pop_task(self, now: float) -> Task | None:
        """The task that goes first of those that have begun and are due; None where there is none."""
        if self._moved:
            return self._moved.popleft()
        if self._retries and self._retries[0][0] <= now:
            return heapq.heappop(self._retries)[2]
        return None

    def pop_row(self, *, from_end: bool = False) -> int:
        """The next row that was not touched yet, or the last of them; there has to be one."""
        if from_end:
            index = int(self._rows[-1])
            self._rows = self._rows[:-1]
        else:
            index = int(self._rows[self._n_touched])
            self._n_touched += 1
        if self._n_touched == len(self._rows):
            self._rows, self._n_touched = (), 0
        return index
