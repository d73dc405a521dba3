import asyncio
import errno
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cairn.base.errors import CairnError, DiskError
from cairn.images.fetch.addresses import host_of
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.client import MOST_REDIRECTS, Reply
from cairn.images.fetch.manners import HostManners
from cairn.images.fetch.rules import HostRule
from cairn.images.keeping import KeptImage
from cairn.images.pixels import Cause, PixelError
from cairn.stages.download.crew import BUSY_PATIENCE, Crew
from cairn.stages.download.journal import Outcome
from cairn.stages.download.orders import Ended, Hands, Orders
from cairn.stages.download.progress import Snapshot, Stopping
from cairn.stages.download.schedule import Schedule, Task
from cairn.stages.download.space import Free, Room

# The crew's clock runs so much faster than the world's: the minutes for which a host cools take no time.
TIMES = 2000
QUICK = HostRule(concurrency=8, rate_per_s=1e6)
PLENTY = Free(10**12, None)
Answer = bytes | CairnError | tuple[int, str]
A, B, C = (f"http://one.test/{name}.jpg" for name in "abc")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (
        ("crew.LOOK_AGAIN_S", 0.002), ("space.TRY_AGAIN_S", 0.005), ("ticking.TICK_S", 0.01),
    ):  # fmt: skip
        monkeypatch.setattr(f"cairn.stages.download.{name}", seconds)


@dataclass
class Faking:
    """Hosts and decoders that answer as they are told; the address itself is the photo where nothing is.

    answers: by address, one after the other and the last over and over: a body, an error, or a status and
    the address it leads to. takes_s: by address. not_decoded: what decoding raises, by body.
    """

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    takes_s: dict[str, float] = field(default_factory=dict)
    not_decoded: dict[bytes, CairnError] = field(default_factory=dict)
    is_bounded: bool = True
    asked: list[str] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)
    n_running: int = 0
    most_running: int = 0

    async def hop(self, url: str, *, spent_s: float) -> Reply:
        self.asked.append(url)
        self.spent_s.append(spent_s)
        self.n_running += 1
        self.most_running = max(self.most_running, self.n_running)
        try:
            await asyncio.sleep(self.takes_s.get(url, 0))
        finally:
            self.n_running -= 1
        answers = self.answers.get(url, [url.encode()])
        answer = answers[0] if len(answers) == 1 else answers.pop(0)
        if isinstance(answer, CairnError):
            raise answer
        status, location = answer if isinstance(answer, tuple) else (200, None)
        content = answer if isinstance(answer, bytes) else b""
        return Reply(url, status, content, location, self.is_bounded, spent_s=spent_s + 7)

    async def keep(self, content: bytes) -> KeptImage:
        if error := self.not_decoded.get(content):
            raise error
        return KeptImage(content, ".jpg", 4, 3, "aa", "bb", b"like")


@dataclass
class Disk:
    """Output and journal: what they were told, in order; `on_write` and `on_record` may raise before."""

    on_write: Callable[[int], object] = lambda index: None
    on_record: Callable[[Sequence[Outcome]], object] = lambda outcomes: None
    n_writers: int = 4
    written: list[int] = field(default_factory=list)
    flushed: set[int] = field(default_factory=set)
    ends: dict[int, Outcome] = field(default_factory=dict)
    n_recorded: Counter[int] = field(default_factory=Counter)

    def write(self, images: Sequence[tuple[int, KeptImage]]) -> list[str | DiskError]:
        return [self.kept_at(index) for index, _ in images]

    def kept_at(self, index: int) -> str | DiskError:
        try:
            self.on_write(index)
        except DiskError as error:
            return error
        self.written.append(index)
        return f"images/{index}.jpg"

    def flush(self) -> None:
        self.flushed.update(self.written)

    def record(self, outcomes: Sequence[Outcome]) -> None:
        self.on_record(outcomes)
        for outcome in outcomes:
            assert outcome.path is None or outcome.key in self.flushed
            self.ends[outcome.key] = outcome
            self.n_recorded[outcome.key] += 1

    def causes(self) -> list[str | None]:
        return [self.ends[key].cause for key in sorted(self.ends)]


