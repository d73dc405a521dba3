"""The command that measures: `cairn bench NAME`."""

import math
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cairn.base.checks import counted, nearest_name
from cairn.base.errors import SettingsError
from cairn.base.settings import (
    BenchSettings,
    DescribeSettings,
    DownloadBenchSettings,
    ExploreBenchSettings,
    NeighborsBenchSettings,
    PartsSettings,
    TrainSettings,
)
from cairn.bench import ways
from cairn.bench.download import Contender, DownloadBench, bench_download
from cairn.bench.embed import BARE_OF, EmbedBench, bench_embed
from cairn.bench.explore import bench_explore
from cairn.bench.neighbors import NeighborsRow, bench_neighbors, growth
from cairn.bench.parts import BASELINE, Row, bench_parts
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Option, Shape, parse
from cairn.cli.measuring_head import HEAD_SUMMARY, bench_head_command
from cairn.cli.measuring_input import INPUT_SUMMARY, bench_input_command
from cairn.cli.measuring_matching import MATCHING_SUMMARY, bench_matching_command
from cairn.cli.measuring_options import FOLDER, NOTES, WORK
from cairn.cli.measuring_recipes import RECIPES_SUMMARY, bench_recipes_command
from cairn.cli.measuring_scrub import SCRUB_SUMMARY, bench_scrub_command
from cairn.cli.measuring_train import TRAIN_SUMMARY, bench_train_command
from cairn.cli.measuring_training import LANDMARK_HEAD_SUMMARY, bench_landmark_head_command
from cairn.engines.local import processors
from cairn.models.backbones import open_backbone
from cairn.models.runtimes.openvino import processor
from cairn.pipeline.comparing import prepare_parts
from cairn.pipeline.importing import Lists

IMG2DATASET = Option(
    "--img2dataset", "the Python of an environment that has img2dataset, to measure it too", value="PYTHON"
)  # fmt: skip


def bench_command(arguments: Sequence[str]) -> int:
    """Measure a stage against its peers or its limit, in one run."""
    if not arguments or arguments[0] in ("-h", "--help"):
        say("usage: cairn bench NAME [...]\n")
        say("\n".join(f"  {name:<13} {summary}" for name, (summary, _) in BENCHES.items()))
        return 0 if arguments else 2
    if arguments[0] not in BENCHES:
        near = nearest_name(arguments[0], BENCHES)
        raise SettingsError([f"there is no bench {arguments[0]!r}{near}; see: cairn bench --help"])
    return BENCHES[arguments[0]][1](arguments[1:])


def _embed(arguments: Sequence[str]) -> int:
    shape = Shape((), (WORK,), {"describe": DescribeSettings, "bench": BenchSettings})
    given = parse("bench embed", BENCHES["embed"][0], shape, arguments)
    given.require_untyped_names(("describe_in",), because="each that the machine has is measured")
    describe = given.settings("describe", DescribeSettings)
    with tempfile.TemporaryDirectory() as scratch:
        cache = (given.path(WORK.flag) or Path(scratch)) / "backbones"
        backbone = open_backbone(describe, cache=cache, watch=TerminalWatch())
        settings = given.settings("bench", BenchSettings)
        _say_embed(bench_embed(backbone, describe, settings=settings, watch=TerminalWatch()))
    return 0


def _say_embed(found: EmbedBench) -> None:
    say(
        f"{found.backbone} at {found.side_px} px, batches of {found.batch_size}, {found.n_images} images a round"
    )
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    say(f"{found.processor}, {found.n_threads} threads; {versions}")
    rows = []
    for contender in found.contenders:
        ratio = found.ratio(contender.name, found.reference)
        rows.append(
            (
                contender.name,
                f"{contender.median:.1f}",
                f"{min(contender.images_per_s):.1f} to {max(contender.images_per_s):.1f}",
                "" if ratio is None else f"{ratio:.2f}",
                "" if contender.cosine is None else f"{contender.cosine:.6f}",
            )
        )
    head = ("contender", "images/s", "spread", f"× {found.reference}", "least cosine to it")
    say(table(head, rows))
    for name, reason in found.left_out.items():
        say(f"left out: {name}: {reason}")
    for name, bare in BARE_OF.items():
        share = found.ratio(name, bare)
        if share is not None:
            say(f"{name} reaches {share:.0%} of bare {bare}")


