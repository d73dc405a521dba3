"""The rows of the review page: every finding, and a sample of what was accepted without a person, ready to be shown."""

import bisect
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import polars as pl

from cairn.base.files import digest_bytes
from cairn.pipeline.described import DescribedWay
from cairn.pipeline.review_audit import NO_FINDING, Accepted
from cairn.pipeline.typical import TypicalPhotos
from cairn.records.catalog import KEPT
from cairn.records.findings import COPIES, FINDINGS_SCHEMA, KINDS, Findings, finding_id
from cairn.records.landmarks import Landmarks

ROW_KINDS = (*KINDS, NO_FINDING)
N_FOUND = 20
IMAGE_COLUMNS = (
    "image_id",
    "path",
    "kept_digest",
    "width_px",
    "height_px",
    "landmark_ids",
    "status",
)


class Columns(TypedDict):
    """Some rows in a form that a page can hold a hundred thousand of: numbers, and the ids of the findings.

    kinds: places in ROW_KINDS. landmarks: places in the list of landmarks, -1 for none. groups: equal for findings
    that one key selects. scores: thousandths. flags: 1 accepted automatically, 2 in the audit sample.
    """

    ids: list[str]
    kinds: list[int]
    landmarks: list[int]
    groups: list[int]
    scores: list[int]
    flags: list[int]


@dataclass(frozen=True)
class Kept:
    """Where a kept image lies, how large it is, and which landmarks it is said to show."""

    image_id: str
    path: str
    kept_digest: str | None
    width_px: int
    height_px: int
    landmark_ids: tuple[str, ...]


@dataclass(frozen=True)
class Named:
    """A landmark as a search finds it: its number of images, and one of them to know it by."""

    landmark_id: str
    place: int
    name: str
    country: str
    n_images: int
    image_id: str | None