@dataclass
class Watching:
    """What looks at the crew: all that it told; `look` is called each time."""

    look: Callable[[Snapshot], object] = lambda now: None
    stopping: Stopping = field(default_factory=Stopping)
    told: list[Snapshot] = field(default_factory=list)

    def tell(self, now: Snapshot) -> None:
        self.told.append(now)
        self.look(now)


def worked(
    urls: Sequence[str],
    faking: Faking | None = None,
    disk: Disk | None = None,
    *,
    watching: Watching | None = None,
    free: Callable[[], Free] = lambda: PLENTY,
    originals: dict[str, str] | None = None,
    rule: HostRule = QUICK,
    clock: Callable[[], float] = lambda: TIMES * time.monotonic(),
    **orders: Any,  # whatever else a test orders the crew
) -> Ended:
    """How a crew's run over rows with these addresses ended; the key of a row is its number."""
    faking, disk, watching = faking or Faking(), disk or Disk(), watching or Watching()
    rng, queues = random.Random(0), dict[str, list[int]]()
    for index, url in enumerate(urls):
        queues.setdefault(host_of(url), []).append(index)

    def task(index: int, host: str) -> Task:
        return Task(index, urls[index], host, original=(originals or {}).get(urls[index]))

    schedule = Schedule(queues, make=task, manners=lambda host: HostManners(rule, rng=rng))
    told: dict[str, Any] = {"attempts": 3, "concurrency": 64, "rng": rng} | orders
    given = Orders(schedule=schedule, key_of=lambda index: index, n_rows=len(urls), **told)
    room = Room(free, spare_bytes=1)
    hands = Hands(faking, faking, disk, disk, room, clock, lambda: 1.5)

    async def work() -> Ended:
        crew = Crew(given, hands, stopping=watching.stopping, tell=watching.tell)
        return await asyncio.wait_for(crew.run(), 20)

    return asyncio.run(work())


def many(n: int, host: str = "one.test") -> list[str]:
    return [f"http://{host}/{number}.jpg" for number in range(n)]


def failing(cause: FetchCause, **more: Any) -> FetchError:
    return FetchError(cause, "in words", **more)


def no_photo(cause: Cause = Cause.NOT_AN_IMAGE) -> PixelError:
    return PixelError(cause, "in words")


def full(*_: object) -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    raise DiskError("the disk is full") from error


def full_until(event: Callable[[], bool]) -> Callable[..., None]:
    return lambda *_: None if event() else full()


# how rows end


def test_a_photo_is_kept_and_all_of_it_is_recorded() -> None:
    disk = Disk()
    ended = worked([A], disk=disk)
    assert disk.ends[0] == Outcome(
        key=0, status="kept", path="images/0.jpg", width_px=4, height_px=3, size_bytes=len(A),
        digest="aa", kept_digest="bb", likeness=b"like", fetched_from=A, http_status=200, attempts=1,
        fetched_at_ms=1500,
    )  # fmt: skip
    assert (ended.was_stopped, ended.failed_too_often, ended.was_cut) == (False, False, False)


def test_every_row_ends_once_and_the_counts_add_up() -> None:
    urls, disk, watching = many(300), Disk(), Watching()
    answers: dict[str, list[Answer]] = {url: [failing(FetchCause.NOT_FOUND)] for url in urls[::7]}
    ended = worked(urls, Faking(answers), disk, watching=watching)
    assert disk.n_recorded == Counter(range(300))
    assert (ended.counts.n_kept, ended.counts.causes) == (257, {"not found": 43})
    for now in watching.told:
        assert now.n_failed == sum(now.causes.values())
        assert now.n_kept + now.n_failed <= now.n_rows == 300
    assert watching.told[-1].n_kept + watching.told[-1].n_failed == 300


def test_a_row_that_failed_for_good_is_asked_for_once_and_says_why() -> None:
    faking, disk = Faking({A: [failing(FetchCause.GONE, http_status=410)]}), Disk()
    worked([A], faking, disk)
    assert faking.asked == [A]
    end = disk.ends[0]
    assert (end.status, end.cause, end.detail) == ("failed", "gone", "in words")
    assert (end.http_status, end.attempts, end.fetched_from, end.path) == (410, 1, A, None)


