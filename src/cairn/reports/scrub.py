"""The report of a scrub: the surest findings of each kind, photo beside evidence with the reason, as one HTML file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from cairn.base.checks import counted
from cairn.base.files import write_text
from cairn.records.findings import (
    BAD_PIXELS,
    BLANK,
    BLURRED,
    COPY_ACROSS,
    DARK,
    DRAWING,
    EXACT_COPY,
    KINDS,
    NEAR_COPY,
    NO_LANDMARK,
    ODD_SHAPE,
    SEVERAL_LANDMARKS,
    TOO_SMALL,
    TWO_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.reports.charts import percent
from cairn.reports.pages import render
from cairn.reports.sheets import data_address

SIDE_PX = 200
N_SHOWN, N_EVIDENCE = 12, 3
WORDS = {
    EXACT_COPY: "Files with the same bytes, or images with the same pixels, as another one.",
    NEAR_COPY: "The same photo once more: recompressed, made smaller, marked, mirrored or cropped. One laid over the other agrees pixel for pixel.",
    COPY_ACROSS: "Copies that lie in different parts of the split: what is learnt from one is asked of the other.",
    TWO_LANDMARKS: "Copies that are said to show different landmarks: at least one of them is wrong, or the photo shows both.",
    WRONG_LANDMARK: "Images whose nearest images show another landmark than the one they are said to show.",
    NO_LANDMARK: "Images that the other photos of their landmark do not support, and that are near to photos that show none.",
    SEVERAL_LANDMARKS: "Images of which parts beside each other look like different landmarks, and match them or are divided by a straight seam.",
    TOO_SMALL: "Images with so few pixels that little can be seen.",
    BLURRED: "Images that are soft even where they are sharpest.",
    DARK: "Images in which nearly everything is dark.",
    BLANK: "Images in which nothing stands out.",
    ODD_SHAPE: "Images that are many times as long as they are wide.",
    DRAWING: "Images of flat colours and hard edges: drawings, maps, signs, logos.",
}


@dataclass(frozen=True)
class ScrubContents:
    """What the report tells.

    images: image_id, landmark_ids, width_px, height_px, author, licence of those that `shown_images` names.
    names: of landmarks. thumbnail: a JPEG of an image_id, or None where there is none.
    about: how it was made, words by name. next_commands: what to run now.
    """

    dataset: str
    findings: Findings
    images: pl.DataFrame
    n_images: int
    n_duplicates: int
    names: Mapping[str, str]
    thumbnail: Callable[[str], bytes | None]
    about: Mapping[str, str]
    next_commands: Sequence[str]

    @cached_property
    def known(self) -> dict[str, dict[str, object]]:
        """What is known of each image, by image_id."""
        return {str(row["image_id"]): row for row in self.images.iter_rows(named=True)}

    def said(self, landmark_ids: object) -> str:
        """What a truth says, in words."""
        if not isinstance(landmark_ids, list):
            return ""
        return " + ".join(self.names.get(one) or str(one) for one in landmark_ids) or "no landmark"


@dataclass(frozen=True)
class Seen:
    """One photo as shown: `ratio` is its width over its height, 0 where unknown; `boxes` are left, top, width and height in percent, with what they frame."""

    source: str | None
    alt: str
    caption: str
    ratio: float
    boxes: tuple[tuple[float, float, float, float, str], ...] = ()


@dataclass(frozen=True)
class Doubt:
    """One finding as shown: the photo, what speaks for it, and why."""

    photo: Seen
    evidence: tuple[Seen, ...]
    reason: str
    score: str
    is_sure: bool
    suggested: str


@dataclass(frozen=True)
class KindRow:
    """All findings of one kind: `width` in percent of the commonest kind's."""

    kind: str
    anchor: str
    says: str
    n: int
    n_sure: int
    width: float
    is_alone: bool
    doubts: tuple[Doubt, ...]


def shown_images(findings: Findings) -> list[str]:
    """The images that the report shows, sorted."""
    shown: set[str] = set()
    for row in _shown(findings).iter_rows(named=True):
        shown |= {row["image_id"], *(row["evidence"] or [])[:N_EVIDENCE]}
    return sorted(shown)


def write_scrub_report(path: Path, contents: ScrubContents) -> None:
    """`path` holds the report; it asks for nothing from outside and runs no script."""
    write_text(path, render_scrub_report(contents))


