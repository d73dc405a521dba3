"""Hits: what a contender found in a planted set, each held against the truth of what was planted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.bench import roles
from cairn.bench.photo_notes import PhotoNotes
from cairn.bench.planted import Planted
from cairn.records import findings as kinds
from cairn.records.catalog import Catalog
from cairn.records.findings import Findings
from cairn.records.tables import Schema

HITS_SCHEMA: Schema = {
    "kind": pl.String,
    "photo": pl.String,
    "other": pl.String,
    "score": pl.Float64,
    "is_sure": pl.Boolean,
    "reason": pl.String,
    "image_id": pl.String,
}
# What a hit turned out to be.
RIGHT, BESIDE, NOTED, ODD, FINE, NEW = "planted", "beside", "noted", "odd", "fine", "not planted"
COUNTED = (RIGHT, ODD, FINE, NEW)
LOOKED_COLUMNS = ("kind", "photo", "other", "is_odd")

# The planted kinds that a kind of finding is meant to find, for findings about one photo.
MEANT: Mapping[str, frozenset[str]] = {
    kinds.WRONG_LANDMARK: frozenset({roles.WRONG}),
    kinds.NO_LANDMARK: frozenset({roles.DISTRACTOR}),
    kinds.SEVERAL_LANDMARKS: frozenset({roles.COMPOSITE, roles.COMPOSITE_OF_KEPT}),
    kinds.BLURRED: frozenset({roles.BLURRED}),
    kinds.DARK: frozenset({roles.DARK}),
    kinds.BLANK: frozenset({roles.BLANK}),
    kinds.TOO_SMALL: frozenset({roles.SMALL}),
    kinds.ODD_SHAPE: frozenset({roles.STRIP}),
    kinds.DRAWING: frozenset({roles.DRAWING}),
}
ELSEWHERE, COPIED_ELSEWHERE = "copy in another folder", "original of a copy in another folder"
COMPOSED = "photo in a composite"
_SPOILT = frozenset({roles.BLURRED, roles.DARK, roles.BLANK})
_COMPOSITES = frozenset({roles.COMPOSITE, roles.COMPOSITE_OF_KEPT})
_UNDER_TWO = frozenset({ELSEWHERE, COPIED_ELSEWHERE})
# Planted photos that a kind of finding may name with reason, though it is not what they were planted for.
EXCUSED: Mapping[str, frozenset[str]] = {
    kinds.WRONG_LANDMARK: _SPOILT | _COMPOSITES | _UNDER_TWO | {roles.DISTRACTOR},
    kinds.NO_LANDMARK: _SPOILT | _COMPOSITES | _UNDER_TWO | {roles.WRONG},
    kinds.SEVERAL_LANDMARKS: _UNDER_TWO,
    kinds.TWO_LANDMARKS: _COMPOSITES | {COMPOSED},
    kinds.TOO_SMALL: frozenset({roles.RESIZED, roles.STRIP}),
    kinds.BLURRED: frozenset({roles.DARK, roles.BLANK, roles.RECOMPRESSED}),
    kinds.DARK: _SPOILT,
    kinds.BLANK: _SPOILT | {roles.STRIP},
    kinds.ODD_SHAPE: _COMPOSITES | {roles.CROPPED},
    kinds.DRAWING: _SPOILT | _COMPOSITES | {roles.WATERMARKED},
}


@dataclass(frozen=True)
class Looked:
    """What a person said of hits that were not planted: whether the photo, or the pair, is odd as was said.

    is_odd: by kind of finding and the photos of the original folder, the smaller path first; the second is "" for a
    finding about one photo.
    """

    is_odd: Mapping[tuple[str, str, str], bool] = field(default_factory=dict)

    @property
    def table(self) -> pl.DataFrame:
        """The same as rows of LOOKED_COLUMNS."""
        rows = [(*key, "yes" if odd else "no") for key, odd in self.is_odd.items()]
        return pl.DataFrame(rows, schema=dict.fromkeys(LOOKED_COLUMNS, pl.String), orient="row")

    @staticmethod
    def read(path: Path) -> "Looked":
        """What a CSV file with the columns kind, photo, other and is_odd (yes or no) says; rows left open are skipped."""
        try:
            table = pl.read_csv(path, infer_schema=False)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise InputError(
                f"{path} cannot be read as CSV ({error}); the columns {', '.join(LOOKED_COLUMNS)} were expected; take "
                "the file unplanted.csv that this bench leaves in --work, and fill in is_odd"
            ) from error
        missing = [name for name in LOOKED_COLUMNS if name not in table.columns]
        if missing:
            raise InputError(
                f"{path} lacks the columns {', '.join(missing)}; {', '.join(LOOKED_COLUMNS)} were expected; take the "
                "file unplanted.csv that this bench leaves in --work, and fill in is_odd"
            )
        said = (
            table.select(LOOKED_COLUMNS).fill_null("").filter(pl.col("is_odd").is_in(["yes", "no"]))
        )
        return Looked(
            {(kind, photo, other): odd == "yes" for kind, photo, other, odd in said.iter_rows()}
        )


def hits_of(found: Findings, catalog: Catalog) -> pl.DataFrame:
    """Cairn's findings as hits: images by the path of their photo. Rows as in HITS_SCHEMA, best first."""
    source = catalog.table.select("image_id", "source").unique("image_id", keep="first")
    table = found.table.with_columns(pl.col("evidence").list.first().alias("other_id"))
    # Evidence of a finding about one image speaks for it and is not what it is about.
    is_pair = pl.col("kind").is_in(kinds.COPIES)
    return (
        table.join(source, on="image_id", how="left", maintain_order="left")
        .join(
            source.rename({"image_id": "other_id", "source": "other"}),
            on="other_id",
            how="left",
            maintain_order="left",
        )
        .select(
            "kind",
            pl.col("source").alias("photo"),
            pl.when(is_pair).then("other").alias("other"),
            pl.col("score").cast(pl.Float64),
            "is_sure",
            "reason",
            "image_id",
        )
    )