def test_a_passing_cause_is_tried_again_and_may_end_well() -> None:
    disk = Disk()
    worked([A], Faking({A: [failing(FetchCause.CUT_OFF), failing(FetchCause.SILENT), b"x"]}), disk)
    assert (disk.ends[0].status, disk.ends[0].attempts) == ("kept", 3)


def test_a_passing_cause_ends_a_row_after_the_last_attempt() -> None:
    faking, disk = Faking({A: [failing(FetchCause.HOST_ERROR)]}), Disk()
    worked([A], faking, disk, attempts=4)
    assert (disk.ends[0].cause, disk.ends[0].attempts, len(faking.asked)) == ("host error", 4, 4)


def test_a_host_that_asks_for_patience_gets_more_of_it() -> None:
    faking, disk = Faking({A: [failing(FetchCause.BUSY, retry_after_s=1)]}), Disk()
    worked([A], faking, disk, attempts=2)
    assert (disk.causes(), len(faking.asked)) == (["host too busy"], 2 * BUSY_PATIENCE)


def test_a_host_that_names_a_long_time_is_left_alone_for_it() -> None:
    asked_at: list[float] = []

    class Timed(Faking):
        async def hop(self, url: str, *, spent_s: float) -> Reply:
            asked_at.append(time.monotonic() * TIMES)
            return await super().hop(url, spent_s=spent_s)

    worked([A], Timed({A: [failing(FetchCause.BUSY, retry_after_s=200), b"x"]}))
    assert asked_at[1] - asked_at[0] >= 200


def test_what_is_no_photo_ends_its_row_with_the_decoders_cause() -> None:
    faking, disk = Faking(not_decoded={A.encode(): no_photo(Cause.TRUNCATED)}), Disk()
    worked([A, B], faking, disk)
    assert disk.causes() == ["truncated", None]
    assert faking.asked == [A, B]


@pytest.mark.parametrize("cause", [Cause.TRUNCATED, Cause.EMPTY])
def test_a_photo_whose_end_nobody_told_may_be_cut_off_and_is_tried_again(cause: Cause) -> None:
    faking, disk = Faking({A: [b"ha", b"half"]}, not_decoded={b"ha": no_photo(cause)}), Disk()
    faking.is_bounded = False
    worked([A], faking, disk)
    assert (disk.ends[0].status, disk.ends[0].attempts) == ("kept", 2)


def test_a_photo_that_is_always_cut_off_says_so() -> None:
    faking, disk = Faking(not_decoded={A.encode(): no_photo(Cause.TRUNCATED)}), Disk()
    faking.is_bounded = False
    worked([A], faking, disk)
    assert (disk.causes(), disk.ends[0].http_status, len(faking.asked)) == (["cut off"], 200, 3)


def test_names_that_were_not_looked_up_are_not_held_against_their_host() -> None:
    refused = failing(FetchCause.NOT_RESOLVED, is_hosts_fault=False)
    urls, disk = many(40), Disk()
    answers: dict[str, list[Answer]] = {url: [*[refused] * 5, b"x"] for url in urls}
    worked(urls, Faking(answers), disk)
    assert disk.causes() == [None] * 40


def test_a_body_that_is_too_large_is_not_asked_for_again() -> None:
    faking, disk = Faking({A: [no_photo(Cause.TOO_MANY_BYTES)]}), Disk()
    worked([A], faking, disk)
    assert (disk.causes(), faking.asked) == (["too many bytes"], [A])


# redirects, and the address of a smaller photo


def test_a_redirect_leads_to_the_photo_and_both_addresses_are_known() -> None:
    disk = Disk()
    worked([A], Faking({A: [(301, "https://two.test/a.jpg")]}), disk)
    assert (disk.ends[0].fetched_from, disk.ends[0].attempts) == ("https://two.test/a.jpg", 1)


