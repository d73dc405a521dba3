"""The command that measures the input of training: `cairn bench input`."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cairn.base.settings import InputBenchSettings
from cairn.bench.input import FOLDERS, InputBench, bench_input
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.cli.measuring_options import WORK
from cairn.engines.local import processors

INPUT_SUMMARY = "images a second on their way to training: Cairn, torchvision, and what the network waits for them"


def bench_input_command(arguments: Sequence[str]) -> int:
    """Feed made-up photos to nothing and to a network, by Cairn and by torchvision."""
    shape = Shape((), (WORK,), {"bench_input": InputBenchSettings})
    given = parse("bench input", INPUT_SUMMARY, shape, arguments)
    settings = given.settings("bench_input", InputBenchSettings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.path(WORK.flag) or Path(scratch)
        found = bench_input(folder, settings=settings, watch=TerminalWatch())
    _say_ground(found, settings)
    if found.fills:
        _say_fills(found)
        _say_needed(found, settings)
    if found.steps:
        _say_steps(found, settings)
    return 0


def _say_ground(found: InputBench, settings: InputBenchSettings) -> None:
    photos = ", ".join(
        f"{width} × {height} ({size_bytes / 1000:.0f} kB)"
        for (width, height), size_bytes in found.photo_bytes.items()
    )
    say(
        f"{settings.n_photos} photos each of {photos}, to {settings.side_px} px, in batches of {settings.batch_images}, "
        f"{found.n_workers} processes that decode"
    )
    versions = [f"{name} {version}" for name, version in found.versions.items()]
    say(", ".join([f"{found.processor}, {processors()} processors", *versions]))


def _say_fills(found: InputBench) -> None:
    head = ("photos", "input", "images/s", "spread", "CPU ms/image", "spread")
    say(
        table(
            head,
            [
                (_size(fill.size_px), fill.name, *_told(fill.images_per_s, 1), *_told(fill.cpu_ms, 2))
                for fill in found.fills
            ],
        )
    )  # fmt: skip


def _say_needed(found: InputBench, settings: InputBenchSettings) -> None:
    speeds = settings.gpu_images_per_s
    head = ("photos", "input", *(f"for {speed:,} images/s" for speed in speeds))
    rows = [
        (_size(fill.size_px), fill.name, *(f"{fill.processors_for(speed)} processors" for speed in speeds))
        for fill in found.fills
        if fill.name == FOLDERS
    ]  # fmt: skip
    say(table(head, rows))


def _say_steps(found: InputBench, settings: InputBenchSettings) -> None:
    say(f"{settings.backbone} trained on {found.device}")
    head = ("input", "images/s", "spread", "of synthetic", "spread")
    rows = [
        (step.name, *_told(step.images_per_s, 1), f"{statistics.median(step.shares):.1%}",
         f"{min(step.shares):.1%} to {max(step.shares):.1%}")
        for step in found.steps
    ]  # fmt: skip
    say(table(head, rows))


def _size(size_px: tuple[int, int]) -> str:
    return f"{size_px[0]} × {size_px[1]}"


def _told(values: Sequence[float], digits: int) -> tuple[str, str]:
    """The median, and the least and the most."""
    return (
        f"{statistics.median(values):.{digits}f}",
        f"{min(values):.{digits}f} to {max(values):.{digits}f}",
    )
