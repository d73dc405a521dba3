import heapq
import math
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.images.fetch.causes import FetchError
from cairn.images.fetch.manners import BURST_S, Doing, HostManners, Patience, Verdict
from cairn.images.fetch.rules import HostRule
from cairn.stages.download import schedule as schedule_room
from cairn.stages.download.host_queue import MOST_OUT, HostQueue, Rows
from cairn.stages.download.schedule import NO_DOUBTS, Schedule, Task

OK, BUSY, FAILING = Verdict.OK, Verdict.BUSY, Verdict.FAILING
QUICK = HostRule(concurrency=4, rate_per_s=1e6)
RuleOf = Callable[[str], HostRule]


def schedule(
    queues: Mapping[str, Rows],
    *,
    rule: HostRule | RuleOf = QUICK,
    seed: int = 0,
    most_doubted: int = NO_DOUBTS,
) -> Schedule:
    rule_of = rule if callable(rule) else lambda host: rule

    def manners(host: str) -> HostManners:
        return HostManners(rule_of(host), rng=random.Random(f"{seed} {host}"))

    return Schedule(
        queues,
        make=lambda i, host: Task(i, f"http://{host}/{i}", host),
        manners=manners,
        most_doubted=most_doubted,
    )


def rows(**counts: int) -> dict[str, Rows]:
    """Rows by host, numbered one after the other."""
    ends = np.cumsum([0, *counts.values()], dtype=np.int32)
    return {name: np.arange(ends[i], ends[i + 1], dtype=np.int32) for i, name in enumerate(counts)}


def taken(plan: Schedule, now: float) -> list[Task]:
    """All tasks that may start at `now`."""
    tasks = []
    while (task := plan.next(now)[0]) is not None:
        tasks.append(task)
    return tasks


@dataclass
class World:
    """Runs a schedule on a clock of its own; `answer` says how long a request takes and how it ends.

    An answer is (seconds, verdict, what next), the last None, "retry" or the address to go on at.
    """

    plan: Schedule
    answer: Callable[[Task], tuple[float, Verdict, str | None]]
    most_running: int = 10**9
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    now: float = 0.0
    ends: Counter[int] = field(default_factory=Counter)
    starts: list[tuple[float, str, int]] = field(default_factory=list)
    most_at: Counter[str] = field(default_factory=Counter)
    ended_at: dict[int, float] = field(default_factory=dict)
    abandoned: Counter[int] = field(default_factory=Counter)
    retry_after_s: Callable[[Task], float | None] = lambda task: None
    longest_backoff_s: float = 30.0
    n_looks: int = 0

    def run(self, *, until: float = math.inf) -> "World":
        running: list[tuple[float, int, Task, Verdict, str | None]] = []
        at: Counter[str] = Counter()
        while not self.plan.is_empty and self.now <= until:
            when = math.inf
            while len(running) < self.most_running:
                task, when = self.plan.next(self.now)
                if task is None:
                    self.n_looks += 1
                    break
                seconds, verdict, then = self.answer(task)
                number = len(self.starts)
                heapq.heappush(running, (self.now + seconds, number, task, verdict, then))
                self.starts.append((self.now, task.host, task.index))
                at[task.host] += 1
                self.most_at[task.host] = max(self.most_at[task.host], at[task.host])
            self._drain()
            if self.plan.is_empty:
                break
            soonest = running[0][0] if running else math.inf
            assert min(when, soonest) < math.inf, "waits for something that never comes"
            assert len(running) >= self.most_running or when >= self.now
            self.now = max(self.now, min(when, soonest))
            while running and running[0][0] <= self.now:
                _, _, task, verdict, then = heapq.heappop(running)
                at[task.host] -= 1
                self._end(task, verdict, then)
        return self

    def _end(self, task: Task, verdict: Verdict, then: str | None) -> None:
        self.plan.finished(task.host, verdict, self.now, retry_after_s=self.retry_after_s(task))
        if then is None:
            self.ends[task.index] += 1
            self.ended_at[task.index] = self.now
        elif then == "retry":
            again = replace(task, attempt=task.attempt + 1)
            self.plan.retry(again, self.now + self.rng.uniform(0, self.longest_backoff_s))
        else:
            self.plan.moved(replace(task, n_redirects=task.n_redirects + 1), then, self.now)

    def _drain(self) -> None:
        for task in self.plan.given_up():
            self.ends[task.index] += 1
            self.abandoned[task.index] += 1


def well(task: Task) -> tuple[float, Verdict, str | None]:
    return 0.1, OK, None


def test_nothing_to_do_is_empty_and_waits_for_nothing() -> None:
    plan = schedule({"a": []})
    assert plan.is_empty
    assert plan.next(0.0) == (None, math.inf)


