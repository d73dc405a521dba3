"""The page of the scrub bench: its numbers, its curves, and the photos that a person should look at."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl
from PIL import Image

from cairn.bench.scrub import UNPLANTED, ScrubBench
from cairn.bench.scrub_tables import cost_rows, precision_rows, recall_rows
from cairn.bench.tallies import AIMS, FIRST, LEAST_PRECISIONS, QUEUES
from cairn.reports.charts import rank_chart
from cairn.reports.precision_recall import CurveShown, write_precision_recall
from cairn.reports.scrub_bench import (
    QueueShown,
    ScrubBenchContents,
    TableShown,
    write_scrub_bench_report,
)
from cairn.reports.sheets import Photo, Sheet, data_address

TILE_PX = 150
N_SHOWN = 24
REPORT, CURVES_SHOWN = "report.html", "curves.svg"
_CURVES_SUMMARY = (
    "Precision in percent over recall in percent, kind by kind, from the surest finding to the last; the dot is the "
    "whole queue, the shaded corner what is aimed at."
)


def write_page(scratch: Path, found: ScrubBench) -> Path:
    """The page at `scratch/report.html`, with photos of the planted sets that lie in `scratch`."""
    seeds = ", ".join(map(str, found.seeds))
    contents = ScrubBenchContents(
        name=found.folder,
        lead=f"{sum(found.n_photos):,} photos in {len(found.seeds)} planted sets (seeds {seeds}). What was planted is "
        "known; hits that were not planted count as wrong until a person has looked at them.",
        tables=(
            TableShown("What was found of what was planted", _recall_note(), *recall_rows(found)),
            TableShown("How many findings are right", _precision_note(), *precision_rows(found)),
            TableShown("What it cost", _cost_note(), *cost_rows(found)),
        ),
        queues=tuple(_queues(found)),
        sheets=(*_unplanted_sheets(scratch, found), *_missed_sheets(scratch, found)),
    )
    write_scrub_bench_report(scratch / REPORT, contents)
    write_precision_recall(
        scratch / CURVES_SHOWN, _precision_recall(found), summary=_CURVES_SUMMARY
    )
    return scratch / REPORT


def _recall_note() -> str:
    return (
        f"Over all seeds together. The range is the 95 % interval. 'In the first {FIRST}' is the share of the planted "
        "within the first hits of the queue in which a person would look through them."
    )


def _precision_note() -> str:
    return (
        "Hits by what they turned out to be. Left out of the count: near copies that notes name, and photos that are odd "
        "for another reason that was planted as well."
    )


def _cost_note() -> str:
    return "The median over the seeds; memory of all processes together, pages that they share counted once, at its worst."


def _means(found: ScrubBench) -> Iterable[tuple[tuple[str, ...], pl.DataFrame]]:
    """Of each of Cairn's queues rank, precision and recall: the mean over the seeds at each rank that all reach."""
    curves = found.curves().filter(pl.col("contender") == found.cairn.name)
    for queue in QUEUES:
        mean = (
            curves.filter(pl.col("queue") == " or ".join(queue))
            .group_by("rank")
            .agg(pl.col("precision", "recall").mean(), pl.len().alias("n"))
            .filter(pl.col("n") == len(found.seeds))
            .sort("rank")
        )
        if len(mean):
            yield queue, mean


def _precision_recall(found: ScrubBench) -> list[CurveShown]:
    return [
        CurveShown(
            " or ".join(queue),
            mean["recall"].to_list(),
            mean["precision"].to_list(),
            _aim_of(queue),
        )
        for queue, mean in _means(found)
    ]


def _aim_of(queue: tuple[str, ...]) -> tuple[float, float] | None:
    """The least recall of a queue with one of precision, and that."""
    recalls = [aim.recall for aim in AIMS.values() if aim.queue == queue and aim.recall]
    return (
        (max(recalls), LEAST_PRECISIONS[queue]) if queue in LEAST_PRECISIONS and recalls else None
    )


def _queues(found: ScrubBench) -> Iterable[QueueShown]:
    """The curves of Cairn's queues, one over the other."""
    for queue, mean in _means(found):
        yield QueueShown(
                " or ".join(queue),
                rank_chart(mean["recall"].to_list(), y_title="share of the planted that was found", mark=FIRST),
                rank_chart(mean["precision"].to_list(), y_title="share of the hits that is right", mark=FIRST),
            )  # fmt: skip


def _unplanted_sheets(scratch: Path, found: ScrubBench) -> Iterable[Sheet]:
    table = found.unplanted().filter(pl.col("is_odd") == "")
    for kind in table["kind"].unique(maintain_order=True):
        rows = table.filter(pl.col("kind") == kind).sort(
            "score", descending=True, maintain_order=True
        )
        photos = tuple(
            _photo(
                scratch / f"seed-{row['seed']}/photos", [row["photo"], row["other"]], row["image_id"] or "",
                caption=f"{row['image_id']} {row['photo']} {row['other']}".strip(),
                note=f"{row['score']:.3f} {row['reason']}",
            )
            for row in rows.head(N_SHOWN).iter_rows(named=True)
        )  # fmt: skip
        note = (
            f"not planted: {len(rows)}, the surest {len(photos)}; say what they are in {UNPLANTED}"
        )
        yield Sheet(f"{kind}: hits that were not planted", note, photos)


def _missed_sheets(scratch: Path, found: ScrubBench) -> Iterable[Sheet]:
    table = found.missed()
    for kind in table["kind"].unique(maintain_order=True):
        rows = table.filter(pl.col("kind") == kind)
        photos = tuple(
            _photo(
                scratch / f"seed-{row['seed']}/photos", [row["photo"]], row["photo"],
                caption=row["photo"], note=f"{row['variant']} {row['strength']:.2f} {row['roots']}",
            )
            for row in rows.head(N_SHOWN).iter_rows(named=True)
        )  # fmt: skip
        yield Sheet(f"{kind}: planted and not found", f"{len(rows)} over all seeds", photos)


def _photo(folder: Path, names: Sequence[str], image_id: str, *, caption: str, note: str) -> Photo:
    paths = [folder / name for name in names if name and (folder / name).is_file()]
    source = data_address(_beside(paths), side_px=TILE_PX * len(paths)) if paths else None
    return Photo(image_id, source, alt=caption, caption=caption, note=note)


def _beside(paths: Sequence[Path]) -> bytes:
    """One JPEG of the photos, side by side at one height."""
    small = []
    for path in paths:
        with Image.open(path) as image:
            image.draft("RGB", (2 * TILE_PX, 2 * TILE_PX))
            whole = image.convert("RGB")
        width = max(1, round(whole.width * TILE_PX / whole.height))
        small.append(whole.resize((min(width, 3 * TILE_PX), TILE_PX)))
    joined = Image.new("RGB", (sum(one.width for one in small), TILE_PX))
    left = 0
    for one in small:
        joined.paste(one, (left, 0))
        left += one.width
    buffer = io.BytesIO()
    joined.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
