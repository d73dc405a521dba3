"""What reviewers hold about findings, each for himself and together, and how far they agree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

from cairn.records.verdict_events import (
    BAD,
    COPY,
    KEEP,
    NO_LANDMARK,
    SEVERAL,
    UNSURE,
    VERDICTS,
    WRONG,
    Verdict,
)
from cairn.records.verdict_journal import SUFFIX, VerdictJournal

__all__ = [
    "BAD", "COPY", "KEEP", "NO_LANDMARK", "SEVERAL", "UNSURE", "VERDICTS", "WRONG", "Agreement", "Merged", "Verdict",
    "Verdicts", "merged", "read_verdicts",
]  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """How far two reviewers, or all pairs of several, say the same about the findings that both decided.

    n: findings that both decided, 'unsure' not counted. share: of those the share about which they say the same,
    None where n is 0. kappa: the same beyond what chance would give, 1 at most; None where chance alone would make
    them agree always, so that nothing can be said.
    Source of kappa: Cohen, Educational and Psychological Measurement 20, 1960.
    """

    reviewers: tuple[str, ...]
    n: int
    share: float | None
    kappa: float | None


@dataclass(frozen=True)
class Merged:
    """What several reviewers hold together.

    verdicts: by finding_id the verdict that all agree on, or None where they differ. 'unsure' is no vote: it counts
    only where nobody said more. agreement: the share of pairs of votes that are alike, None without a pair.
    pairs: of each two reviewers that both decided something.
    """

    verdicts: Mapping[str, Verdict | None]
    agreement: float | None
    pairs: tuple[Agreement, ...]

    @property
    def disputed(self) -> list[str]:
        """The findings about which reviewers differ, sorted."""
        return sorted(finding for finding, verdict in self.verdicts.items() if verdict is None)

    @property
    def agreed(self) -> dict[str, Verdict]:
        """The verdicts that nobody disputes, by finding_id."""
        return {
            finding: verdict for finding, verdict in self.verdicts.items() if verdict is not None
        }


@dataclass(frozen=True)
class Verdicts:
    """The verdicts that hold now: by reviewer, then by finding_id."""

    by_reviewer: Mapping[str, Mapping[str, Verdict]]

    def merged(self) -> Merged:
        """What the reviewers hold together."""
        return merged(list(self.by_reviewer.values()))


def read_verdicts(folder: Path) -> Verdicts:
    """The verdicts of every reviewer's journal in `folder`; none where there is no such folder.

    Raises InputError where a journal is damaged; a last line that a kill cut off is left out.
    """
    ledgers = [VerdictJournal(path).ledger for path in sorted(folder.glob(f"*{SUFFIX}"))]
    return Verdicts({ledger.reviewer: ledger.current for ledger in ledgers})


def merged(reviewers: Sequence[Mapping[str, Verdict]]) -> Merged:
    """What reviewers hold together; `reviewers` has a mapping by finding_id for each."""
    votes: dict[str, list[Verdict]] = {}
    for held in reviewers:
        for finding_id, verdict in held.items():
            votes.setdefault(finding_id, []).append(verdict)
    pairs = [_pair(a, b) for a, b in combinations(reviewers, 2)]
    n_pairs, n_alike = (
        (sum(numbers) for numbers in zip(*map(_alike, votes.values()), strict=True))
        if votes
        else (0, 0)
    )
    return Merged(
        verdicts={finding: _together(given) for finding, given in sorted(votes.items())},
        agreement=n_alike / n_pairs if n_pairs else None,
        pairs=tuple(pair for pair in pairs if pair.n),
    )


def _together(given: Sequence[Verdict]) -> Verdict | None:
    """The one verdict of several, or None where they differ."""
    voted = [verdict for verdict in given if verdict.verdict != UNSURE] or list(given)
    if len({verdict.opinion for verdict in voted}) > 1:
        return None
    names = ", ".join(sorted({verdict.reviewer for verdict in voted}))
    return replace(voted[0], reviewer=names, at=max(verdict.at for verdict in voted))


def _alike(given: Sequence[Verdict]) -> tuple[int, int]:
    """The number of pairs of votes about a finding, and of those that are alike."""
    counts = Counter(verdict.opinion for verdict in given if verdict.verdict != UNSURE)
    n = sum(counts.values())
    return n * (n - 1) // 2, sum(count * (count - 1) // 2 for count in counts.values())


def _pair(a: Mapping[str, Verdict], b: Mapping[str, Verdict]) -> Agreement:
    both = [
        (a[finding].opinion, b[finding].opinion)
        for finding in a.keys() & b.keys()
        if UNSURE not in (a[finding].verdict, b[finding].verdict)
    ]
    names = tuple(next(iter(held.values())).reviewer if held else "" for held in (a, b))
    if not both:
        return Agreement(names, 0, None, None)
    n, n_alike = len(both), sum(one == other for one, other in both)
    of_a, of_b = Counter(one for one, _ in both), Counter(other for _, other in both)
    # In whole numbers, so that a pair that always says one thing is told from one that nearly does.
    by_chance = sum(count * of_b[opinion] for opinion, count in of_a.items())
    kappa = None if by_chance == n * n else (n * n_alike - by_chance) / (n * n - by_chance)
    return Agreement(names, n, n_alike / n, kappa)
