import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.images.fetch.manners import (
    BURST_S,
    SLOWEST_RATE_PER_S,
    Doing,
    HostManners,
    Pace,
    Patience,
    Verdict,
    backoff_s,
)
from cairn.images.fetch.rules import HostRule

OK, BUSY, FAILING, ABSENT = Verdict.OK, Verdict.BUSY, Verdict.FAILING, Verdict.ABSENT
QUICK = HostRule(concurrency=4, rate_per_s=1e6)


def manners(
    rule: HostRule = QUICK, *, seed: int = 0, patience: Patience | None = None
) -> HostManners:
    return HostManners(rule, rng=random.Random(seed), patience=patience or Patience())


def ask(
    host: HostManners, now: float, verdict: Verdict, retry_after_s: float | None = None
) -> None:
    """One request that starts and ends at `now`, which has to be allowed."""
    assert host.ready_at(now) <= now
    host.started(now)
    host.finished(now, verdict, retry_after_s)


def asked(host: HostManners, verdict: Verdict, *, n: int, at: float = 0.0) -> float:
    """The time after `n` requests in a row, each as soon as it is allowed."""
    for _ in range(n):
        at = max(at, host.ready_at(at))
        ask(host, at, verdict)
    return at


def n_at_once(host: HostManners, now: float) -> int:
    """How many requests may run at `now`, which all then do."""
    n = 0
    while host.ready_at(now) <= now:
        host.started(now)
        n += 1
    return n


def n_started(host: HostManners, *, seconds: float, step_s: float = 0.001) -> int:
    """How many requests, each answered at once, a host allows in some time."""
    n, steps = 0, round(seconds / step_s)
    for step in range(steps):
        now = step * step_s
        while host.ready_at(now) <= now:
            ask(host, now, OK)
            n += 1
    return n


def test_a_host_is_asked_alone_until_it_answers_and_then_up_to_its_rule() -> None:
    host = manners()
    assert n_at_once(host, 0.0) == 1
    host.finished(1.0, OK)
    assert n_at_once(host, 1.0) == 2
    for _ in range(2):
        host.finished(2.0, OK)
    assert n_at_once(host, 2.0) == 4


def test_requests_start_no_faster_than_the_rule_says() -> None:
    host = manners(HostRule(concurrency=50, rate_per_s=10))
    assert n_started(host, seconds=10) == pytest.approx(100, abs=10 * BURST_S + 2)


def test_time_in_which_nothing_was_asked_is_not_saved_up() -> None:
    host = manners(HostRule(concurrency=50, rate_per_s=10))
    asked(host, OK, n=50)
    assert n_at_once(host, 1000.0) <= 10 * BURST_S + 1


def test_a_host_that_is_busy_gets_half_and_a_pause() -> None:
    host = manners(HostRule(concurrency=8, rate_per_s=100))
    now = asked(host, OK, n=100) + 10
    assert n_at_once(host, now) == 8
    host.finished(now, BUSY)
    for _ in range(7):
        host.finished(now, OK)
    assert now < host.ready_at(now) <= now + 1
    assert n_at_once(host, now + 2) == 4
    assert host.doing(now)[0] is Doing.SLOWED


def test_requests_that_were_sent_before_the_host_spoke_halve_nothing_more() -> None:
    host = manners(HostRule(concurrency=8, rate_per_s=1e6))
    now = asked(host, OK, n=100) + 10
    for _ in range(n_at_once(host, now)):
        host.finished(now, BUSY)
    assert n_at_once(host, now + 60) == 4


def test_limits_fall_to_one_request_a_minute_and_no_lower() -> None:
    host = manners(patience=Patience(n_failures=10**6))
    now = asked(host, BUSY, n=40) + 100
    ask(host, now, BUSY)
    host.started(now := host.ready_at(now))
    assert host.n_running == 1
    host.finished(now, OK)
    assert 50 < host.ready_at(now) - now <= 1 / SLOWEST_RATE_PER_S


def test_good_answers_raise_both_limits_to_the_rule_again() -> None:
    host = manners(HostRule(concurrency=4, rate_per_s=10))
    asked(host, BUSY, n=4)
    now = asked(host, OK, n=2000, at=100.0) + 100
    assert host.doing(now) == (Doing.WAITING, now)
    assert host.is_at_rest(now)
    assert n_at_once(host, now) >= 3


@pytest.mark.parametrize("verdict", [BUSY, FAILING])
def test_a_host_is_left_alone_for_as_long_as_it_asks(verdict: Verdict) -> None:
    host = manners()
    ask(host, 0.0, verdict, 600.0)
    assert host.ready_at(0.0) == 600.0


def test_a_longer_wait_that_was_asked_for_is_not_cut_short_by_a_shorter_one() -> None:
    host = manners()
    asked(host, OK, n=4)
    n_at_once(host, 1.0)
    host.finished(1.0, BUSY, 600.0)
    host.finished(2.0, BUSY, 5.0)
    host.finished(2.0, OK)
    host.finished(2.0, OK)
    assert host.ready_at(2.0) == 601.0


