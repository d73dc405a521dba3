"""What hits come to: recall of each planted kind, precision of each kind of finding, and both over the queue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from cairn.algorithms.duplicates import groups_of
from cairn.algorithms.resampling import wilson
from cairn.bench import hits, roles
from cairn.bench.planted import Planted
from cairn.records import findings as kinds

FIRST = 100
ELSEWHERE = hits.ELSEWHERE
ACROSS = "copy in another part"
# Nobody looks through it from the top: several kinds share it.
NEAR = (kinds.NEAR_COPY,)


@dataclass(frozen=True)
class Aim:
    """How well a planted kind is to be found.

    finds: the kinds of finding that count as having found it. queue: those whose queue and precision it is held to.
    recall: at least this share found; of the first FIRST in the queue where `in_first`. precision: at least.
    """

    finds: tuple[str, ...]
    queue: tuple[str, ...]
    recall: float | None = None
    precision: float | None = None
    in_first: bool = False


AIMS: Mapping[str, Aim] = {
    roles.EXACT: Aim(kinds.COPIES, (kinds.EXACT_COPY,), 1.0, 1.0),
    roles.RECOMPRESSED: Aim(kinds.COPIES, NEAR, 0.98, 0.99),
    roles.WATERMARKED: Aim(kinds.COPIES, NEAR, 0.98, 0.99),
    roles.RESIZED: Aim(kinds.COPIES, NEAR),
    roles.MIRRORED: Aim(kinds.COPIES, NEAR, 0.9),
    roles.CROPPED: Aim(kinds.COPIES, NEAR, 0.9),
    ACROSS: Aim((kinds.COPY_ACROSS,), (kinds.COPY_ACROSS,)),
    ELSEWHERE: Aim((kinds.TWO_LANDMARKS,), (kinds.TWO_LANDMARKS,)),
    roles.WRONG: Aim((kinds.WRONG_LANDMARK,), (kinds.WRONG_LANDMARK,), 0.8, in_first=True),
    roles.DISTRACTOR: Aim((kinds.NO_LANDMARK,), (kinds.NO_LANDMARK,), 0.85, in_first=True),
    roles.COMPOSITE: Aim((kinds.SEVERAL_LANDMARKS,), (kinds.SEVERAL_LANDMARKS,), 0.7, 0.8),
    roles.COMPOSITE_OF_KEPT: Aim((kinds.SEVERAL_LANDMARKS,), (kinds.SEVERAL_LANDMARKS,), 0.7, 0.8),
    roles.BLURRED: Aim((kinds.BLURRED,), (kinds.BLURRED,)),
    roles.DARK: Aim((kinds.DARK,), (kinds.DARK,)),
    roles.BLANK: Aim((kinds.BLANK,), (kinds.BLANK,)),
    roles.SMALL: Aim((kinds.TOO_SMALL,), (kinds.TOO_SMALL,)),
    roles.STRIP: Aim((kinds.ODD_SHAPE,), (kinds.ODD_SHAPE,)),
    roles.DRAWING: Aim((kinds.DRAWING,), (kinds.DRAWING,)),
}
QUEUES = tuple(dict.fromkeys(aim.queue for aim in AIMS.values()))
# The precision that each queue is held to; of several aims the highest.
LEAST_PRECISIONS: Mapping[tuple[str, ...], float] = {
    queue: max(aims)
    for queue in QUEUES
    if (aims := [aim.precision for aim in AIMS.values() if aim.queue == queue and aim.precision])
}


@dataclass(frozen=True)
class Share:
    """A part of a whole, with the ends of its 95 % interval."""

    n: int
    of: int

    @property
    def value(self) -> float | None:
        """The share, or None of nothing."""
        return self.n / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval, or None of nothing."""
        return wilson(self.n / self.of, self.of) if self.of else None


@dataclass(frozen=True)
class Recall:
    """How many of a planted kind were found, over all seeds.

    found: by any finding of its kinds. sure: by findings that are sure. first: within the first FIRST of the queue,
    what is left out of the count not counted.
    """

    kind: str
    found: Share
    sure: Share
    first: Share


@dataclass(frozen=True)
class Precision:
    """What the findings of a queue turned out to be, over all seeds: hits by verdict.

    strict: hits that were not planted count as wrong. looked: those that a person found odd count as right.
    """

    queue: tuple[str, ...]
    counts: Mapping[str, int]

    @property
    def strict(self) -> Share:
        """Planted hits among all that count."""
        return Share(self.counts[hits.RIGHT], sum(self.counts[one] for one in hits.COUNTED))

    @property
    def looked(self) -> Share:
        """Planted and odd hits among all that count."""
        right = self.counts[hits.RIGHT] + self.counts[hits.ODD]
        return Share(right, self.strict.of)


