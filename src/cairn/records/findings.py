"""Findings: what scrub doubts about images, each with a score, a reason and the images that speak for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes
from cairn.records.tables import Schema, read_table, require_schema, write_table

EXACT_COPY, NEAR_COPY, COPY_ACROSS = "exact copy", "near copy", "copy across parts"
TWO_LANDMARKS, WRONG_LANDMARK = "under two landmarks", "wrong landmark"
NO_LANDMARK, SEVERAL_LANDMARKS = "no landmark", "several landmarks"
TOO_SMALL, BLURRED, DARK, BLANK = "too small", "blurred", "dark", "blank"
ODD_SHAPE, DRAWING = "odd shape", "drawing"
COPIES = (EXACT_COPY, NEAR_COPY, COPY_ACROSS)
BAD_PIXELS = (TOO_SMALL, BLURRED, DARK, BLANK, ODD_SHAPE, DRAWING)
KINDS = (
    *COPIES,
    TWO_LANDMARKS,
    WRONG_LANDMARK,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    *BAD_PIXELS,
)
FINDINGS_SCHEMA: Schema = {
    "finding_id": pl.String,
    "kind": pl.String,
    "image_id": pl.String,
    "score": pl.Float32,
    "is_sure": pl.Boolean,
    "reason": pl.String,
    "evidence": pl.List(pl.String),
    "suggested": pl.List(pl.String),
    "regions": pl.List(pl.List(pl.Int32)),
}
MADE_BY = "cairn scrub WORK"
Pair = tuple[str, str]


def finding_id(kind: str, image_id: str, evidence_id: str = "") -> str:
    """A name for a finding that stays the same from run to run, so that verdicts go on holding.

    evidence_id: the other image where the finding is about a pair (a copy), else empty.
    """
    return digest_bytes(f"{kind}\n{image_id}\n{evidence_id}".encode())[:16]


@dataclass(frozen=True)
class Findings:
    """One row for each doubt about an image; an image may have several. Sorted by kind, then score, surest first.

    score: 0 to 1, comparable within a kind only: the share of such findings expected to be right, as far as known.
    is_sure: sure enough that policies act on it without a person.
    reason: a sentence for a person. evidence: images that speak for it, the most telling first; of a copy the image
    that stays. suggested: what the image shows instead: null where nothing is suggested, empty for no landmark.
    regions: [left, top, right, bottom] in pixels of the kept image for each of `suggested`, or null.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, FINDINGS_SCHEMA, what="the findings")
        unknown = set(self.table["kind"].unique()) - set(KINDS)
        if unknown:
            raise InputError(
                f"the findings have the kind {sorted(unknown)}; one of {KINDS} was expected; make them "
                f"again with: {MADE_BY}"
            )

    def of_kinds(self, *kinds: str) -> "Findings":
        """The findings of these kinds, in the same order."""
        return Findings(self.table.filter(pl.col("kind").is_in(kinds)))

    def counts(self) -> dict[str, int]:
        """The number of findings of each kind, in the order of KINDS; kinds without one are left out."""
        found = dict(self.table.group_by("kind").len().iter_rows())
        return {kind: found[kind] for kind in KINDS if kind in found}

    def copy_pairs(self, *, sure: bool = True) -> list[Pair]:
        """The pairs of images that are copies of each other, by every kind of copy, each pair once and sorted."""
        copies = self.table.filter(pl.col("kind").is_in(COPIES))
        if sure:
            copies = copies.filter("is_sure")
        return sorted(set(Findings(copies).pair_of_copy().values()))

    def pair_of_copy(self) -> dict[str, Pair]:
        """The pair of images that each finding of a copy is about, the smaller id first, by finding_id."""
        copies = self.table.filter(pl.col("kind").is_in(COPIES), pl.col("evidence").list.len() > 0)
        rows = copies.select("finding_id", "image_id", pl.col("evidence").list.first()).iter_rows()
        return {finding_id: (min(a, b), max(a, b)) for finding_id, a, b in rows}

    def write(self, path: Path) -> None:
        """`path` holds the findings as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Findings":
        """The findings that `path` holds."""
        return Findings(read_table(path, what="findings", made_by=MADE_BY))

    @staticmethod
    def of(rows: Iterable[dict[str, object]]) -> "Findings":
        """Findings of rows given as dicts, sorted; `finding_id` is made where it is absent, absent columns are null."""
        named = [
            {"finding_id": finding_id(str(row["kind"]), str(row["image_id"]), _other(row))} | row
            for row in rows
        ]
        table = pl.DataFrame(named, schema=FINDINGS_SCHEMA)
        order = pl.col("kind").replace_strict(
            {k: i for i, k in enumerate(KINDS)}, return_dtype=pl.Int64
        )
        return Findings(
            table.sort(
                order, "score", "image_id", "finding_id", descending=[False, True, False, False]
            )
        )


def _other(row: dict[str, object]) -> str:
    evidence = row.get("evidence")
    is_pair = row["kind"] in COPIES and isinstance(evidence, list) and len(evidence) > 0
    return str(evidence[0]) if is_pair and isinstance(evidence, list) else ""
