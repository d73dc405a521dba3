"""The report of an evaluation: one HTML file that opens anywhere, offline, in light and dark."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.checks import counted
from cairn.base.files import write_text
from cairn.records.exploration import size_ranges
from cairn.records.scores import Estimate, LandmarkScore, Scores
from cairn.records.split import PARTS
from cairn.reports import charts, sheets
from cairn.reports.charts import percent
from cairn.reports.contents import ReportContents
from cairn.reports.pages import render

N_LARGEST, MAX_LANDMARK_ROWS = 30, 200
FIRST_CARDS = ("gap", "gap_without_distractors", "top1", "known_answered_rightly")
OTHER_CARDS = (
    "top5", "mean_recall", "answered", "answered_precision", "answered_at_precision", "precision_when_sure",
    "distractors_refused", "unseen_refused", "unseen_refused_out_of_fold", "calibration_error",
)  # fmt: skip
PLAIN_NUMBERS = {"gap", "gap_without_distractors", "calibration_error"}


@dataclass(frozen=True)
class Card:
    """One number with its words: `because` stands in its place where it is undefined."""

    title: str
    explanation: str
    value: str
    interval: str
    n: str
    because: str
    estimate: Estimate


@dataclass(frozen=True)
class PartCounts:
    """One row of the split: its images by what they show."""

    name: str
    images: int
    landmarks: int
    distractors: int
    unlabelled: int
    share: str


@dataclass(frozen=True)
class LandmarkBar:
    """One landmark of the chart: images in train, val and test, and their widths in percent."""

    name: str
    counts: tuple[int, ...]
    widths: tuple[float, ...]


def write_report(path: Path, contents: ReportContents) -> None:
    """`path` holds the report.

    It asks for nothing from outside: photos, charts and style stand in the file, and a policy in
    its head forbids scripts and requests, so that a name taken from a list can do no harm.
    """
    write_text(path, render_report(contents))


def render_report(contents: ReportContents) -> str:
    """The report as the text of one HTML file."""
    return render("report.html.j2", _numbers(contents) | _photos(contents))


def _numbers(contents: ReportContents) -> dict[str, object]:
    counts = _landmark_counts(contents)
    return {
        "contents": contents,
        "scores": contents.scores,
        "lead": _lead(contents.scores),
        "first_cards": [_card(contents.scores, name) for name in FIRST_CARDS],
        "other_cards": [_card(contents.scores, name) for name in OTHER_CARDS],
        "parts": _parts(contents),
        "excluded": _excluded(contents),
        "copies": _copies(contents),
        "n_landmarks": len(counts),
        "bars": _bars(contents, counts),
        "tail": charts.tail_chart(counts["images"].to_list()) if len(counts) else None,
        "tail_rows": _tail_rows(counts["images"]),
        "risk_coverage": charts.risk_coverage_chart(contents.scores),
        "calibration": charts.calibration_chart(contents.scores),
        "landmark_rows": _landmark_rows(contents),
        "n_landmark_rows": sum(1 for row in contents.scores.by_landmark if row.n_images),
    }


def _photos(contents: ReportContents) -> dict[str, object]:
    landmarks, distractors = sheets.landmark_sheets(contents), sheets.distractor_sheets(contents)
    rows = {
        "surest_right": sheets.surest_right(contents),
        "refused": sheets.refused_distractors(contents),
    }
    wrong = sheets.mistakes(contents)
    shown = [photo for sheet in (*landmarks, *distractors) for photo in sheet.photos]
    shown += [
        photo
        for mistake in wrong
        for photo in (mistake.query, mistake.mistaken, mistake.right)
        if photo
    ]
    shown += [photo for row in rows.values() for photo in row]
    return rows | {
        "sheets": [*landmarks, *distractors],
        "mistakes": wrong,
        "credits": sheets.credits_of(shown, contents),
    }


def _lead(scores: Scores) -> str:
    """What the numbers come to, in a sentence or two."""
    counts, found = scores.counts, scores.known_answered_rightly.value
    said = [
        f"{counted(counts.scored, 'test image')}: {counts.known:,} of known landmarks, "
        f"{counts.unseen:,} of unseen ones, {counts.distractors:,} that show none "
        f"({percent(counts.distractor_share)})."
    ]
    if found is not None and scores.answered_precision.value is not None:
        said.append(
            f"The recogniser names the landmark rightly in {percent(found)} of the images that show a "
            f"known one; of all the answers it gives, {percent(scores.answered_precision.value)} are right."
        )
    return " ".join(said)


def _card(scores: Scores, name: str) -> Card:
    estimate: Estimate = scores.estimates()[name]
    title, explanation = scores.words(name)
    show = (lambda value: f"{value:.3f}") if name in PLAIN_NUMBERS else percent
    if name == "gap":
        explanation += f" Distractors here: {percent(scores.counts.distractor_share)}."
    low, high = estimate.low, estimate.high
    return Card(
        title=title,
        explanation=explanation,
        value="–" if estimate.value is None else show(estimate.value),
        interval="" if low is None or high is None else f"{show(low)} to {show(high)}",
        n=counted(estimate.n, "image"),
        because=estimate.because or "",
        estimate=estimate,
    )


def _parts(contents: ReportContents) -> list[PartCounts]:
    dealt = contents.images.drop_nulls("part")
    n_landmarks = pl.col("landmark").drop_nulls().n_unique()
    rows = dealt.group_by("part").agg(
        pl.len().alias("images"),
        n_landmarks.alias("landmarks"),
        (pl.col("landmark_ids").list.len() == 0).sum().alias("distractors"),
        pl.col("landmark_ids").is_null().sum().alias("unlabelled"),
    )
    found = {row["part"]: row for row in rows.iter_rows(named=True)}
    empty = {"images": 0, "landmarks": 0, "distractors": 0, "unlabelled": 0}
    return [
        PartCounts(name=part, share=percent(row["images"] / max(1, len(dealt))), **row)
        for part in PARTS
        for row in [{key: found.get(part, empty)[key] for key in empty}]
    ]


def _excluded(contents: ReportContents) -> dict[str, int]:
    """How many rows of the catalog are in no part, by why."""
    outside = contents.images.filter(pl.col("part").is_null())
    causes = outside.select(pl.col("cause").fill_null("not dealt")).group_by("cause").len()
    kept_out = dict(causes.sort("len", "cause", descending=[True, False]).iter_rows())
    return kept_out | {what: n for what, n in contents.catalog.counts().items() if what != "kept"}


def _copies(contents: ReportContents) -> tuple[int, int]:
    """The number of groups of copies, and of the images in them."""
    groups = contents.images.drop_nulls("part").group_by("group").len().filter(pl.col("len") > 1)
    return len(groups), int(groups["len"].sum())


def _landmark_counts(contents: ReportContents) -> pl.DataFrame:
    """Each landmark's images in each part and in all, the largest landmark first."""
    dealt = contents.images.drop_nulls(["part", "landmark"])
    in_parts = [(pl.col("part") == part).sum().alias(part) for part in PARTS]
    counts = dealt.group_by("landmark").agg(pl.len().alias("images"), *in_parts)
    return counts.sort("images", "landmark", descending=[True, False])


def _bars(contents: ReportContents, counts: pl.DataFrame) -> list[LandmarkBar]:
    largest = max(counts["images"].max() or 1, 1) if len(counts) else 1
    return [
        LandmarkBar(
            contents.name(landmark), in_parts, tuple(round(100 * n / largest, 2) for n in in_parts)
        )
        for landmark, *rest in counts.head(N_LARGEST).select("landmark", *PARTS).iter_rows()
        for in_parts in [tuple(rest)]
    ]


def _tail_rows(images: pl.Series) -> list[tuple[str, int, int]]:
    """How many landmarks and images lie in each range of size."""
    return [(size.name, size.n_landmarks, size.n_images) for size in size_ranges(images)]


def _landmark_rows(contents: ReportContents) -> list[tuple[str, LandmarkScore]]:
    """The landmarks with test images, those with the smallest share of right answers first."""
    asked = [row for row in contents.scores.by_landmark if row.n_images]
    asked.sort(key=lambda row: (row.n_right / row.n_images, -row.n_images, row.landmark_id))
    return [(contents.name(row.landmark_id), row) for row in asked[:MAX_LANDMARK_ROWS]]