def test_a_very_long_wait_opens_the_breaker_until_then() -> None:
    host = manners()
    ask(host, 0.0, BUSY, 1000.0)
    assert host.ready_at(0.0) == 1000.0
    assert host.doing(5.0) == (Doing.COOLING, 1000.0)


def test_a_wait_that_no_run_can_last_gives_the_host_up() -> None:
    host = manners()
    ask(host, 0.0, BUSY, 1e30)
    assert host.given_up
    assert host.given_up_for is BUSY
    assert host.ready_at(0.0) == math.inf


@pytest.mark.parametrize("verdict", [BUSY, FAILING])
def test_eight_bad_answers_in_a_row_open_the_breaker(verdict: Verdict) -> None:
    host = manners()
    now = asked(host, verdict, n=7)
    assert host.doing(now)[0] is not Doing.COOLING
    now = asked(host, verdict, n=1, at=now)
    assert host.doing(now)[0] is Doing.COOLING
    assert host.ready_at(now) >= now + 30


def test_bad_answers_with_good_ones_between_open_no_breaker() -> None:
    host = manners()
    for _ in range(20):
        asked(host, FAILING, n=7)
        asked(host, OK, n=1)
    assert host.doing(0.0)[0] is Doing.WAITING


def test_after_cooling_one_request_goes_alone_and_its_end_decides() -> None:
    host = manners()
    now = host.ready_at(asked(host, FAILING, n=8))
    assert n_at_once(host, now) == 1
    host.finished(now, OK)
    assert n_at_once(host, now) == 2


def test_requests_that_started_before_the_breaker_opened_hold_the_probe_back_and_count_no_more() -> (
    None
):
    host = manners()
    asked(host, OK, n=4)
    assert n_at_once(host, 1.0) == 4
    for _ in range(3):
        host.finished(2.0, FAILING)
    n_at_once(host, 2.0)
    for _ in range(3):
        host.finished(3.0, FAILING)
    n_at_once(host, 3.0)
    for _ in range(2):
        host.finished(4.0, FAILING)
    assert host.n_running == 2
    assert host.ready_at(1000.0) == math.inf
    host.finished(1000.0, FAILING)
    host.finished(1000.0, FAILING)
    assert host.ready_at(1000.0) <= 1000.0


def test_a_late_good_answer_ends_the_cooling() -> None:
    host = manners()
    asked(host, OK, n=4)
    host.started(1.0)
    asked(host, FAILING, n=8, at=1.0)
    assert host.doing(2.0)[0] is Doing.COOLING
    host.finished(2.0, OK)
    assert host.ready_at(2.0) <= 2.0


def test_coolings_double_and_the_fifth_failure_gives_the_host_up() -> None:
    host = manners()
    now, coolings = asked(host, FAILING, n=8), []
    while not host.given_up:
        probe_at = host.ready_at(now)
        coolings.append(probe_at - now)
        now = probe_at
        ask(host, now, FAILING)
    assert [round(s / 30 / 1.125) for s in coolings] == [1, 2, 4, 8]
    assert host.doing(now) == (Doing.GIVEN_UP, now)


def test_coolings_grow_no_longer_than_ten_minutes() -> None:
    host = manners(patience=Patience(n_coolings=20))
    now = asked(host, FAILING, n=8)
    for _ in range(19):
        now = asked(host, FAILING, n=1, at=now)
    assert 600 <= host.ready_at(now) - now <= 750


def test_one_success_begins_the_count_of_coolings_anew() -> None:
    host = manners()
    for _ in range(5):
        now = asked(host, FAILING, n=8)
        for _ in range(3):
            now = asked(host, FAILING, n=1, at=now)
        asked(host, OK, n=1, at=now)
    assert not host.given_up


def test_a_name_without_an_address_is_given_up_after_three_requests() -> None:
    host = manners()
    now = asked(host, ABSENT, n=2)
    assert not host.given_up
    assert 90 <= asked(host, ABSENT, n=1, at=now) <= 90 * 1.25
    assert host.given_up_for is ABSENT


def test_a_name_without_an_address_after_other_failures_is_not_final() -> None:
    host = manners()
    now = asked(host, FAILING, n=9)
    now = asked(host, ABSENT, n=2, at=now)
    assert not host.given_up
    asked(host, ABSENT, n=1, at=now)
    assert host.given_up_for is ABSENT


def test_answers_between_begin_the_count_of_missing_addresses_anew() -> None:
    host = manners()
    for verdict in [ABSENT, ABSENT, FAILING, ABSENT]:
        now = asked(host, verdict, n=1, at=0.0 if not host.is_open else host.ready_at(0.0))
    assert not host.given_up
    asked(host, ABSENT, n=1, at=now)
    assert host.given_up_for is FAILING


def test_a_good_answer_begins_the_count_of_missing_addresses_anew() -> None:
    host = manners()
    now = asked(host, ABSENT, n=2)
    now = asked(host, OK, n=1, at=now)
    asked(host, ABSENT, n=1, at=now)
    assert not host.given_up


