"""The exploration: what a catalog holds, counted; nothing about single images."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from cairn.base.files import write_text
from cairn.records.split import PARTS
from cairn.records.tables import Schema, require_schema, write_table
from cairn.records.tally import Tally

Count = Annotated[int, Field(ge=0)]
# Fewest and most images of a landmark; None: no limit.
Limits = tuple[int, int | None]
FINER_SIZES: tuple[Limits, ...] = (
    (1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 999), (1000, None),
)  # fmt: skip
COUNTS_SCHEMA: Schema = {
    "what": pl.String,
    "name": pl.String,
    "detail": pl.String,
    "n": pl.Int64,
}
LANDMARK_COUNTS_SCHEMA: Schema = {
    "landmark_id": pl.String,
    "name": pl.String,
    "country": pl.String,
    "n_images": pl.Int64,
    **dict.fromkeys(PARTS, pl.Int64),
    "in_no_part": pl.Int64,
    "n_also": pl.Int64,
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Totals(_Part):
    """Counts of the whole; an image is a row that is kept and not excluded."""

    n_rows: Count = Field(description="rows of the catalog")
    n_images: Count = Field(description="images: rows that are kept and not excluded")
    n_bytes: Count = Field(description="bytes of the images")
    n_labelled: Count = Field(description="images that show a landmark")
    n_distractors: Count = Field(description="images that show none")
    n_unlabelled: Count = Field(description="images of which nobody has said what they show")
    n_several: Count = Field(description="images that show more than one landmark")
    n_landmarks: Count = Field(description="landmarks that are the main one of an image")
    n_only_beside: Count = Field(description="landmarks that are shown, but never as the main one")
    n_authors: Count = Field(description="different authors of images")
    n_groups: Count = Field(description="groups of copies, by the split; 0 before one")
    n_copies: Count = Field(description="images in these groups")


class Named(_Part):
    """A number of images under a name; None: nothing is said."""

    name: str | None
    n_images: Count


class CountryCount(_Part):
    """The images of one country, and the landmarks that they show; None: not said."""

    name: str | None
    n_images: Count
    n_landmarks: Count


class ListCount(_Part):
    """The rows of one list, and the images among them."""

    name: str
    n_rows: Count
    n_images: Count


class SideRange(_Part):
    """The images whose longest side has `smallest` to `largest` pixels (None: no upper end)."""

    name: str
    smallest: Count
    largest: Count | None
    n_images: Count


class SizeRange(_Part):
    """The landmarks with `smallest` to `largest` images (None: no upper end), and their images."""

    name: str
    smallest: Count
    largest: Count | None
    n_landmarks: Count
    n_images: Count


class PartCount(_Part):
    """The images of one part of the split, by what they show."""

    name: str
    n_images: Count
    n_landmarks: Count
    n_distractors: Count
    n_unlabelled: Count


class LandmarkCount(_Part):
    """One landmark: the images whose main one it is, by part, and those that show it besides (`n_also`)."""

    landmark_id: str
    name: str
    country: str | None
    n_images: Count
    train: Count
    val: Count
    test: Count
    in_no_part: Count
    n_also: Count


class CatalogCounts(_Part):
    """The counts of a catalog; the description of each field is its words for people."""

    totals: Totals = Field(description="the whole, below")
    rows: Tally = Field(
        description="how the rows ended: `ends` (status, cause, rows) and `hosts` both add up to `n_rows`"
    )
    lists: tuple[ListCount, ...] = Field(description="rows and images of each list")
    largest: tuple[LandmarkCount, ...] = Field(
        description="the 30 largest landmarks, each as a row of `landmarks.parquet`"
    )
    sizes: tuple[SizeRange, ...] = Field(
        description="landmarks, and images, by the landmark's size: head, middle, tail, singleton"
    )
    finer_sizes: tuple[SizeRange, ...] = Field(description="the same in smaller steps")
    sides: tuple[SideRange, ...] = Field(description="images by their longest side in pixels")
    shapes: tuple[Named, ...] = Field(
        description="images by the shape (width:height) that theirs is nearest to, tall to wide"
    )
    licences: tuple[Named, ...] = Field(description="images by licence, commonest first")
    countries: tuple[CountryCount, ...] = Field(
        description="images by the landmark's country, most images first; empty where no landmark has one"
    )
    parts: tuple[PartCount, ...] = Field(description="the parts of the split; empty before one")
    in_no_part: tuple[Named, ...] = Field(
        description="images in no part, by cause; empty before a split"
    )

    def write(self, path: Path) -> None:
        """`path` holds the counts as readable JSON."""
        content = json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False)
        write_text(path, content + "\n")

    def table(self) -> pl.DataFrame:
        """The same counts, but those of `largest`, as rows: what, name, detail, n."""
        return pl.DataFrame(list(self._rows()), schema=COUNTS_SCHEMA, orient="row")

    def _rows(self) -> Iterator[tuple[str, str | None, str | None, int]]:
        for name, n in self.totals.model_dump().items():
            yield "totals", name, None, n
        for status, cause, n in self.rows.ends:
            yield "ends", status, cause, n
        for host in self.rows.hosts:
            for detail, n in (("n_rows", host.n_rows), ("n_kept", host.n_kept), ("n_failed", host.n_failed)):  # fmt: skip
                yield "hosts", host.host, detail, n
            for cause, n in host.causes:
                yield "causes", host.host, cause, n
        named = ("lists", "sizes", "finer_sizes", "sides", "shapes", "licences", "countries", "parts", "in_no_part")  # fmt: skip
        for what in named:
            for values in self.model_dump(include={what})[what]:
                for detail, n in values.items():
                    if detail.startswith("n_"):
                        yield what, values["name"], detail, n


@dataclass(frozen=True)
class Exploration:
    """The counts, and a row for every landmark that an image shows: the largest first, ties by id."""

    counts: CatalogCounts
    landmarks: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.landmarks, LANDMARK_COUNTS_SCHEMA, what="the counts of landmarks")

    def write(self, folder: Path) -> None:
        """`folder` holds explore.json, explore.parquet and landmarks.parquet."""
        self.counts.write(folder / "explore.json")
        write_table(self.counts.table(), folder / "explore.parquet")
        write_table(self.landmarks, folder / "landmarks.parquet")


def size_ranges(
    n_images: pl.Series,
    limits: Iterable[Limits] = FINER_SIZES,
    names: Sequence[str] | None = None,
) -> tuple[SizeRange, ...]:
    """How many landmarks, and images, lie within each of `limits`; ranges without a landmark are left out.

    n_images: of each landmark, each at least 1.
    """
    found = []
    for place, (smallest, largest) in enumerate(limits):
        inside = n_images.filter(n_images >= smallest)
        inside = inside.filter(inside <= largest) if largest else inside
        name = names[place] if names else range_words(smallest, largest)
        if len(inside):
            found.append(
                SizeRange(
                    name=name, smallest=smallest, largest=largest, n_landmarks=len(inside),
                    n_images=int(inside.sum()),
                )
            )  # fmt: skip
    return tuple(found)


def range_words(smallest: int, largest: int | None) -> str:
    """A range as people read it: `1`, `2–4`, `1,000+`."""
    if largest is None:
        return f"{smallest:,}+"
    return f"{smallest:,}" if smallest == largest else f"{smallest:,}–{largest:,}"
