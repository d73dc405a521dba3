"""The audit of a review: how often people say otherwise about what was accepted without asking them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cairn.algorithms.resampling import wilson
from cairn.records.verdicts import UNSURE, Verdict, merged


@dataclass(frozen=True)
class Audit:
    """How the sample of what was accepted without a person turned out.

    n_all: findings or images that were accepted. n_sample: of them to look at. n_decided: of those looked at, 'unsure'
    and disputed ones not counted. n_wrong: where a person says otherwise. low, high: the 95 % interval of the share of
    wrong ones, None where n_decided is 0.
    """

    name: str
    n_all: int
    n_sample: int
    n_decided: int
    n_wrong: int
    low: float | None
    high: float | None


def audit_of(
    name: str,
    n_all: int,
    sample: Sequence[str],
    held: Sequence[Mapping[str, Verdict]],
    *,
    is_wrong: Callable[[str], bool],
) -> Audit:
    """How `sample` turned out, findings of `n_all` that were accepted.

    held: what each reviewer holds, by finding. is_wrong: whether a verdict says otherwise.
    """
    votes = [{finding: now[finding] for finding in sample if finding in now} for now in held]
    agreed = [
        verdict.verdict for verdict in merged(votes).agreed.values() if verdict.verdict != UNSURE
    ]
    n, n_wrong = len(agreed), sum(map(is_wrong, agreed))
    low, high = wilson(n_wrong / n, n) if n else (None, None)
    return Audit(name, n_all, len(sample), n, n_wrong, low, high)