def test_rows_of_a_host_come_in_the_order_of_the_list() -> None:
    world = World(schedule({"a": [4, 2, 9]}), well, most_running=1).run()
    assert [index for _, _, index in world.starts] == [4, 2, 9]


def test_hosts_take_turns() -> None:
    plan = schedule(rows(a=3, b=3))
    assert [task.host for task in taken(plan, 0.0)] == ["a", "b"]


def test_a_host_at_its_limit_is_looked_at_again_when_a_request_has_ended() -> None:
    plan = schedule(rows(a=3))
    assert [task.index for task in taken(plan, 0.0)] == [0]
    assert plan.next(0.0) == (None, math.inf)
    plan.finished("a", OK, 1.0)
    assert [task.index for task in taken(plan, 1.0)] == [1, 2]


def test_the_time_to_look_again_is_the_time_at_which_a_host_is_ready() -> None:
    plan = schedule(rows(a=9), rule=HostRule(concurrency=9, rate_per_s=0.5))
    world = World(plan, lambda task: (0.0, OK, None)).run()
    gaps = np.diff([at for at, _, _ in world.starts])
    assert gaps == pytest.approx([2.0 - BURST_S] + [2.0] * 7)


def test_a_second_try_comes_when_it_is_due_and_before_new_rows() -> None:
    plan = schedule(rows(a=3), rule=HostRule(concurrency=1, rate_per_s=1e6))
    first = taken(plan, 0.0)[0]
    plan.finished("a", FAILING, 0.0)
    plan.retry(first, 5.0)
    assert taken(plan, 1.0)[0].index == 1
    plan.finished("a", OK, 1.0)
    assert taken(plan, 6.0) == [first]


def test_a_second_try_that_is_due_after_everything_else_is_waited_for() -> None:
    plan = schedule(rows(a=1))
    (task,) = taken(plan, 0.0)
    plan.finished("a", FAILING, 0.0)
    plan.retry(task, 1e6)
    assert not plan.is_empty
    assert plan.next(0.0) == (None, 1e6)
    assert plan.next(1e6) == (task, 1e6)
    plan.finished("a", OK, 1e6)
    assert plan.is_empty


def test_a_redirected_task_goes_before_the_rows_of_its_new_host() -> None:
    plan = schedule(rows(a=1, b=3), rule=HostRule(concurrency=1, rate_per_s=1e6))
    a, _ = taken(plan, 0.0)
    plan.finished("a", OK, 0.0)
    plan.moved(a, "https://b/elsewhere", 0.0)
    plan.finished("b", OK, 0.0)
    (task,) = taken(plan, 0.0)
    assert (task.index, task.host, task.url, task.home) == (0, "b", "https://b/elsewhere", "a")


def test_an_address_without_a_host_is_not_taken() -> None:
    plan = schedule(rows(a=1))
    (task,) = taken(plan, 0.0)
    with pytest.raises(FetchError):
        plan.moved(task, "http:///x", 0.0)
    assert (task.host, plan.n_waiting) == ("a", 0)


def test_rows_of_a_host_that_is_given_up_come_out_without_a_request() -> None:
    plan = schedule(rows(a=2000, b=1))
    world = World(plan, lambda task: (1.0, FAILING if task.host == "a" else OK, None)).run()
    assert len([host for _, host, _ in world.starts if host == "a"]) == 12
    assert world.ends == Counter(range(2001))
    assert plan.given_up_for("a") is FAILING
    assert plan.given_up_for("b") is None


@pytest.mark.parametrize("n_bad", [5, 7, 20, 100])
def test_bad_photos_at_the_front_give_no_healthy_host_up(n_bad: int) -> None:
    plan = schedule(rows(a=n_bad + 300))

    def answer(task: Task) -> tuple[float, Verdict, str | None]:
        if task.index >= n_bad:
            return 0.1, OK, None
        return 0.1, FAILING, "retry" if task.attempt < 3 else None

    world = World(plan, answer, longest_backoff_s=1.0).run()
    assert world.ends == Counter(range(n_bad + 300))
    assert not [index for index in world.abandoned if index >= n_bad]


def test_a_host_is_probed_with_its_last_row_and_not_with_what_failed_or_was_moved_there() -> None:
    plan = schedule(rows(a=20, b=1), rule=HostRule(concurrency=1, rate_per_s=1e6))
    (moved,) = [task for task in taken(plan, 0.0) if task.host == "b"]
    plan.finished("b", OK, 0.0)
    plan.finished("a", FAILING, 0.0, retry_after_s=1000.0)
    plan.moved(moved, "http://a/x", 0.0)
    (probe,) = taken(plan, 1000.0)
    assert (probe.index, plan._hosts["a"].n_out, plan.n_waiting) == (19, 0, 19)
    plan.finished("a", OK, 1001.0)
    assert [task.index for task in taken(plan, 1001.0)] == [20]