class ReviewRows:
    """What the page shows of the findings; rows keep their number as long as the findings are the same.

    table: the columns of the findings, with landmark_ids of the image, is_audit, landmark and group as numbers.
    n_gone: findings about images that the catalog no longer keeps; they have no row.
    n_open: findings that wait for a person. n_sure, n_clear: findings that were accepted automatically, and images
    without any; of both a sample is audited. n_accepted: of the former by kind those about kept images, from which the
    sample is drawn: a duplicate of the same bytes is no guess, and no policy acts on it.
    """

    def __init__(
        self, findings: Findings, images: pl.DataFrame, landmarks: Landmarks, *,
        n_audit: int, way: Callable[[], DescribedWay | None],
    ) -> None:  # fmt: skip
        """images: of the catalog the rows that are kept, and duplicates with a copy of their own, with IMAGE_COLUMNS.

        way: the descriptors by which typical photos are chosen, asked for when they are needed.
        """
        # "kept" comes after "duplicate": of two rows of one image the kept one stands for it.
        ordered = images.select(IMAGE_COLUMNS).sort("image_id", "status", descending=[False, True])
        self._images = ordered.unique("image_id", keep="first", maintain_order=True)
        of_catalog = self._images.filter(pl.col("status") == KEPT)
        self._landmarks = _landmark_table(of_catalog, landmarks)
        clear = of_catalog.join(findings.table, on="image_id", how="anti")
        self._typical = TypicalPhotos(of_catalog, clear, way=way)
        kept = findings.table.join(
            self._images.select("image_id"), on="image_id", how="semi", maintain_order="left"
        )
        self.n_gone = len(findings.table) - len(kept)
        self.n_sure, self.n_clear = int(kept["is_sure"].sum()), len(clear)
        self.n_open = len(kept) - self.n_sure
        accepted = kept.filter("is_sure").join(of_catalog, on="image_id", how="semi")
        self.n_accepted: dict[str, int] = dict(accepted.group_by("kind").len().iter_rows())
        audited = set(accepted["finding_id"].sort().head(n_audit))
        told = pl.concat([kept, _sample_of_clear(clear, n_audit)])
        self.table = self._with_numbers(told.with_columns(
            (pl.col("finding_id").is_in(audited) | (pl.col("kind") == NO_FINDING)).alias("is_audit")
        ))  # fmt: skip

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def version(self) -> str:
        """Another one where the rows are others."""
        return digest_bytes("\n".join(self.finding_ids).encode())[:16]

    @cached_property
    def finding_ids(self) -> list[str]:
        """The id of each row."""
        return self.table["finding_id"].to_list()

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each finding."""
        return {finding: row for row, finding in enumerate(self.finding_ids)}

    @cached_property
    def image_ids(self) -> list[str]:
        """The image that each row is about."""
        return self.table["image_id"].to_list()

    @cached_property
    def suggested(self) -> list[list[str]]:
        """The landmarks that each row suggests, empty where it suggests none or nothing."""
        return self.table["suggested"].fill_null([]).to_list()

    @cached_property
    def rows_of_image(self) -> dict[str, list[int]]:
        """The rows about each image."""
        rows: dict[str, list[int]] = {}
        for row, image_id in enumerate(self.image_ids):
            rows.setdefault(image_id, []).append(row)
        return rows

    def columns(self, after: int, limit: int) -> Columns:
        """The rows from number `after` on, at most `limit` of them."""
        page = self.table.slice(after, limit)
        kind = pl.col("kind").replace_strict(
            {k: i for i, k in enumerate(ROW_KINDS)}, return_dtype=pl.Int64
        )
        flags = pl.col("is_sure").cast(pl.Int64) + 2 * pl.col("is_audit").cast(pl.Int64)
        score = (1000 * pl.col("score").fill_null(0)).round().cast(pl.Int64)
        page = page.with_columns(kind.alias("kind"), flags.alias("flags"), score.alias("score"))
        return Columns(
            ids=page["finding_id"].to_list(), kinds=page["kind"].to_list(), landmarks=page["landmark"].to_list(),
            groups=page["group"].to_list(), scores=page["score"].to_list(), flags=page["flags"].to_list(),
        )  # fmt: skip

    def audited(self, *, clear: bool) -> dict[str, Accepted]:
        """The audit sample by finding_id: of images without finding, or of accepted findings."""
        is_clear = pl.col("kind") == NO_FINDING
        chosen = self.table.filter(pl.col("is_audit") & (is_clear if clear else ~is_clear))
        return {
            finding: Accepted(kind, tuple(suggested or ()))
            for finding, kind, suggested in chosen.select(
                "finding_id", "kind", "suggested"
            ).iter_rows()
        }

    def details(self, rows: Sequence[int]) -> list[dict[str, object]]:
        """All columns of some rows, in the order asked for."""
        return list(self.table[list(rows)].iter_rows(named=True))

    def kept(self, image_id: str) -> Kept | None:
        """Where an image lies, or None where the catalog keeps none with this id."""
        place = bisect.bisect_left(self._images["image_id"], image_id)
        if place == len(self._images) or self._images["image_id"][place] != image_id:
            return None
        _, path, digest, width, height, shown, _ = self._images.row(place)
        return Kept(image_id, path, digest, width or 0, height or 0, tuple(shown or ()))

    def typical(self, landmark_id: str) -> list[str]:
        """Some images of a landmark, those most like all of it first, without findings if there are any."""
        return self._typical.of(landmark_id)

    def name(self, landmark_id: str) -> str:
        """What to call a landmark: its name, else its id."""
        place = bisect.bisect_left(self._landmarks["landmark_id"], landmark_id)
        is_known = (
            place < len(self._landmarks) and self._landmarks["landmark_id"][place] == landmark_id
        )
        return str(self._landmarks["name"][place]) if is_known else landmark_id

    def knows_landmark(self, landmark_id: str) -> bool:
        """Whether a landmark of this id is listed or shown by an image."""
        place = bisect.bisect_left(self._landmarks["landmark_id"], landmark_id)
        return place < len(self._landmarks) and self._landmarks["landmark_id"][place] == landmark_id

    def found(self, words: str) -> list[Named]:
        """The landmarks whose name or id has all of `words`, the most fitting first, at most N_FOUND."""
        wanted = folded(words)
        hits = [
            (_rank(wanted, text), -n, place)
            for place, (text, n) in enumerate(self._searched)
            if all(word in text for word in wanted.split())
        ]
        return [self._named(place) for _, _, place in sorted(hits)[:N_FOUND]]

    @cached_property
    def _searched(self) -> list[tuple[str, int]]:
        rows = self._landmarks.select("name", "landmark_id", "n_images").iter_rows()
        return [(f"{folded(name)} {folded(landmark_id)}", n) for name, landmark_id, n in rows]

    def _named(self, place: int) -> Named:
        row = self._landmarks.row(place, named=True)
        examples = self.typical(row["landmark_id"])
        return Named(
            row["landmark_id"], place, row["name"], row["country"] or "", row["n_images"], examples[0] if examples else None
        )  # fmt: skip

    def _with_numbers(self, told: pl.DataFrame) -> pl.DataFrame:
        main = pl.col("landmark_ids").list.first()
        shown = told.join(
            self._images.select("image_id", "landmark_ids"),
            on="image_id",
            how="left",
            maintain_order="left",
        )
        places = self._landmarks.select("landmark_id").with_row_index("landmark")
        shown = shown.with_columns(main.alias("landmark_id")).join(
            places, on="landmark_id", how="left", maintain_order="left"
        )
        is_pair = pl.col("kind").is_in(COPIES) & (pl.col("evidence").list.len() > 0)
        of_image = pl.lit("i") + pl.col("evidence").list.first()
        of_landmark = pl.lit("l") + pl.col("landmark_id").fill_null("")
        group = pl.when(is_pair).then(of_image).otherwise(of_landmark)
        return shown.with_columns(
            pl.col("landmark").cast(pl.Int64).fill_null(-1),
            group.rank("dense").cast(pl.Int64).alias("group"),
        ).drop("landmark_id")


def _landmark_table(images: pl.DataFrame, landmarks: Landmarks) -> pl.DataFrame:
    """Each landmark that is listed or shown, sorted by id: name (its id where it has none), country, n_images."""
    shown = images.select(pl.col("landmark_ids").explode().alias("landmark_id")).drop_nulls()
    counts = shown.group_by("landmark_id").len("n_images")
    both = counts.join(landmarks.table, on="landmark_id", how="full", coalesce=True)
    name = pl.col("name").fill_null(pl.col("landmark_id").str.replace_all("_", " "))
    return both.select(
        "landmark_id", name.alias("name"), "country", pl.col("n_images").fill_null(0).cast(pl.Int64)
    ).sort("landmark_id")


def _sample_of_clear(clear: pl.DataFrame, n: int) -> pl.DataFrame:
    """At most `n` images without finding as rows of their own, the same ones as long as they have none."""
    images = clear.select("image_id", "landmark_ids").iter_rows()
    drawn = sorted(
        (finding_id(NO_FINDING, image_id), image_id, shown) for image_id, shown in images
    )[:n]
    rows = [
        {"finding_id": name, "kind": NO_FINDING, "image_id": image_id, "score": 0.0, "is_sure": True,
         "reason": f"Nothing was found about this image. {_question(shown)}", "evidence": []}
        for name, image_id, shown in drawn
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=FINDINGS_SCHEMA)


def _question(shown: Sequence[str] | None) -> str:
    """What is asked about an image that is said to show these landmarks."""
    if shown is None:
        return "Is it good to learn from?"
    return "Does it show what is said of it?" if shown else "Is it true that it shows no landmark?"


def folded(words: str) -> str:
    """`words` as they are searched: small letters without accents, with spaces for `_` and `-`."""
    plain = unicodedata.normalize("NFKD", words.casefold().replace("_", " ").replace("-", " "))
    return " ".join(
        "".join(letter for letter in plain if not unicodedata.combining(letter)).split()
    )


def _rank(wanted: str, text: str) -> int:
    """0 where `text` begins with the words, 1 where a word of it does, else 2."""
    if text.startswith(wanted):
        return 0
    return 1 if f" {wanted}" in f" {text}" else 2