def test_redirects_without_end_are_left_after_the_last_that_is_allowed() -> None:
    faking, disk = Faking({A: [(302, B)], B: [(302, A)]}), Disk()
    worked([A], faking, disk)
    assert disk.causes() == ["too many redirects"]
    assert len(faking.asked) == MOST_REDIRECTS + 1


def test_the_hops_of_one_try_share_its_time_and_the_next_try_begins_anew() -> None:
    faking = Faking({A: [(302, B)], B: [(302, C)], C: [failing(FetchCause.TOOK_TOO_LONG), b"x"]})
    worked([A], faking)
    assert (faking.asked, faking.spent_s) == ([A, B, C, C], [0, 7, 14, 0])


def test_the_original_is_asked_for_where_the_smaller_photo_is_not_there() -> None:
    faking, disk = Faking({A: [failing(FetchCause.NOT_FOUND)]}), Disk()
    worked([A], faking, disk, originals={A: B})
    assert (faking.asked, disk.ends[0].fetched_from) == ([A, B], B)


def test_the_original_is_asked_for_where_the_smaller_photo_is_none() -> None:
    faking, disk = Faking(not_decoded={A.encode(): no_photo()}), Disk()
    worked([A], faking, disk, originals={A: B})
    assert (disk.causes(), disk.ends[0].fetched_from) == ([None], B)


def test_the_original_has_attempts_and_redirects_of_its_own() -> None:
    broken, redirect = failing(FetchCause.BROKEN), (302, B)
    faking, disk = Faking({A: [broken], B: [redirect, redirect, b"x"]}), Disk()
    worked([A], faking, disk, originals={A: B})
    assert (faking.asked, disk.causes()) == ([A] * 3 + [B] * 3, [None])


def test_a_photo_that_opted_out_is_not_asked_for_at_another_address() -> None:
    faking, disk = Faking({A: [failing(FetchCause.OPTED_OUT)]}), Disk()
    worked([A], faking, disk, originals={A: B})
    assert (faking.asked, disk.causes()) == ([A], ["opted out"])


@pytest.mark.parametrize(
    "cause",
    [
        FetchCause.UNKNOWN_HOST,
        FetchCause.NOT_RESOLVED,
        FetchCause.NO_CONNECTION,
        FetchCause.NO_CONNECTION_IN_TIME,
        FetchCause.CERTIFICATE,
    ],
)
def test_a_host_that_cannot_be_reached_is_not_asked_for_the_original(cause: FetchCause) -> None:
    faking, disk = Faking({A: [failing(cause)]}), Disk()
    worked([A], faking, disk, originals={A: B}, attempts=1)
    assert (faking.asked, disk.causes()) == ([A], [str(cause)])


# hosts


def test_never_more_requests_at_once_than_allowed() -> None:
    faking = Faking(takes_s=dict.fromkeys(many(60), 0.001))
    worked(many(60), faking, concurrency=5)
    assert faking.most_running == 5


def test_thousands_of_rows_of_a_dead_host_hold_up_no_others() -> None:
    dead, well = many(5000, "dead.test"), many(300, "well.test")
    all_kept_at: list[float] = []

    def clock() -> float:
        """Runs as the world's until all that can come has come: no cooling ends before."""
        now = time.monotonic()
        return now + TIMES * (now - all_kept_at[0]) if all_kept_at else now

    def look(now: Snapshot) -> None:
        if now.n_kept == 300 and not all_kept_at:
            all_kept_at.append(time.monotonic())

    watching, disk = Watching(look), Disk()
    faking = Faking({url: [failing(FetchCause.NO_CONNECTION)] for url in dead})
    worked([*dead, *well], faking, disk, watching=watching, clock=clock)
    assert disk.causes()[5000:] == [None] * 300
    assert disk.causes()[:5000].count("host given up") > 4900
    assert len(faking.asked) < 340
    # Half a minute is the first cooling; all of them take more than 450 seconds.
    assert next(now.elapsed_s for now in watching.told if now.n_kept == 300) < 30
    assert watching.told[-1].elapsed_s > 450