@pytest.mark.parametrize("verdict", [BUSY, FAILING])
def test_a_host_is_given_up_for_what_its_last_probe_met(verdict: Verdict) -> None:
    host = manners()
    asked(host, verdict, n=12)
    assert host.given_up_for is verdict


def test_the_breaker_says_whether_it_is_open() -> None:
    host = manners()
    now = asked(host, FAILING, n=7)
    assert not host.is_open
    now = asked(host, FAILING, n=1, at=now)
    assert host.is_open
    asked(host, OK, n=1, at=now)
    assert not host.is_open


def test_a_host_that_must_not_be_asked_is_given_up_at_once() -> None:
    host = manners()
    ask(host, 0.0, Verdict.OFF_LIMITS)
    assert host.given_up_for is Verdict.OFF_LIMITS


def test_a_host_at_work_says_so() -> None:
    host = manners()
    assert host.doing(0.0) == (Doing.WAITING, 0.0)
    host.started(0.0)
    assert host.doing(1.0) == (Doing.RUNNING, 1.0)
    assert not host.is_at_rest(1.0)


@pytest.mark.parametrize(("attempt", "most_s"), [(1, 1), (2, 2), (3, 4), (7, 60), (5000, 60)])
def test_a_back_off_is_anything_up_to_its_doubled_limit(attempt: int, most_s: float) -> None:
    rng = random.Random(1)
    waits = [backoff_s(attempt, rng) for _ in range(500)]
    assert 0 <= min(waits) < 0.1 * most_s
    assert 0.9 * most_s < max(waits) <= most_s


def test_a_back_off_is_never_shorter_than_the_host_asked_for() -> None:
    rng = random.Random(1)
    waits = [backoff_s(3, rng, 20.0) for _ in range(500)]
    assert 20 <= min(waits) < 20.4
    assert max(waits) <= 24


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["start", "start", "start", *Verdict]),
            st.floats(0, 40),
            st.sampled_from([None, None, 3.0, 950.0]),
        ),
        max_size=120,
    ),
    concurrency=st.integers(1, 5),
    rate_per_s=st.sampled_from([0.05, 1.0, 20.0]),
    seed=st.integers(0, 3),
)
def test_whatever_happens_no_limit_of_the_rule_is_passed(
    steps: list[tuple[str, float, float | None]], concurrency: int, rate_per_s: float, seed: int
) -> None:
    host = manners(HostRule(concurrency=concurrency, rate_per_s=rate_per_s), seed=seed)
    now, starts = 0.0, list[float]()
    for what, pause_s, retry_after_s in steps:
        now += pause_s
        if what == "start":
            if host.ready_at(now) <= now:
                host.started(now)
                starts.append(now)
        elif host.n_running:
            host.finished(now, Verdict(what), retry_after_s)
        assert 0 <= host.n_running <= concurrency
        assert host.given_up or host.n_running or host.ready_at(now) < math.inf
    for i, first in enumerate(starts):
        for n, last in enumerate(starts[i:], 1):
            assert n <= rate_per_s * (last - first + BURST_S) + 1 + 1e-6


def test_bytes_of_all_hosts_together_come_no_faster_than_allowed() -> None:
    pace = Pace(8.0, lambda host: HostRule())
    sent = now = 0.0
    while now < 10:
        now += max(pace.delay_s(f"h{sent % 3}", 50_000, now), 1e-6)
        sent += 50_000
    assert sent == pytest.approx(10e6, rel=0.05)


def test_a_hosts_own_limit_holds_for_it_alone() -> None:
    pace = Pace(0.0, lambda host: HostRule(mbit_per_s=8.0 if host == "a" else 0.0))
    assert pace.delay_s("b", 10**9, 0.0) == 0.0
    assert pace.delay_s("a", 10**6, 0.0) == pytest.approx(1 - BURST_S)
    assert pace.delay_s("a", 10**6, 0.0) == pytest.approx(2 - BURST_S)
    assert pace.delay_s("a", 0, 5.0) == 0.0


def test_hosts_without_a_limit_leave_nothing_behind() -> None:
    pace = Pace(8.0, lambda host: HostRule(mbit_per_s=8.0 if host == "a" else 0.0))
    for i in range(100):
        pace.delay_s(f"h{i}", 1000, 0.0)
    pace.delay_s("a", 1000, 0.0)
    assert list(pace._bucket_of) == ["a"]


def test_several_connections_of_a_host_share_its_bandwidth() -> None:
    pace = Pace(0.0, lambda host: HostRule(mbit_per_s=8.0))
    free_at = [0.0, 0.0]
    for _ in range(200):
        i = free_at.index(min(free_at))
        free_at[i] += pace.delay_s("a", 100_000, free_at[i])
    assert 200 * 100_000 / max(free_at) == pytest.approx(1e6, rel=0.05)


def test_a_request_that_was_never_sent_says_nothing_of_the_host() -> None:
    host = manners()
    opened_at = asked(host, Verdict.FAILING, n=8)
    assert host.is_open
    asked(host, Verdict.UNASKED, n=1, at=host.ready_at(opened_at))
    assert host.is_open
    assert host.n_running == 0