def test_a_host_with_nothing_but_second_tries_is_probed_with_one_of_them() -> None:
    plan = schedule(rows(a=8))
    world = World(
        plan, lambda task: (1.0, *((FAILING, "retry") if task.attempt < 2 else (OK, None)))
    )
    assert world.run().ends == Counter(range(8))
    assert not world.abandoned


def test_a_host_with_too_many_tasks_outside_is_probed_with_an_untouched_row_too() -> None:
    plan = schedule(rows(a=3), rule=HostRule(concurrency=1, rate_per_s=1e6))
    (task,) = taken(plan, 0.0)
    plan.finished("a", FAILING, 0.0, retry_after_s=1000.0)
    plan.retry(task, 5.0)
    plan._hosts["a"].n_out = MOST_OUT
    assert [probe.index for probe in taken(plan, 1000.0)] == [2]


def test_a_row_that_was_never_asked_for_says_so() -> None:
    plan = schedule(rows(a=3))
    taken(plan, 0.0)
    plan.finished("a", Verdict.OFF_LIMITS, 0.0)
    assert [(task.index, task.attempt) for task in plan.given_up()] == [(1, 0), (2, 0)]
    assert plan.is_empty


def test_rows_that_are_given_up_come_in_the_order_of_the_list() -> None:
    plan = schedule(rows(a=20))
    world = World(plan, lambda task: (1.0, FAILING, None)).run()
    assert list(world.abandoned) == [8, 9, 10, 11, 12, 13, 14, 15]


def test_what_is_given_up_may_be_taken_a_few_at_a_time() -> None:
    plan = schedule(rows(a=6))
    taken(plan, 0.0)
    plan.finished("a", Verdict.OFF_LIMITS, 0.0)
    found = []
    while not plan.is_empty:
        assert plan.next(0.0) == (None, 0.0)
        found += [task.index for task in islice(plan.given_up(), 2)]
    assert found == [1, 2, 3, 4, 5]


def test_tasks_that_are_sent_to_a_host_that_was_given_up_end_too() -> None:
    plan = schedule(rows(a=2, b=2))
    a, _ = taken(plan, 0.0)
    plan.finished("b", Verdict.OFF_LIMITS, 0.0)
    assert [task.index for task in plan.given_up()] == [3]
    plan.finished("a", OK, 0.0)
    plan.moved(a, "http://b/x", 0.0)
    plan.retry(replace(a, index=7, host="b"), 1e9)
    assert [task.index for task in plan.given_up()] == [0, 7]


def test_a_host_that_is_given_up_while_its_turn_comes_holds_up_no_other() -> None:
    plan = schedule(rows(a=9, b=9), rule=HostRule(concurrency=2, rate_per_s=1e6))
    taken(plan, 0.0)
    plan.finished("a", OK, 0.0)
    plan.next(0.0)
    plan.finished("a", OK, 0.0)
    plan.finished("a", Verdict.OFF_LIMITS, 0.0)
    plan.finished("b", OK, 0.0)
    assert [task.host for task in taken(plan, 0.0)] == ["b", "b"]


def test_a_host_whose_tasks_pile_up_elsewhere_touches_no_new_row() -> None:
    plan = schedule(
        rows(a=5 * MOST_OUT),
        rule=lambda host: replace(QUICK, rate_per_s=2e5 if host == "a" else 1.0),
    )

    def to_b(task: Task) -> tuple[float, Verdict, str | None]:
        return 0.0001, OK, "http://b/x" if task.host == "a" else None

    World(plan, to_b).run(until=100.0)
    states = {state.host: state for state in plan.host_states()}
    assert MOST_OUT <= states["b"].waiting <= MOST_OUT + 8
    assert states["a"].waiting > 3 * MOST_OUT


def test_a_host_that_waited_for_its_tasks_elsewhere_goes_on() -> None:
    plan = schedule(rows(a=3 * MOST_OUT))
    world = World(plan, lambda task: (1.0, OK, "http://b/x" if task.host == "a" else None)).run()
    assert world.ends == Counter(range(3 * MOST_OUT))


def test_a_host_with_a_million_rows_keeps_its_pace_beside_thousands_of_small_ones() -> None:
    small = {f"h{i}": 20 for i in range(1000)}
    plan = schedule(rows(big=5000, **small), rule=HostRule(concurrency=4, rate_per_s=10))
    world = World(plan, well, most_running=16).run(until=60.0)
    n_big = sum(host == "big" for _, host, _ in world.starts)
    assert n_big >= 0.95 * 10 * 60


