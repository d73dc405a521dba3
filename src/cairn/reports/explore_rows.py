"""The report of an exploration: its tables and bars, as rows that a template shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from cairn.records.exploration import CatalogCounts, LandmarkCount, Named, range_words
from cairn.records.scores import SIZES
from cairn.reports.charts import percent
from cairn.reports.html import LandmarkBar, PartCounts

MOST_NAMES = 12
SIZE_WORDS = {"singleton": "singletons"}
# What a shape is called beside its ratio.
SHAPE_WORDS = {"1:1": "square", "1:3": "1:3 or taller", "3:1": "3:1 or wider"}


@dataclass(frozen=True)
class Share:
    """A line of a list of shares: its number, its share in words, and the width of its bar in percent.

    what: more that is said of it. glyph: width and height of a small frame of that shape, in percent.
    """

    name: str
    n: int
    share: str
    width: float
    what: str = ""
    glyph: tuple[float, float] = (0, 0)


@dataclass(frozen=True)
class SizeRow:
    """Landmarks of one size: their number, that of their images, and the share of all of each; `kind` picks a colour."""

    name: str
    kind: str
    what: str
    n_landmarks: int
    landmark_share: str
    landmark_width: float
    n_images: int
    image_share: str
    image_width: float


def size_rows(counts: CatalogCounts) -> list[SizeRow]:
    """Head, middle, tail and singletons, also where there are none."""
    found = {size.name: size for size in counts.sizes}
    totals = counts.totals
    rows = []
    for name, smallest, largest in SIZES:
        size = found.get(name)
        n_landmarks, n_images = (size.n_landmarks, size.n_images) if size else (0, 0)
        of_landmarks = n_landmarks / max(totals.n_landmarks, 1)
        of_images = n_images / max(totals.n_labelled, 1)
        what = f"{smallest} or more" if largest is None else range_words(smallest, largest)
        rows.append(
            SizeRow(
                SIZE_WORDS.get(name, name), name, what, n_landmarks, percent(of_landmarks),
                round(100 * of_landmarks, 2), n_images, percent(of_images), round(100 * of_images, 2),
            )
        )  # fmt: skip
    return rows


def list_name(name: str) -> str:
    """The last part of a path, for a page may be sent to others; the name of a data set's part whole."""
    return PurePath(name).name if PurePath(name).is_absolute() else name


def has_rest(counts: CatalogCounts) -> bool:
    """Whether some of the largest landmarks' images are in no part of a split."""
    return bool(counts.parts) and any(landmark.in_no_part for landmark in counts.largest)


def landmark_bars(counts: CatalogCounts) -> list[LandmarkBar]:
    """The largest landmarks: their images, by part where there is a split."""
    most = max((landmark.n_images for landmark in counts.largest), default=1)
    return [
        LandmarkBar(landmark.name, numbers, tuple(round(100 * n / most, 2) for n in numbers))
        for landmark in counts.largest
        for numbers in [_numbers(landmark, counts)]
    ]


def _numbers(landmark: LandmarkCount, counts: CatalogCounts) -> tuple[int, ...]:
    if not counts.parts:
        return (landmark.n_images,)
    rest = (landmark.in_no_part,) if has_rest(counts) else ()
    return (landmark.train, landmark.val, landmark.test, *rest)


def part_rows(counts: CatalogCounts) -> list[PartCounts]:
    """The parts of the split."""
    total = sum(part.n_images for part in counts.parts)
    return [
        PartCounts(
            name=part.name, images=part.n_images, landmarks=part.n_landmarks, distractors=part.n_distractors,
            unlabelled=part.n_unlabelled, share=percent(part.n_images / max(total, 1)),
        )
        for part in counts.parts
    ]  # fmt: skip


def share_rows(
    named: Sequence[Named], total: int, whats: Sequence[str] = ()
) -> list[Share]:  # fmt: skip
    """The first of `named` as lines, the rest of them as one more."""
    most = max((n.n_images for n in named), default=1) or 1
    lines = [
        Share(
            n.name if n.name is not None else "not said", n.n_images, percent(n.n_images / max(total, 1)),
            round(100 * n.n_images / most, 2), whats[i] if whats else "",
        )
        for i, n in enumerate(named[:MOST_NAMES])
    ]  # fmt: skip
    rest = sum(n.n_images for n in named[MOST_NAMES:])
    if rest:
        name = f"{len(named) - MOST_NAMES:,} others"
        lines.append(Share(name, rest, percent(rest / max(total, 1)), round(min(100, 100 * rest / most), 2)))  # fmt: skip
    return lines


def shape_rows(counts: CatalogCounts) -> list[Share]:
    """The shapes with a small frame of each."""
    total = sum(shape.n_images for shape in counts.shapes)
    most = max((shape.n_images for shape in counts.shapes), default=1)
    return [
        Share(
            SHAPE_WORDS.get(shape.name or "", shape.name or ""), shape.n_images,
            percent(shape.n_images / max(total, 1)), round(100 * shape.n_images / most, 2),
            glyph=_glyph(shape.name or ""),
        )
        for shape in counts.shapes
    ]  # fmt: skip


def _glyph(shape: str) -> tuple[float, float]:
    """Width and height of the shape in percent of its longer side; nothing where it is not known."""
    width, _, height = shape.partition(":")
    if not (width.isdigit() and height.isdigit()):
        return (0, 0)
    longer = max(int(width), int(height))
    return round(100 * int(width) / longer, 1), round(100 * int(height) / longer, 1)