def test_rows_of_a_host_that_was_given_up_were_never_asked_for() -> None:
    urls, disk = many(50), Disk()
    worked(urls, Faking({url: [failing(FetchCause.UNKNOWN_HOST)] for url in urls}), disk)
    assert set(disk.causes()) == {"unknown host"}
    # Rows from the far end are asked to see whether the host is well again; those between never are.
    assert disk.ends[40].attempts == 0
    assert disk.ends[40].detail == "one.test had no address, asked anew"


def test_a_host_that_may_not_be_asked_is_not() -> None:
    faking, disk = Faking(), Disk()
    worked([*many(20), "http://two.test/a.jpg"], faking, disk,
           refusal=lambda host: "give a contact" if host == "one.test" else None)  # fmt: skip
    assert disk.causes() == ["host wants a contact"] * 20 + [None]
    assert {disk.ends[row].detail for row in range(20)} == {"give a contact"}
    assert faking.asked == ["http://two.test/a.jpg"]


def test_a_host_that_a_redirect_leads_to_may_refuse_too() -> None:
    faking, disk = Faking({A: [(301, "http://two.test/a.jpg")]}), Disk()
    worked([A], faking, disk, refusal=lambda host: "no" if host == "two.test" else None)
    assert (faking.asked, disk.causes()) == ([A], ["host wants a contact"])


def test_too_many_failures_end_the_run_and_leave_the_rest() -> None:
    urls, disk = many(1000), Disk()
    faking = Faking({url: [failing(FetchCause.NOT_FOUND)] for url in urls})
    ended = worked(urls, faking, disk, is_too_much=lambda n_done, n_failed: n_failed >= 10)
    assert ended.failed_too_often
    assert 10 <= len(disk.ends) < 10 + QUICK.concurrency


def test_too_many_failures_count_also_where_rows_are_given_up_by_the_thousand() -> None:
    urls, disk = many(5000), Disk()
    faking = Faking({url: [failing(FetchCause.UNKNOWN_HOST)] for url in urls})
    ended = worked(urls, faking, disk, is_too_much=lambda n_done, n_failed: n_failed >= 50)
    assert ended.failed_too_often
    assert len(disk.ends) == 50


# asked to end


def test_asked_to_end_what_was_begun_is_finished_and_nothing_new_is_begun() -> None:
    urls, disk, watching = many(400), Disk(), Watching()
    faking, stopping = Faking(takes_s=dict.fromkeys(urls, 0.01)), watching.stopping
    watching.look = lambda now: stopping.ask() if now.n_kept and not stopping.is_draining else None
    ended = worked(urls, faking, disk, watching=watching)
    assert (ended.was_stopped, ended.was_cut) == (True, False)
    assert set(disk.ends) == set(disk.written)
    assert len(faking.asked) == len(disk.ends) < 400


def test_asked_twice_it_ends_at_once_and_what_was_recorded_stays() -> None:
    watching, disk = Watching(), Disk()

    def ask_twice(now: Snapshot) -> None:
        if disk.ends and not watching.stopping.is_stopping:
            watching.stopping.ask()
            watching.stopping.ask()

    watching.look = ask_twice
    began = time.monotonic()
    ended = worked([A, B], Faking(takes_s={B: 60}), disk, watching=watching)
    assert (ended.was_stopped, ended.was_cut, set(disk.ends)) == (True, True, {0})
    assert time.monotonic() - began < 5


def test_asked_twice_what_had_ended_by_then_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cairn.stages.download.ticking.TICK_S", 2)
    watching = Watching()
    disk = Disk(on_write=lambda index: [watching.stopping.ask() for _ in range(2)])
    worked([A, B], Faking(takes_s={B: 60}), disk, watching=watching)
    assert set(disk.ends) == {0}


def test_asked_to_end_before_it_began_it_asks_for_nothing() -> None:
    faking, watching = Faking(), Watching()
    watching.stopping.ask()
    assert worked(many(9), faking, watching=watching).was_stopped
    assert not faking.asked


# the disk


