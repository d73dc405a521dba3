"""What is odd about the rows of a list: how many of each kind, and the first of them with their lines."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from cairn.stages.download.blocks import RowFault

MOST_TOLD = 20


class ProblemKind(StrEnum):
    """What can be odd about a row, in the order in which it is told."""

    MALFORMED = RowFault.MALFORMED.value
    BLANK = RowFault.BLANK.value
    NO_ADDRESS = RowFault.NO_ADDRESS.value
    BAD_ADDRESS = "bad address"
    SAME_ID = "duplicate id"
    SAME_ADDRESS = "same address"
    TWO_LANDMARKS = "one address with two landmarks"
    UNSAFE_ID = "unsafe id"
    UNSAFE_LANDMARK = "unsafe landmark"
    CASE_OF_IDS = "ids that differ in case"
    CASE_OF_LANDMARKS = "landmarks that differ in case"


@dataclass(frozen=True)
class Problems:
    """What is odd about a list.

    counts: rows of each kind (of the kinds about landmarks: landmarks); a row may count in several.
    first: the first lines of each kind with words that tell what is odd.
    hear: told of all of them, kind, line and words, where somebody wants that.
    """

    counts: Counter[ProblemKind] = field(default_factory=Counter)
    first: dict[ProblemKind, list[tuple[int, str]]] = field(default_factory=dict)
    hear: Callable[[ProblemKind, int, str], object] | None = None

    def wants(self, kind: ProblemKind) -> bool:
        """Whether one more of the kind would be told with its line."""
        return self.hear is not None or len(self.first.get(kind, ())) < MOST_TOLD

    def count(self, kind: ProblemKind, n_rows: int) -> None:
        """So many more of the kind."""
        if n_rows:
            self.counts[kind] += n_rows

    def tell(self, kind: ProblemKind, line: int, words: str) -> None:
        """The kind on that line, in words, if not enough of it were told already; it is not counted."""
        if self.hear is not None:
            self.hear(kind, line, words)
        told = self.first.setdefault(kind, [])
        if len(told) < MOST_TOLD:
            told.append((line, words))