def _download(arguments: Sequence[str]) -> int:
    shape = Shape((), (IMG2DATASET, WORK), {"bench_download": DownloadBenchSettings})
    given = parse("bench download", BENCHES["download"][0], shape, arguments)
    settings = given.settings("bench_download", DownloadBenchSettings)
    with tempfile.TemporaryDirectory() as scratch:
        found = bench_download(
            given.path(WORK.flag) or Path(scratch),
            settings=settings,
            img2dataset=given.path(IMG2DATASET.flag),
            watch=TerminalWatch(),
        )
    _say_download(found)
    return 0


def _say_download(found: DownloadBench) -> None:
    say(
        f"{found.n_images:,} addresses of {found.n_photos} photos, 1600 × 1200, {found.photo_bytes / 1000:.0f} kB, "
        f"to {ways.SIDE_PX} px, quality {found.quality}"
    )
    versions = [f"{name} {version}" for name, version in found.versions.items()]
    say(", ".join([f"{found.processor}, {processors()} processors", *versions]))
    head = ("contender", "CPU ms/photo", "spread", "start CPU s", "photos/s", "spread", "peak MB", "error")  # fmt: skip
    say(table(head, [_download_row(contender) for contender in found.contenders]))
    for name, reason in found.left_out.items():
        say(f"left out: {name}: {reason}")
    for other in (ways.IMG2DATASET, ways.OLD_SCRIPT, ways.BARE):
        share = found.cpu_share(ways.CAIRN, other)
        if share is not None:
            say(f"Cairn takes {_not_in_our_favour(share)} × the CPU of {other}")


def _not_in_our_favour(share: float) -> str:
    """A share of which less is better, in three digits that never say less than it is."""
    return f"{math.ceil(round(share * 1000, 6)) / 1000:.3f}"


def _download_row(contender: Contender) -> tuple[str, ...]:
    cpu_ms, rates, peak = contender.cpu_ms, contender.images_per_s, contender.peak_bytes
    return (
        contender.name,
        f"{statistics.median(cpu_ms):.2f}",
        f"{min(cpu_ms):.2f} to {max(cpu_ms):.2f}",
        f"{contender.start_cpu_s:.2f}",
        f"{statistics.median(rates):.1f}",
        f"{min(rates):.1f} to {max(rates):.1f}",
        "" if peak is None else f"{peak / 1e6:.0f}",
        f"{contender.error:.2f}",
    )


def _neighbors(arguments: Sequence[str]) -> int:
    shape = Shape((), (), {"bench_neighbors": NeighborsBenchSettings})
    given = parse("bench neighbors", BENCHES["neighbors"][0], shape, arguments)
    settings = given.settings("bench_neighbors", NeighborsBenchSettings)
    rows = bench_neighbors(settings, watch=TerminalWatch())
    say(
        f"{settings.n_neighbors} neighbours of each of made-up descriptors of {settings.width} numbers"
    )
    head = ("descriptors", "way", "seconds", "ms each", "grows as n to the", "recall", "peak MB")
    say(
        table(
            head,
            [_neighbors_row(row, power) for row, power in zip(rows, growth(rows), strict=True)],
        )
    )
    return 0


def _neighbors_row(row: NeighborsRow, power: float | None) -> tuple[str, ...]:
    return (
        f"{row.n_vectors:,}",
        "exact" if row.is_exact else "inverted lists",
        f"{row.seconds:.2f}",
        f"{1000 * row.seconds / row.n_vectors:.3f}",
        "" if power is None else f"{power:.2f}",
        f"{row.recall:.4f}",
        f"{row.peak_bytes / 1e6:.0f}",
    )