def test_a_full_disk_pauses_says_why_and_no_row_fails_for_it() -> None:
    watching, urls = Watching(), many(30)
    disk = Disk(on_write=full_until(lambda: any(now.waits_for for now in watching.told)))
    ended = worked(urls, disk=disk, watching=watching)
    assert ended.counts.n_kept == len(disk.ends) == 30
    assert {now.waits_for for now in watching.told} == {
        None, "the disk is full: free some space, and the download goes on by itself"
    }  # fmt: skip
    assert watching.told[-1].waits_for is None


def test_a_full_disk_is_told_also_when_every_slot_waits_for_it() -> None:
    watching = Watching()
    disk = Disk(on_write=full_until(lambda: any(now.waits_for for now in watching.told)))
    assert worked(many(9), disk=disk, watching=watching, concurrency=2).counts.n_kept == 9


def test_nothing_new_is_begun_while_the_disk_is_full() -> None:
    watching, faking = Watching(), Faking()
    disk = Disk(on_write=full_until(lambda: sum(bool(now.waits_for) for now in watching.told) > 9))
    worked(many(500), faking, disk, watching=watching)
    n_running = [now.n_running for now in watching.told if now.waits_for]
    assert n_running[0] < 100
    assert n_running == sorted(n_running, reverse=True)
    assert len(faking.asked) == 500


def test_too_little_room_pauses_before_anything_is_asked_for() -> None:
    watching, faking, left = Watching(), Faking(), [Free(0, None)]

    def look(now: Snapshot) -> None:
        if now.waits_for:
            assert not faking.asked
            left[0] = PLENTY

    watching.look = look
    assert worked([A], faking, watching=watching, free=lambda: left[0]).counts.n_kept == 1
    assert any(now.waits_for and "--spare-disk-mb" in now.waits_for for now in watching.told)


def test_a_disk_that_refuses_for_another_reason_ends_the_run() -> None:
    def refused(index: int) -> None:
        if index == 1:
            raise DiskError("read only") from OSError(errno.EROFS, "read only")

    disk = Disk(on_write=refused)
    with pytest.raises(DiskError, match="read only"):
        worked([A, B, C], disk=disk, concurrency=1)
    assert set(disk.ends) == {0}


def test_asked_to_end_while_the_disk_is_full_it_leaves_those_rows_for_another_run() -> None:
    watching, disk = Watching(), Disk(on_write=full)
    watching.look = lambda now: watching.stopping.ask() if now.waits_for else None
    ended = worked([A, B], disk=disk, watching=watching)
    assert ended.was_stopped
    assert not disk.ends


def test_a_full_disk_of_the_journal_pauses_too_and_nothing_is_lost() -> None:
    watching, disk, urls = Watching(), Disk(), many(200)
    disk.on_record = full_until(lambda: sum(bool(now.waits_for) for now in watching.told) > 5)
    worked(urls, Faking(takes_s=dict.fromkeys(urls, 0.01)), disk, watching=watching)
    assert disk.n_recorded == Counter(range(200))
    assert watching.told[-1].waits_for is None


def test_a_journal_that_is_full_at_the_very_end_is_waited_for() -> None:
    watching, disk = Watching(), Disk()
    disk.on_record = full_until(lambda: sum(bool(now.waits_for) for now in watching.told) > 3)
    assert worked([A], disk=disk, watching=watching).counts.n_kept == 1
    assert set(disk.ends) == {0}


def test_asked_to_end_while_the_journal_is_full_it_says_so() -> None:
    watching, disk = Watching(), Disk(on_record=full)
    watching.look = lambda now: watching.stopping.ask() if now.waits_for else None
    with pytest.raises(DiskError, match="disk is full"):
        worked([A], disk=disk, watching=watching)


def test_an_error_of_the_decoders_ends_the_run_alone_and_the_rest_is_recorded() -> None:
    disk, faking = Disk(), Faking(not_decoded={C.encode(): CairnError("none starts")})
    with pytest.raises(CairnError, match="none starts"):
        worked([A, B, C], faking, disk, concurrency=1)
    assert set(disk.ends) == {0, 1}


def test_a_fault_of_ours_is_told_as_it_is() -> None:
    def wrong(now: Snapshot) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        worked([A], watching=Watching(wrong))