@dataclass(frozen=True)
class Seen:
    """One seed's planted set and the judged hits of one contender in it.

    parts: of photos, as a split dealt them; empty for contenders that know of no parts.
    """

    seed: int
    planted: Planted
    hits: pl.DataFrame
    parts: Mapping[str, str] = field(default_factory=dict)

    def wanted(self, kind: str) -> set[str]:
        """The photos that were planted as a kind of AIMS."""
        if kind == ACROSS:
            return self._across()
        is_wanted = pl.col("is_elsewhere") if kind == ELSEWHERE else pl.col("kind") == kind
        return set(self.planted.table.filter(is_wanted)["photo"])

    def _across(self) -> set[str]:
        """The planted copies that lie in another part than their original."""
        copies = self.planted.table.filter(pl.col("kind").is_in(roles.COPIES))
        return {
            photo
            for photo, (root,) in copies.select("photo", "roots").iter_rows()
            if photo in self.parts and self.parts.get(root, self.parts[photo]) != self.parts[photo]
        }


def recalls(seen: Sequence[Seen]) -> dict[str, Recall]:
    """The recall of each planted kind of AIMS, pooled over the seeds."""
    found = {}
    for kind, aim in AIMS.items():
        wanted = [one.wanted(kind) for one in seen]
        n = sum(map(len, wanted))
        by_any, by_sure, by_first = (
            sum(
                len(photos & _found(table, one.planted))
                for photos, table, one in zip(wanted, tables, seen, strict=True)
            )
            for tables in (
                [_of(one.hits, aim.finds) for one in seen],
                [_of(one.hits, aim.finds).filter("is_sure") for one in seen],
                [queue_of(one.hits, aim.queue).head(FIRST) for one in seen],
            )
        )
        found[kind] = Recall(kind, Share(by_any, n), Share(by_sure, n), Share(by_first, n))
    return found


def precisions(seen: Sequence[Seen], *, sure: bool = False) -> dict[tuple[str, ...], Precision]:
    """What the findings of each queue turned out to be, pooled over the seeds; of sure findings only where `sure`."""
    table = pl.concat([one.hits for one in seen])
    if sure:
        table = table.filter("is_sure")
    verdicts = (*hits.COUNTED, hits.BESIDE, hits.NOTED)
    return {
        queue: Precision(
            queue, {one: int((_of(table, queue)["verdict"] == one).sum()) for one in verdicts}
        )
        for queue in QUEUES
    }


def queue_of(table: pl.DataFrame, queue: tuple[str, ...]) -> pl.DataFrame:
    """The hits of a queue that count, best first."""
    rows = _of(table, queue).filter(pl.col("verdict").is_in(hits.COUNTED))
    return rows.sort("score", "photo", descending=[True, False], maintain_order=True)


def curve(one: Seen, queue: tuple[str, ...]) -> pl.DataFrame:
    """Precision and recall of a queue at each rank of one seed: rank, precision, recall.

    precision: of the hits so far, planted and odd ones are right. recall: of all that was planted for this queue.
    """
    rows = queue_of(one.hits, queue)
    wanted = {photo for kind, aim in AIMS.items() if aim.queue == queue for photo in one.wanted(kind)}  # fmt: skip
    is_new = rows["planted"].is_first_distinct() & rows["planted"].is_in(sorted(wanted))
    rank = pl.Series("rank", range(1, len(rows) + 1), pl.Int64)
    right = rows["verdict"].is_in([hits.RIGHT, hits.ODD]).cast(pl.Int64).cum_sum()
    return pl.DataFrame(
        {
            "rank": rank,
            "precision": (right / rank).cast(pl.Float64),
            "recall": is_new.fill_null(value=False).cast(pl.Int64).cum_sum() / max(1, len(wanted)),
        }
    )


def missed(one: Seen) -> pl.DataFrame:
    """The planted photos that were not found as what they are: the rows of the truth."""
    lost = {
        photo
        for kind, aim in AIMS.items()
        if kind not in (ELSEWHERE, ACROSS)
        for photo in one.wanted(kind) - _found(_of(one.hits, aim.finds), one.planted)
    }
    return one.planted.table.filter(pl.col("photo").is_in(sorted(lost)))


def _of(table: pl.DataFrame, wanted: Sequence[str]) -> pl.DataFrame:
    return table.filter(pl.col("kind").is_in(wanted))


def _found(table: pl.DataFrame, planted: Planted) -> set[str]:
    """The planted photos that these hits name, and the copies that they connect with their originals."""
    named = set(table.filter(pl.col("verdict") == hits.RIGHT)["planted"].drop_nulls())
    return named | _connected(table, planted)


def _connected(table: pl.DataFrame, planted: Planted) -> set[str]:
    # A copy of a photo that has another copy may be told as a copy of that one.
    pairs = table.select("photo", "other").drop_nulls()
    names = sorted({*pairs["photo"], *pairs["other"]})
    row_of = {name: row for row, name in enumerate(names)}
    rows = np.array([(row_of[a], row_of[b]) for a, b in pairs.iter_rows()], np.int64).reshape(-1, 2)
    group = groups_of(len(names), rows)
    copies = planted.table.filter(pl.col("kind").is_in(roles.COPIES))
    return {
        photo
        for photo, (root,) in copies.select("photo", "roots").iter_rows()
        if photo in row_of and root in row_of and group[row_of[photo]] == group[row_of[root]]
    }