def hits_from(rows: Iterable[tuple[str, str, str | None, float]]) -> pl.DataFrame:
    """The hits of a contender that tells kind, photo, other photo or None, and score. Rows as in HITS_SCHEMA."""
    given = [
        {"kind": kind, "photo": photo, "other": other, "score": score, "is_sure": True, "reason": "", "image_id": None}
        for kind, photo, other, score in rows
    ]  # fmt: skip
    table = pl.DataFrame(given, schema=HITS_SCHEMA)
    return table.sort(
        "kind", "score", "photo", descending=[False, True, False], maintain_order=True
    )


def judged(hits: pl.DataFrame, planted: Planted, notes: PhotoNotes, looked: Looked) -> pl.DataFrame:
    """`hits` with three more columns.

    verdict: what each turned out to be. planted: the planted photo that it found, null where it found none.
    key: the photos of the original folder that it is about, the smaller path first, the second "" where it is about one.
    """
    truth = _Truth(planted, notes, looked)
    told = [
        truth.of_pair(kind, photo, other) if kind in kinds.COPIES else truth.of_photo(kind, photo)
        for kind, photo, other in hits.select("kind", "photo", "other").iter_rows()
    ]
    return hits.with_columns(
        pl.Series("verdict", [one.verdict for one in told], pl.String),
        pl.Series("planted", [one.planted for one in told], pl.String),
        pl.Series("key", [list(one.key) for one in told], pl.List(pl.String)),
    )


@dataclass(frozen=True)
class _Told:
    verdict: str
    key: tuple[str, str]
    planted: str | None = None


class _Truth:
    """What is known of every photo of a planted set."""

    def __init__(self, planted: Planted, notes: PhotoNotes, looked: Looked) -> None:
        self._notes, self._looked = notes, looked
        self._kind: dict[str, str] = {}
        self._roots: dict[str, list[str]] = {}
        self._copy_of: dict[frozenset[str], str] = {}
        self._is: dict[str, set[str]] = {}
        self._elsewhere: dict[str, str] = {}
        for row in planted.table.iter_rows(named=True):
            photo, kind, made_of = row["photo"], row["kind"], row["roots"]
            self._kind[photo], self._roots[photo] = kind, made_of
            self._is.setdefault(photo, set()).add(kind)
            if kind in roles.COPIES:
                self._copy_of[frozenset((photo, made_of[0]))] = photo
            if kind == roles.COMPOSITE_OF_KEPT:
                for root in made_of:
                    self._is.setdefault(root, set()).add(COMPOSED)
            if row["is_elsewhere"]:
                self._is.setdefault(photo, set()).add(ELSEWHERE)
                self._is.setdefault(made_of[0], set()).add(COPIED_ELSEWHERE)
                self._elsewhere |= {photo: photo, made_of[0]: photo}

    def of_photo(self, kind: str, photo: str) -> _Told:
        """What a finding about one photo turned out to be."""
        key = (self._root(photo), "")
        is_a = self._is.get(photo, set())
        if kind == kinds.TWO_LANDMARKS and photo in self._elsewhere:
            return _Told(RIGHT, key, self._elsewhere[photo])
        if is_a & MEANT.get(kind, frozenset()):
            return _Told(RIGHT, key, photo)
        if is_a & EXCUSED.get(kind, frozenset()):
            return _Told(BESIDE, key)
        shows_more = (kinds.SEVERAL_LANDMARKS, kinds.TWO_LANDMARKS, kinds.WRONG_LANDMARK)
        if kind in shows_more and key[0] in self._notes.several:
            return _Told(NOTED, key)
        return _Told(self._said(kind, key), key)

    def of_pair(self, kind: str, photo: str, other: str | None) -> _Told:
        """What a finding about two photos turned out to be."""
        pair = frozenset((photo, other or ""))
        a, b = sorted((self._root(photo), self._root(other or "")))
        copy = self._copy_of.get(pair)
        if copy is not None:
            is_right = kind != kinds.EXACT_COPY or self._kind[copy] == roles.EXACT
            return _Told(RIGHT if is_right else NEW, (a, b), copy)
        if self._notes.are_copies(a, b):
            return _Told(NOTED, (a, b))
        if self._are_of_a_kind(photo, other or ""):
            return _Told(BESIDE, (a, b))
        return _Told(self._said(kind, (a, b)), (a, b))

    def _are_of_a_kind(self, one: str, other: str) -> bool:
        """Whether two photos are alike by what was planted: blank both, or a composite and what it was made of."""
        both = {self._kind.get(one), self._kind.get(other)}
        shared = set(self._roots.get(one, [one])) & set(self._roots.get(other, [other]))
        return both == {roles.BLANK} or bool(shared and both & _COMPOSITES)

    def _root(self, photo: str) -> str:
        """The photo of the original folder that a photo was made of; itself for composites and blank photos."""
        made_of = self._roots.get(photo, [])
        return made_of[0] if len(made_of) == 1 else photo

    def _said(self, kind: str, key: tuple[str, str]) -> str:
        is_odd = self._looked.is_odd.get((kind, *key))
        return NEW if is_odd is None else ODD if is_odd else FINE