def _parts(arguments: Sequence[str]) -> int:
    shape = Shape(
        (),
        (FOLDER, NOTES, WORK),
        {"describe": DescribeSettings, "train": TrainSettings, "parts": PartsSettings},
    )
    given = parse("bench parts", BENCHES["parts"][0], shape, arguments)
    settings = given.settings("parts", PartsSettings)
    watch = TerminalWatch()
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare_parts(
            given.path(WORK.flag) or Path(scratch),
            Lists(Path(given.options[FOLDER.flag]), notes=given.path(NOTES.flag)),
            describing=given.settings("describe", DescribeSettings),
            settings=settings,
            watch=watch,
        )
        training = given.settings("train", TrainSettings)
        rows = bench_parts(
            prepared.descriptors, prepared.images, prepared.deals,
            training=training, match=prepared.match, watch=watch,
        )  # fmt: skip
    say(f"{len(prepared.images.truth):,} images, seeds {', '.join(map(str, settings.seeds))}")
    _say_parts(rows)
    return 0


def _say_parts(rows: Sequence[Row]) -> None:
    plain = next(row.gaps for row in rows if row.name == BASELINE)
    cells = []
    for row in rows:
        over = [ours - theirs for ours, theirs in zip(row.gaps, plain, strict=True)]
        cells.append(
            (
                row.name,
                f"{statistics.mean(row.gaps):.4f}",
                f"{_spread(row.gaps):.4f}",
                f"{statistics.mean(row.top1s):.4f}",
                f"{statistics.mean(over):+.4f}",
                f"{_spread(over):.4f}",
                f"{sum(gain > 0 for gain in over)} of {len(over)}",
            )
        )
    head = ("way", "GAP", "SD", "top-1", "over the plain head", "SD", "higher in")
    say(table(head, cells))


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _explore(arguments: Sequence[str]) -> int:
    shape = Shape((), (WORK,), {"bench_explore": ExploreBenchSettings})
    given = parse("bench explore", BENCHES["explore"][0], shape, arguments)
    settings = given.settings("bench_explore", ExploreBenchSettings)
    with tempfile.TemporaryDirectory() as scratch:
        folder = (given.path(WORK.flag) or Path(scratch)).resolve()
        found = bench_explore(folder, settings=settings, watch=TerminalWatch())
    peak = found.cost.peak_bytes
    say(
        f"{found.n_rows:,} rows, {counted(found.n_landmarks, 'landmark')}, catalog of {found.size_bytes / 1e6:,.0f} MB; "
        f"{processor()[0]}, {processors()} processors"
    )
    say(
        f"cairn explore --no-sheets: {found.cost.wall_s:.1f} s, {found.cost.cpu_s:.1f} s of CPU, "
        f"{'memory not known' if peak is None else f'{peak / 1e6:,.0f} MB at most'}"
    )
    return 0


BENCHES: dict[str, tuple[str, Callable[[Sequence[str]], int]]] = {
    "embed": ("descriptors a second: torch, ONNX Runtime, OpenVINO and Cairn in one run", _embed),
    "explore": ("seconds and memory of exploring a large made-up catalog", _explore),
    "download": (
        "CPU, memory and pixels of downloads: Cairn, img2dataset, the old script, the limit",
        _download,
    ),
    "input": (INPUT_SUMMARY, bench_input_command),
    "landmark-head": (LANDMARK_HEAD_SUMMARY, bench_landmark_head_command),
    "head": (HEAD_SUMMARY, bench_head_command),
    "matching": (MATCHING_SUMMARY, bench_matching_command),
    "neighbors": (
        "seconds, recall and memory of the neighbours of all among all, to a million",
        _neighbors,
    ),
    "parts": (
        "GAP with distractors: what each part of the recogniser adds, over several splits",
        _parts,
    ),
    "recipes": (RECIPES_SUMMARY, bench_recipes_command),
    "train": (TRAIN_SUMMARY, bench_train_command),
    "scrub": (SCRUB_SUMMARY, bench_scrub_command),
}
