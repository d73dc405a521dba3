"""How one host is treated: how many requests at once, how fast, when to leave it alone and when to give it up.

No clock and no network: `now` comes in, seconds of any clock that never goes back.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cairn.images.fetch.rules import HostRule


class Verdict(StrEnum):
    """What an answer, or the lack of one, says about the host: a 404 says that it is well.

    A host that must not be asked, for example without a contact, is given up at once.
    """

    OK = "answers well"
    BUSY = "asks for less"
    FAILING = "fails"
    ABSENT = "has no address"
    UNASKED = "was not asked"
    OFF_LIMITS = "must not be asked"


class Doing(StrEnum):
    """What a host is doing, in the words of the display."""

    WAITING = "waiting"
    RUNNING = "running"
    SLOWED = "slowed"
    COOLING = "cooling"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Patience:
    """When a host that answers badly is left alone, for how long, and when it is given up.

    n_failures: bad answers in a row before it is left to cool; a name without an address cools at once.
    cooling_s, longest_cooling_s: the first cooling and, doubling, the longest.
    n_coolings: coolings in a row, each ended by one request that failed, before the host is given up.
    n_coolings_absent: the same for a host whose name has no address; other bad answers begin this count anew.
    longest_pause_s: a longer Retry-After counts as a cooling.
    longest_wait_s: a longer Retry-After is not waited for: the host is given up for this run.
    """

    n_failures: int = 8
    cooling_s: float = 30.0
    longest_cooling_s: float = 600.0
    n_coolings: int = 4
    n_coolings_absent: int = 2
    longest_pause_s: float = 900.0
    longest_wait_s: float = 3600.0


PATIENCE = Patience()
LONGEST_BACKOFF_S: Final = 60.0
SLOWEST_RATE_PER_S: Final = 1 / 60
# So much of a second's allowance may be used at once: an event loop wakes too coarsely for single requests.
BURST_S: Final = 0.25
_MORE_AT_ONCE: Final = 0.05
_FASTER_SHARE: Final = 0.05
_FASTER_PER_S: Final = 1 / 120
_NEVER: Final = -math.inf


def backoff_s(attempt: int, rng: random.Random, retry_after_s: float | None = None) -> float:
    """Seconds until the next try of a photo: anything up to 1, 2, 4 … 60 s after the 1st, 2nd, 3rd … try.

    retry_after_s: what the host asked for; never less than that, and not all at that one moment either.
    """
    most_s = min(LONGEST_BACKOFF_S, 2.0 ** min(attempt - 1, 16))
    return (retry_after_s or 0.0) + rng.uniform(0.0, most_s)


class HostManners:
    """One host's limits as they stand: what its rule allows, less what its answers have told.

    The first request goes alone; each good answer lets one more go beside it, up to the rule. "Too many requests"
    halves both limits, good answers raise them again slowly. Bad answers in a row, or a long Retry-After, open the
    breaker: nothing goes to the host until it has cooled, then one request alone, on whose end it depends.
    """

    __slots__ = (
        "_clear_at",
        "_cool_at",
        "_is_new",
        "_is_open",
        "_is_probing",
        "_n_absent",
        "_n_coolings",
        "_n_failures",
        "_n_old",
        "_n_second",
        "_n_second_before",
        "_pause_until",
        "_rate_per_s",
        "_rng",
        "_second",
        "_step_per_s",
        "_width",
        "given_up_for",
        "n_running",
        "patience",
        "rule",
    )

    def __init__(
        self, rule: HostRule, *, rng: random.Random, patience: Patience = PATIENCE
    ) -> None:
        self.rule = rule
        self.patience = patience
        self.n_running = 0
        self.given_up_for: Verdict | None = None
        self._rng = rng
        self._width = 1.0
        self._is_new = True
        self._rate_per_s = rule.rate_per_s
        self._step_per_s = 0.0
        self._clear_at = _NEVER
        self._pause_until = self._cool_at = _NEVER
        self._is_open = self._is_probing = False
        self._n_failures = self._n_coolings = self._n_absent = 0
        self._n_old = 0
        self._second = self._n_second = self._n_second_before = 0

    @property
    def given_up(self) -> bool:
        """Whether the host is not asked any more in this run."""
        return self.given_up_for is not None

    @property
    def is_open(self) -> bool:
        """Whether the breaker is open: what is asked next is the probe on whose end it depends."""
        return self._is_open

    def ready_at(self, now: float) -> float:
        """When the next request may start: `now` or earlier is at once, infinity is not before one has ended."""
        if self.given_up_for is not None:
            return math.inf
        if self.n_running >= (1 if self._is_open else int(self._width)):
            return math.inf
        free_at = self._clear_at - BURST_S
        if free_at < self._pause_until:
            free_at = self._pause_until
        return max(free_at, self._cool_at) if self._is_open else free_at

    def started(self, now: float) -> None:
        """Notes that a request to the host starts now."""
        self.n_running += 1
        self._is_probing = self._is_open
        self._clear_at = max(self._clear_at, now) + 1.0 / self._rate_per_s
        second = int(now)
        if second != self._second:
            self._second, self._n_second_before, self._n_second = second, self._n_second, 0
        self._n_second += 1

    def finished(self, now: float, verdict: Verdict, retry_after_s: float | None = None) -> None:
        """Notes how a request ended, and for how long the host asked to be left alone."""
        self.n_running -= 1
        is_old, self._n_old = self._n_old > 0, max(0, self._n_old - 1)
        # What started before the breaker opened can only tell that the host is well after all.
        is_late = self._is_open and not self._is_probing
        self._is_probing = False
        if verdict is Verdict.UNASKED:
            return
        if verdict is Verdict.OK:
            self._recover()
            return
        if verdict is Verdict.OFF_LIMITS:
            self.given_up_for = verdict
            return
        if verdict is Verdict.BUSY and not is_old:
            self._slow_down(now)
        if retry_after_s:
            self._pause_until = max(self._pause_until, now + retry_after_s)
            if retry_after_s > self.patience.longest_wait_s:
                self.given_up_for = verdict
        if not is_late and not (verdict is Verdict.BUSY and is_old):
            self._count(now, verdict, retry_after_s or 0.0)

    def doing(self, now: float) -> tuple[Doing, float]:
        """What the host is doing, and until when where that is known (else `now`)."""
        if self.given_up:
            return Doing.GIVEN_UP, now
        until = max(now, self._pause_until, self._cool_at)
        if self._is_open:
            return Doing.COOLING, until
        if until > now or self._rate_per_s < self.rule.rate_per_s:
            return Doing.SLOWED, until
        return Doing.RUNNING if self.n_running else Doing.WAITING, now

    def is_at_rest(self, now: float) -> bool:
        """Whether nothing would change if the host were forgotten: all of its limits are as at the start."""
        is_well = not self._n_failures and not self._is_open and not self.given_up
        is_free = not self.n_running and max(self._clear_at, self._pause_until) <= now
        return is_well and is_free and self._rate_per_s >= self.rule.rate_per_s

    def _recover(self) -> None:
        self._n_failures = self._n_coolings = self._n_absent = 0
        self._is_open = False
        self._cool_at = _NEVER
        rule = self.rule
        if self._width < rule.concurrency:
            more = 1.0 if self._is_new else _MORE_AT_ONCE
            self._width = min(rule.concurrency, self._width + more)
        if self._rate_per_s < rule.rate_per_s:
            self._rate_per_s = min(rule.rate_per_s, self._rate_per_s + self._step_per_s)

    def _slow_down(self, now: float) -> None:
        """Half of it all, once for all the requests that are under way: they were sent before the host spoke."""
        self._is_new = False
        self._n_old = self.n_running
        self._width = max(1.0, self._width / 2)
        # A rule may allow far more than is ever sent: half of what was sent is what counts then.
        sent_per_s = max(self.rule.concurrency, self._n_second, self._n_second_before)
        self._rate_per_s = max(SLOWEST_RATE_PER_S, min(self._rate_per_s, sent_per_s) / 2)
        self._step_per_s = max(_FASTER_PER_S, self._rate_per_s * _FASTER_SHARE)
        pause_s = backoff_s(self._n_failures + 1, self._rng)
        self._pause_until = max(self._pause_until, now + pause_s)

    def _count(self, now: float, verdict: Verdict, retry_after_s: float) -> None:
        """One more bad answer: the breaker opens where it was the last of too many, or ends a probe."""
        self._n_failures += 1
        self._n_absent = self._n_absent + 1 if verdict is Verdict.ABSENT else 0
        is_long = retry_after_s > self.patience.longest_pause_s
        is_enough = self._n_failures >= self.patience.n_failures or verdict is Verdict.ABSENT
        if is_enough or is_long or self._is_open:
            self._open(now, verdict)

    def _open(self, now: float, verdict: Verdict) -> None:
        patience = self.patience
        if self._n_absent > patience.n_coolings_absent:
            self.given_up_for = Verdict.ABSENT
            return
        if self._n_coolings >= patience.n_coolings:
            # A name that was not found once may have been an accident: its rows must not be final.
            self.given_up_for = Verdict.FAILING if verdict is Verdict.ABSENT else verdict
            return
        cooling_s = min(patience.longest_cooling_s, patience.cooling_s * 2.0**self._n_coolings)
        self._n_coolings += 1
        self._is_open = self._is_new = True
        self._width = 1.0
        # Hosts that fell together shall not all be asked again at one moment.
        self._cool_at = now + cooling_s * self._rng.uniform(1.0, 1.25)


class Pace:
    """Bandwidth as it is allowed: how long to wait after so many bytes, for all hosts together and for each.

    total_mbit: megabits a second of all hosts together; 0 is no limit.
    rule_of: gives a host's rule, whose `mbit_per_s` is its own limit.
    """

    def __init__(self, total_mbit: float, rule_of: Callable[[str], HostRule]) -> None:
        self._total = _Bucket(total_mbit)
        self._rule_of = rule_of
        self._bucket_of: dict[str, _Bucket] = {}

    def delay_s(self, host: str, n_bytes: int, now: float) -> float:
        """Seconds to wait before more is read from the host, of which `n_bytes` just came."""
        delay_s = self._total.delay_s(n_bytes, now)
        bucket = self._bucket_of.get(host) or self._new_bucket(host)
        return delay_s if bucket is None else max(delay_s, bucket.delay_s(n_bytes, now))

    def _new_bucket(self, host: str) -> "_Bucket | None":
        # Redirects may lead to ever new hosts: those without a limit leave nothing behind.
        limit = self._rule_of(host).mbit_per_s
        return self._bucket_of.setdefault(host, _Bucket(limit)) if limit else None


class _Bucket:
    """Bytes that flow off at a fixed rate; what comes while some are left has to wait for them."""

    __slots__ = ("_clear_at", "_s_per_byte")

    def __init__(self, mbit_per_s: float) -> None:
        self._s_per_byte = 8e-6 / mbit_per_s if mbit_per_s else 0.0
        self._clear_at = _NEVER

    def delay_s(self, n_bytes: int, now: float) -> float:
        self._clear_at = max(self._clear_at, now - BURST_S) + n_bytes * self._s_per_byte
        return max(0.0, self._clear_at - now)
