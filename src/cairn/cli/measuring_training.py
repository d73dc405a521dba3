"""Measurements of training, in words: `cairn bench landmark-head`."""

from collections.abc import Sequence

from cairn.base.errors import MissingExtra
from cairn.base.settings import LandmarkHeadBenchSettings
from cairn.bench.landmark_head import HeadCost, bench_landmark_head
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.engines.local import processors
from cairn.models.networks import torch_versions
from cairn.models.runtimes.openvino import processor

LANDMARK_HEAD_SUMMARY = "memory and seconds a step of a head of very many landmarks, all or sampled"


def bench_landmark_head_command(arguments: Sequence[str]) -> int:
    """What training a head of very many landmarks costs."""
    shape = Shape((), (), {"bench_landmark_head": LandmarkHeadBenchSettings})
    given = parse("bench landmark-head", LANDMARK_HEAD_SUMMARY, shape, arguments)
    settings = given.settings("bench_landmark_head", LandmarkHeadBenchSettings)
    if torch_versions() is None:
        raise MissingExtra(
            "a landmark head in training", extra="train", otherwise="nothing else needs it"
        )
    rows = bench_landmark_head(settings, watch=TerminalWatch())
    say(
        f"{settings.n_landmarks:,} landmarks × {settings.centres} × {settings.width}, {settings.batch_images} images a step, "
        f"{settings.steps} steps; {processor()[0]}, {processors()} processors"
    )
    head = ("landmarks a step", "peak GB", "promised GB", "s/step", "spread")
    say(table(head, [_row(row) for row in rows]))
    return 0


def _row(row: HeadCost) -> tuple[str, ...]:
    return (
        f"{row.n_sampled:,}, lazy rows" if row.n_sampled else "all, AdamW",
        f"{row.peak_bytes / 1e9:.2f}",
        f"{row.bound_bytes / 1e9:.2f}",
        f"{row.median_s:.2f}",
        f"{min(row.seconds[1:]):.2f} to {max(row.seconds[1:]):.2f}",
    )