def test_small_hosts_end_long_before_one_with_very_many_rows() -> None:
    small = {f"h{i}": 10 for i in range(100)}
    plan = schedule(rows(big=20_000, **small), rule=HostRule(concurrency=8, rate_per_s=1e6))
    world = World(plan, well, most_running=16).run(until=30.0)
    assert max(world.ended_at[index] for index in range(20_000, 21_000)) < 15


def test_dead_and_slow_hosts_delay_no_other() -> None:
    def starts_of_well_ones(**others: int) -> list[tuple[float, str]]:
        plan = schedule(rows(a=30, b=30, **others), rule=HostRule(concurrency=2, rate_per_s=5))
        ends = {"dead": (10.0, FAILING, "retry"), "slow": (120.0, OK, None)}
        world = World(plan, lambda task: ends.get(task.host, well(task))).run()
        return [(at, host) for at, host, _ in world.starts if host in "ab"]

    assert starts_of_well_ones() == starts_of_well_ones(dead=40, slow=10)


def test_hosts_that_only_redirects_lead_to_are_forgotten_when_at_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule_room, "SPARE_HOSTS", 50)
    plan = schedule(rows(a=2000))

    def astray(task: Task) -> tuple[float, Verdict, str | None]:
        return 0.1, OK, f"http://h{task.index}/x" if task.n_redirects < 1 else None

    world = World(plan, astray).run()
    assert world.ends == Counter(range(2000))
    assert len(plan._hosts) < 110


def test_the_display_shows_the_hosts_with_the_most_to_do() -> None:
    plan = schedule(rows(a=1, b=5, c=9))
    taken(plan, 0.0)
    plan.received("b", 7)
    plan.received("forgotten.test", 7)
    plan.finished("b", BUSY, 0.0, retry_after_s=60.0)
    plan.finished("a", OK, 0.0)
    first, second = plan.host_states()
    assert (first.host, first.waiting, first.running, first.state) == ("c", 8, 1, Doing.RUNNING)
    assert (second.host, second.state, second.until) == ("b", Doing.SLOWED, 60.0)
    assert second.bytes_received == 7
    assert plan.host_states(n=1) == [first]


def test_among_very_many_hosts_the_busiest_are_looked_for_at_every_tenth_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule_room, "MANY_HOSTS", 2)
    plan = schedule(rows(a=1, b=5, c=9))
    assert [state.host for state in plan.host_states(n=1)] == ["c"]
    plan._hosts = {"d": HostQueue("d", range(50)), **plan._hosts}
    taken(plan, 0.0)
    shown = [plan.host_states(n=1)[0] for _ in range(10)]
    assert [state.host for state in shown] == ["c"] * 9 + ["d"]
    assert (shown[0].waiting, shown[0].running) == (8, 1)


def test_rows_cost_nothing_until_their_turn_comes() -> None:
    held = np.arange(10**6, dtype=np.int32)
    plan = schedule({"a": held})
    taken(plan, 0.0)
    assert plan.n_waiting == 10**6 - 1
    assert sys.getsizeof(plan._hosts["a"]) < 200


HOSTS = ["a", "b", "c", "dead", "busy"]
RULES = {"a": (3, 50.0), "b": (1, 2.0), "c": (5, 1e6), "dead": (4, 10.0), "busy": (2, 5.0)}
MOST_ATTEMPTS = 4


