"""The audit of a review: how often people say otherwise about what was accepted without asking them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cairn.algorithms.resampling import wilson
from cairn.records.findings import (
    BAD_PIXELS,
    COPIES,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
)
from cairn.records.verdicts import BAD, COPY, KEEP, SEVERAL, UNSURE, WRONG, Verdict, merged
from cairn.records.verdicts import NO_LANDMARK as NONE

# What an image without any finding is called, where it is looked at to see whether one was missed.
NO_FINDING = "no finding"
# The verdict that says what a finding says; of an image under two landmarks any may be right, and none is accepted.
AGREEING = {
    **dict.fromkeys(COPIES, COPY),
    **dict.fromkeys(BAD_PIXELS, BAD),
    WRONG_LANDMARK: WRONG,
    NO_LANDMARK: NONE,
    SEVERAL_LANDMARKS: SEVERAL,
    NO_FINDING: KEEP,
}


@dataclass(frozen=True)
class Audit:
    """How the sample of what was accepted without a person turned out.

    kind: of finding, "" for all together. n_all: findings or images that were accepted. n_sample: of them to look at.
    n_decided: of those looked at, 'unsure' and disputed ones not counted. n_wrong: where a person says otherwise. low,
    high: the 95 % interval of the share of wrong ones, None where n_decided is 0.
    """

    name: str
    kind: str
    n_all: int
    n_sample: int
    n_decided: int
    n_wrong: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Accepted:
    """A finding of the audit sample: its kind, and the landmarks that it suggests, none where it suggests none."""

    kind: str
    suggested: tuple[str, ...] = ()


def audit_of(
    name: str,
    kind: str,
    n_all: int,
    sample: Mapping[str, Accepted],
    held: Sequence[Mapping[str, Verdict]],
) -> Audit:
    """How `sample`, findings by their id of `n_all` that were accepted, turned out by what each reviewer holds."""
    votes = [{finding: now[finding] for finding in sample if finding in now} for now in held]
    agreed = {
        finding: verdict
        for finding, verdict in merged(votes).agreed.items()
        if verdict.verdict != UNSURE
    }
    n = len(agreed)
    n_wrong = sum(says_otherwise(sample[finding], verdict) for finding, verdict in agreed.items())
    low, high = wilson(n_wrong / n, n) if n else (None, None)
    return Audit(name, kind, n_all, len(sample), n, n_wrong, low, high)


def says_otherwise(accepted: Accepted, verdict: Verdict) -> bool:
    """Whether a person says something else than a finding does, or names other landmarks than it suggests."""
    if verdict.verdict != AGREEING.get(accepted.kind):
        return True
    if accepted.kind == WRONG_LANDMARK:
        return set(verdict.landmark_ids or ()) != set(accepted.suggested[:1])
    if accepted.kind == SEVERAL_LANDMARKS:
        return set(verdict.landmark_ids or accepted.suggested) != set(accepted.suggested)
    return False
