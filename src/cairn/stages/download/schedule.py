"""Which photo is asked for next: hosts take turns, each within its manners, and no row is lost or done twice.

No clock and no network: `now` comes in, seconds of any clock that never goes back.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from cairn.images.fetch.addresses import host_of
from cairn.images.fetch.manners import HostManners, Verdict
from cairn.stages.download.doubting import Doubts
from cairn.stages.download.host_queue import (
    MOST_OUT,
    HostQueue,
    HostState,
    Place,
    Rows,
    Task,
)

__all__ = ["HostState", "Schedule", "Task"]

# So many hosts with the most rows have every other turn: the run cannot end before they do.
N_LONGEST: Final = 4
# Hosts with nothing left are forgotten when there are twice as many hosts as there were, and so many more.
SPARE_HOSTS: Final = 10_000
NO_DOUBTS: Final = 1 << 31
# Above so many hosts, those with the most to do are looked for once in so many calls; more are kept than are shown.
MANY_HOSTS: Final = 20_000
N_CALLS_PER_LOOK: Final = 10
N_KEPT_PER_SHOWN: Final = 8


class Schedule:
    """The next task whose host is ready, until every row has come to its end.

    queues: the rows of each host, in the order of the list.
    make: gives the first task of a row, from its position and its host.
    manners: gives the manners of a host; asked when its first turn comes.
    most_doubted: requests at once to hosts that have not answered well, see `Doubts`; more than there are slots: no limit.

    A task that `next` gave ends with `finished`, said of the host that was asked. If that was not the end of its
    row, it is handed back too: `retry` for another try later, `moved` where it goes on at another address.
    Rows that wait for hosts which were given up come out of `given_up`, and only there.

    Ready hosts take turns, and every other turn belongs to the hosts with the most rows. Memory is bounded: rows
    wait as positions in arrays, and a host whose tasks pile up outside of its own array touches no new row. But a
    host that has cooled is probed with its last row, which no bad photo at the front can spoil.
    """

    def __init__(
        self,
        queues: Mapping[str, Rows],
        *,
        make: Callable[[int, str], Task],
        manners: Callable[[str], HostManners],
        most_doubted: int = NO_DOUBTS,
    ) -> None:
        self._make = make
        self._manners = manners
        self._hosts = {name: HostQueue(name, rows) for name, rows in queues.items() if len(rows)}
        self._sweep_at = 2 * len(self._hosts) + SPARE_HOSTS
        self._turns: tuple[deque[HostQueue], deque[HostQueue]] = (deque(), deque())
        self._is_long_turn = True
        self._doubts = Doubts(most_doubted)
        self._later: list[tuple[float, int, HostQueue]] = []
        self._given_up: deque[HostQueue] = deque()
        self._kept: list[HostQueue] = []
        self._n_calls_kept = 0
        self._number = 0
        self._now = 0.0
        self.n_running = 0
        self.n_waiting = sum(host.n_rows for host in self._hosts.values())
        # Hosts take turns, so those with more rows at the start have more at any later time.
        self._longest = iter(sorted(self._hosts.values(), key=lambda host: -host.n_rows))
        for _ in range(N_LONGEST):
            self._promote()
        for host in self._hosts.values():
            self._put(host)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return self.n_waiting == 0 and self.n_running == 0

    def next(self, now: float) -> tuple[Task | None, float]:
        """A task to start now, or None and when to look again: infinity is once something has finished.

        Rows of hosts that were given up are something to do now, for `given_up`.
        """
        self._now = now
        while self._later and self._later[0][0] <= now:
            due, _, host = heapq.heappop(self._later)
            if host.place is Place.LATER and host.due == due:
                self._put(host)
        for host in self._doubts.released(now):
            self._put(host)
        while (turn := self._turn()) is not None:
            turn.place = Place.NOWHERE
            at = self._ready_at(turn, now)
            if at <= now and self._doubts.may_start(turn, now):
                return self._start(turn, now), now
            if at <= now:
                self._doubts.put_aside(turn)
            elif at < math.inf:
                self._put_later(turn, at)
        return None, now if self._given_up else min(self._soonest(), self._doubts.free_at())

    def retry(self, task: Task, at: float) -> None:
        """Takes a task back for another try at its host, not before `at`."""
        host = self._host(task.host)
        self._number += 1
        host.push_retry(task, at, self._number)
        self._wait(task, host)

    def moved(self, task: Task, url: str, now: float) -> None:
        """Takes a task back that goes on at another address, there before what has not begun yet.

        Raises FetchError where the address has no host; the task is not taken then.
        """
        task.host = host_of(url)
        task.url = url
        self._now = now
        host = self._host(task.host)
        host.push_moved(task)
        self._wait(task, host)

    def finished(
        self,
        host: str,
        verdict: Verdict,
        now: float,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        """Notes how a request to `host` ended and what came of it; the host may be given up by it."""
        asked = self._hosts[host]
        self._now = now
        self.n_running -= 1
        self._manners_of(asked).finished(now, verdict, retry_after_s)
        self._doubts.finished(asked, verdict)
        self._put(asked)

    def received(self, host: str, n_bytes: int) -> None:
        """Notes that so many bytes came from `host`."""
        known = self._hosts.get(host)
        if known is not None:
            known.bytes_received += n_bytes

    def given_up(self) -> Iterator[Task]:
        """The tasks of rows that wait for hosts which were given up, each once; may be left and begun again."""
        while self._given_up:
            host = self._given_up[0]
            if host.has_more:
                yield self._taken(host, math.inf, n_attempts=0)
            else:
                self._given_up.popleft()
                host.place = Place.NOWHERE

    def given_up_for(self, host: str) -> Verdict | None:
        """What made `host` be given up; None where it was not."""
        known = self._hosts.get(host)
        return known.manners.given_up_for if known is not None and known.manners else None

    def host_states(self, *, n: int = 8) -> list[HostState]:
        """The `n` hosts with the most to do, the most first; among very many hosts, a few calls ago."""
        states = []
        for host in _busiest(self._candidates(n), n):
            doing, until = self._manners_of(host).doing(self._now)
            states.append(
                HostState(
                    host.name, host.n_waiting, host.n_running, doing, until, host.bytes_received
                )
            )
        return states

    def _candidates(self, n: int) -> Iterable[HostQueue]:
        if len(self._hosts) <= MANY_HOSTS:
            return self._hosts.values()
        if self._n_calls_kept == 0:
            self._kept = _busiest(self._hosts.values(), N_KEPT_PER_SHOWN * n)
        self._n_calls_kept = (self._n_calls_kept + 1) % N_CALLS_PER_LOOK
        return self._kept

    def _start(self, host: HostQueue, now: float) -> Task:
        task = self._taken(host, now, n_attempts=1)
        self._manners_of(host).started(now)
        self._doubts.started(host)
        self._doubts.changed(host)
        self.n_running += 1
        self._put(host)
        return task

    def _taken(self, host: HostQueue, now: float, *, n_attempts: int) -> Task:
        """The task that goes first at `host`; a row that was not touched yet begins with `n_attempts`."""
        self.n_waiting -= 1
        # Due second tries are of the photos that opened the breaker, often: they would tell nothing of the host.
        is_open = host.manners is not None and host.manners.is_open
        is_probe = is_open and host.n_rows > 0 and now < math.inf
        task = None if is_probe else host.pop_task(now)
        if task is None:
            task = self._make(host.pop_row(from_end=is_probe), host.name)
            task.host = task.home = host.name
            task.attempt = n_attempts
            if host.is_long and not host.n_rows:
                host.is_long = False
                self._promote()
            return task
        home = self._hosts[task.home]
        home.n_out -= 1
        if home.n_out == MOST_OUT - 1:
            self._put(home)
        return task

    def _wait(self, task: Task, host: HostQueue) -> None:
        self._host(task.home).n_out += 1
        self.n_waiting += 1
        self._doubts.changed(host)
        self._put(host)

    def _put(self, host: HostQueue) -> None:
        """Gives a host its turn, if there is something that it might do; whether it may, shows at its turn."""
        if not host.has_more or host.place is Place.GIVEN_UP:
            return
        if host.manners is not None and host.manners.given_up_for is not None:
            host.place = Place.GIVEN_UP
            self._given_up.append(host)
        elif host.place not in (Place.IN_TURN, Place.ASIDE):
            host.place = Place.IN_TURN
            self._turns[host.is_long].append(host)

    def _put_later(self, host: HostQueue, at: float) -> None:
        host.place = Place.LATER
        host.due = at
        self._number += 1
        heapq.heappush(self._later, (at, self._number, host))
        if len(self._later) > 2 * len(self._hosts) + 64:
            self._later = [entry for entry in self._later if _is_valid(entry)]
            heapq.heapify(self._later)

    def _soonest(self) -> float:
        while self._later and not _is_valid(self._later[0]):
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else math.inf

    def _turn(self) -> HostQueue | None:
        """The host whose turn it is."""
        self._is_long_turn = not self._is_long_turn
        while ready := self._turns[self._is_long_turn] or self._turns[not self._is_long_turn]:
            host = ready.popleft()
            # A host that was given up while it stood here has left without a word.
            if host.place is Place.IN_TURN:
                return host
        return None

    def _promote(self) -> None:
        """The host with the most rows of those that are not among the longest yet is one of them."""
        host = next((host for host in self._longest if host.n_rows), None)
        if host is not None:
            host.is_long = True

    def _ready_at(self, host: HostQueue, now: float) -> float:
        work_at = host.work_at()
        if work_at == math.inf:
            return work_at
        return max(work_at, self._manners_of(host).ready_at(now))

    def _manners_of(self, host: HostQueue) -> HostManners:
        if host.manners is None:
            host.manners = self._manners(host.name)
        return host.manners

    def _host(self, name: str) -> HostQueue:
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= self._sweep_at:
                self._sweep()
            host = self._hosts[name] = HostQueue(name, ())
        return host

    def _sweep(self) -> None:
        """Forgets the hosts with nothing left whose limits are all free, so that redirects to ever new hosts fill no memory."""
        self._hosts = {name: host for name, host in self._hosts.items() if self._is_needed(host)}
        self._sweep_at = 2 * len(self._hosts) + SPARE_HOSTS

    def _is_needed(self, host: HostQueue) -> bool:
        if host.has_more or host.n_out or host.place is not Place.NOWHERE:
            return True
        return host.manners is not None and not host.manners.is_at_rest(self._now)


def _busiest(hosts: Iterable[HostQueue], n: int) -> list[HostQueue]:
    busy = (host for host in hosts if host.has_more or host.n_running)
    return heapq.nlargest(n, busy, key=lambda host: host.n_waiting + host.n_running)


def _is_valid(entry: tuple[float, int, HostQueue]) -> bool:
    return entry[2].place is Place.LATER and entry[2].due == entry[0]