def render_scrub_report(contents: ScrubContents) -> str:
    """The report as the text of one HTML file."""
    table = contents.findings.table
    n_doubtful = table["image_id"].n_unique()
    credits_shown = contents.images.select(
        "image_id", pl.concat_str("author", "licence", separator=", ", ignore_nulls=True).alias("credit")
    ).filter(pl.col("credit") != "")  # fmt: skip
    return render(
        "scrub.html.j2",
        {
            "dataset": contents.dataset,
            "lead": _lead(contents),
            "kinds": _kinds(contents),
            "n_findings": len(table),
            "n_sure": int(table["is_sure"].sum()),
            "n_doubtful": n_doubtful,
            "n_images": contents.n_images,
            "n_shown": N_SHOWN,
            "about": contents.about,
            "next_commands": contents.next_commands,
            "credits": credits_shown.sort("image_id").rows(),
        },
    )


def _shown(findings: Findings) -> pl.DataFrame:
    """The surest findings of each kind."""
    return findings.table.group_by("kind", maintain_order=True).head(N_SHOWN)


def findings_lead(findings: Findings, n_images: int, n_duplicates: int) -> str:
    """How many findings about how many images, and about how many duplicates, which are no images of their own."""
    if findings.table.is_empty():
        return f"{counted(n_images, 'image')}: nothing is doubtful about any of them"
    n_doubtful = findings.table["image_id"].n_unique() - n_duplicates
    share = percent(n_doubtful / max(n_images, 1))
    beside = f", and about {counted(n_duplicates, 'duplicate')} beside them" if n_duplicates else ""
    n_findings = counted(len(findings.table), "finding")
    return (
        f"{counted(n_images, 'image')}: {n_findings} about {n_doubtful:,} of them ({share}){beside}"
    )


def _lead(contents: ScrubContents) -> str:
    said = findings_lead(contents.findings, contents.n_images, contents.n_duplicates)
    rest = (
        ""
        if contents.findings.table.is_empty()
        else " Nothing was removed or changed: a policy or a person decides."
    )
    return f"{said}.{rest}"


def _kinds(contents: ScrubContents) -> list[KindRow]:
    counts = contents.findings.counts()
    sure = contents.findings.table.group_by("kind").agg(pl.col("is_sure").sum())
    n_sure = dict(sure.iter_rows())
    most = max(counts.values(), default=1)
    shown = _shown(contents.findings)
    return [
        KindRow(
            kind=kind,
            anchor=kind.replace(" ", "-"),
            says=WORDS[kind],
            n=counts[kind],
            n_sure=int(n_sure[kind]),
            width=round(100 * counts[kind] / most, 2),
            is_alone=kind in BAD_PIXELS,
            doubts=tuple(
                _doubt(row, contents)
                for row in shown.filter(pl.col("kind") == kind).iter_rows(named=True)
            ),
        )
        for kind in KINDS
        if kind in counts
    ]


def _doubt(row: dict[str, object], contents: ScrubContents) -> Doubt:
    evidence = row["evidence"] if isinstance(row["evidence"], list) else []
    suggested = row["suggested"]
    return Doubt(
        photo=_seen(str(row["image_id"]), contents, boxes=_boxes(row, contents)),
        evidence=tuple(_seen(image_id, contents) for image_id in evidence[:N_EVIDENCE]),
        reason=str(row["reason"]),
        score=f"{float(str(row['score'])):.2f}",
        is_sure=bool(row["is_sure"]),
        suggested=contents.said(suggested) if isinstance(suggested, list) else "",
    )


def _seen(
    image_id: str,
    contents: ScrubContents,
    *,
    boxes: tuple[tuple[float, float, float, float, str], ...] = (),
) -> Seen:
    known = contents.known.get(image_id, {})
    said = contents.said(known.get("landmark_ids"))
    jpeg = contents.thumbnail(image_id)
    source = data_address(jpeg, side_px=SIDE_PX) if jpeg else None
    width, height = (int(str(known.get(side) or 0)) for side in ("width_px", "height_px"))
    ratio = round(width / height, 4) if width and height else 0.0
    alt = f"image {image_id}: {said or 'unlabelled'}"
    return Seen(source, alt, said or "unlabelled", ratio, boxes)


def _boxes(
    row: dict[str, object], contents: ScrubContents
) -> tuple[tuple[float, float, float, float, str], ...]:
    """The regions of a finding on its photo."""
    regions, suggested = row["regions"], row["suggested"]
    known = contents.known.get(str(row["image_id"]), {})
    if not isinstance(regions, list) or not isinstance(suggested, list):
        return ()
    width, height = float(str(known.get("width_px") or 0)), float(str(known.get("height_px") or 0))
    if not width or not height:
        return ()
    boxes = []
    for (left, top, right, bottom), landmark_id in zip(regions, suggested, strict=False):
        place = (
            100 * left / width, 100 * top / height, 100 * (right - left) / width, 100 * (bottom - top) / height
        )  # fmt: skip
        boxes.append((*(round(value, 1) for value in place), contents.said([landmark_id])))
    return tuple((a, b, c, d, said) for a, b, c, d, said in boxes)
