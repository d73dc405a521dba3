"""The command that measures heads: `cairn bench head`."""

from collections.abc import Sequence

from cairn.base.settings import HeadBenchSettings
from cairn.bench.head import WAYS, HeadRow, bench_head
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.engines.local import processors
from cairn.models.runtimes.openvino import processor

HEAD_SUMMARY = "seconds, memory and GAP of the head on fixed descriptors: closed form, whole passes, sampled steps"


def bench_head_command(arguments: Sequence[str]) -> int:
    """Train heads on made-up descriptors in every way, and ask them about others."""
    shape = Shape((), (), {"bench_head": HeadBenchSettings})
    settings = parse("bench head", HEAD_SUMMARY, shape, arguments).settings(
        "bench_head", HeadBenchSettings
    )
    rows = bench_head(settings, watch=TerminalWatch())
    say(
        f"{settings.n_images:,} made-up descriptors of {settings.width} numbers, {settings.n_landmarks:,} landmarks, seed "
        f"{settings.seed}; asked about {settings.n_queries:,} others"
    )
    say(f"{processor()[0]}, {processors()} processors")
    head = ("way", "seconds", "CPU s", "peak MB", "GAP", "top-1")
    say(table(head, [_cells(row) for row in rows]))
    left_out = [way for way in WAYS if way not in {row.name for row in rows}]
    if left_out:
        say(f"left out, as they take long: {', '.join(left_out)}; to run them too: --all-ways")
    return 0


def _cells(row: HeadRow) -> tuple[str, ...]:
    return (
        row.name,
        f"{row.seconds:.1f}",
        f"{row.cpu_s:.1f}",
        f"{row.peak_bytes / 1e6:.0f}",
        f"{row.gap:.4f}",
        f"{row.top1:.4f}",
    )