def fate(seed: int) -> Callable[[Task], tuple[float, Verdict, str | None]]:
    """Ends of any kind for any request, but bad ones only where a host is dead."""
    rng = random.Random(seed)

    def answer(task: Task) -> tuple[float, Verdict, str | None]:
        seconds = rng.choice([0.0, 0.01, 0.5, 20.0])
        odds = {"dead": 1.0, "busy": 0.7}.get(task.host, 0.2)
        if rng.random() < odds:
            verdict = rng.choice(
                [BUSY, FAILING, FAILING, Verdict.ABSENT] if odds < 1 else [FAILING]
            )
            return seconds, verdict, "retry" if task.attempt < MOST_ATTEMPTS else None
        if task.n_redirects < 3 and rng.random() < 0.3:
            return seconds, OK, f"http://{rng.choice([*HOSTS, 'new', 'other'])}/x"
        return seconds, OK, None

    return answer


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 40), min_size=5, max_size=5),
    seed=st.integers(0, 10**6),
    most_running=st.sampled_from([1, 3, 1000]),
    retry_after_s=st.sampled_from([None, None, 4.0, 950.0, 1e7]),
)
def test_every_row_ends_once_and_no_limit_is_passed_whatever_happens(
    counts: list[int], seed: int, most_running: int, retry_after_s: float | None
) -> None:
    rule_of = {host: HostRule(concurrency=n, rate_per_s=rate) for host, (n, rate) in RULES.items()}
    plan = schedule(
        rows(**dict(zip(HOSTS, counts, strict=True))),
        rule=lambda host: rule_of.get(host, QUICK),
        seed=seed,
    )
    world = World(plan, fate(seed), most_running=most_running, rng=random.Random(seed))
    world.retry_after_s = lambda task: retry_after_s if task.index % 7 == 0 else None
    world.run()
    assert world.ends == Counter(range(sum(counts)))
    assert (plan.n_waiting, plan.n_running) == (0, 0)
    assert world.n_looks <= 2 * len(world.starts) + 2, "looks where there is nothing to see"
    for host, rule in rule_of.items():
        assert world.most_at[host] <= rule.concurrency
        starts = [at for at, asked, _ in world.starts if asked == host]
        for i, first in enumerate(starts):
            most = rule.rate_per_s * (np.array(starts[i:]) - first + BURST_S) + 1 + 1e-6
            assert (np.arange(1, len(most) + 1) <= most).all()


def test_a_clock_that_starts_anywhere_is_fine() -> None:
    world = World(schedule(rows(a=50, b=3)), well, now=1e9)
    assert world.run().ends == Counter(range(53))


def test_patience_is_a_setting_of_a_hosts_manners() -> None:
    patience = Patience(n_failures=1, cooling_s=1.0, n_coolings=1)
    plan = Schedule(
        rows(a=5),
        make=lambda i, host: Task(i, "", host),
        manners=lambda host: HostManners(QUICK, rng=random.Random(0), patience=patience),
    )
    world = World(plan, lambda task: (0.0, FAILING, None)).run()
    assert len(world.starts) == 2
    assert world.now < 1.3


# doubts


def dead_and_alive(n_dead: int, n_alive: int = 400) -> Mapping[str, Rows]:
    """As many dead hosts with rows enough to be asked again and again, and then one that lives."""
    return rows(**{f"dead{n}": 40 for n in range(n_dead)}, alive=n_alive)


def silent_if_dead(task: Task) -> tuple[float, Verdict, str | None]:
    return (0.1, OK, None) if task.host == "alive" else (20.0, FAILING, None)


def seconds_of_the_living(most_doubted: int) -> float:
    """When the last row of the one host that lives has ended, among 200 that are dead, with 64 slots."""
    plan = schedule(dead_and_alive(200), most_doubted=most_doubted)
    world = World(plan, silent_if_dead, most_running=64).run(until=600)
    return max(at for row, at in world.ended_at.items() if row >= 200 * 40)


def test_two_hundred_dead_hosts_do_not_hold_up_one_that_answers() -> None:
    # Alone it would take 10 seconds: 400 rows of 0.1 s, four at once.
    assert seconds_of_the_living(32) < 12
    assert seconds_of_the_living(1000) > 20


def test_where_no_host_answers_well_the_doubted_have_all_slots_after_a_while() -> None:
    plan = schedule(rows(**{f"dead{n}": 8 for n in range(200)}), most_doubted=32)
    world = World(plan, silent_if_dead, most_running=64)
    assert (len(taken(plan, 0.0)), plan.next(1.0)) == (32, (None, 30.0))
    assert len(taken(plan, 30.0)) == 168
    assert world.now == 0


def test_hosts_of_one_row_each_have_all_slots_after_a_while() -> None:
    plan = schedule(rows(**{f"h{n}": 1 for n in range(3000)}), most_doubted=32)
    world = World(plan, lambda task: (1.0, OK, None), most_running=64).run()
    assert set(world.ends.values()) == {1}
    assert world.now == pytest.approx(30 + (3000 - 30 * 32) / 64, abs=3)


def test_a_host_that_no_longer_answers_is_doubted_again() -> None:
    plan = schedule(rows(a=20, b=20, c=20), most_doubted=1)
    first = plan.next(0.0)[0]
    assert first is not None
    assert plan.next(0.0)[0] is None
    plan.finished(first.host, OK, 0.0)
    # It answers well, so that one of the others may be tried beside it.
    asked = Counter(task.host for task in taken(plan, 0.0))
    assert (asked[first.host], asked.total()) == (2, 3)
    for _ in range(2):
        plan.finished(first.host, FAILING, 1.0)
    assert first.host not in {task.host for task in taken(plan, 1.0)}
