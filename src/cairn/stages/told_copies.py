"""Which images are copies of one another by scrub and by people, and which are not however alike they look."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from cairn.records.findings import Findings, Pair
from cairn.records.verdicts import COPY, KEEP, Merged


@dataclass(frozen=True)
class ToldCopies:
    """Pairs of image ids, the smaller first, each once and sorted: copies, and photos that people call different.

    heard: whether people have changed anything of what scrub alone would say.
    """

    copies: Sequence[Pair] = ()
    apart: Sequence[Pair] = ()
    heard: bool = False


def told_copies(findings: Findings, said: Merged) -> ToldCopies:
    """What scrub is sure of, but for what people agree about: `copy` joins a pair, `keep` parts it.

    A pair may have several findings (across parts as well): one that is called a copy is one. What people differ about,
    are unsure of, or call bad for another reason stays as scrub found it.
    """
    votes: dict[Pair, set[str]] = defaultdict(set)
    for finding_id, pair in findings.pair_of_copy().items():
        verdict = said.verdicts.get(finding_id)
        if verdict is not None:
            votes[pair].add(verdict.verdict)
    sure = set(findings.copy_pairs())
    joined = {pair for pair, words in votes.items() if COPY in words}
    parted = {pair for pair, words in votes.items() if KEEP in words and COPY not in words}
    copies = (sure | joined) - parted
    return ToldCopies(sorted(copies), sorted(parted), heard=bool(parted) or copies != sure)
