"""The command that measures training steps: `cairn bench train`."""

from collections.abc import Sequence
from statistics import median

from cairn.base.settings import TrainBenchSettings
from cairn.bench.train import Speed, TrainBench, bench_train
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.models.runtimes.openvino import processor

TRAIN_SUMMARY = "images a second that a network learns from: Cairn's step beside plain torch's"


def bench_train_command(arguments: Sequence[str]) -> int:
    """How fast a network learns."""
    shape = Shape((), (), {"bench_train": TrainBenchSettings})
    given = parse("bench train", TRAIN_SUMMARY, shape, arguments)
    settings = given.settings("bench_train", TrainBenchSettings)
    _say(bench_train(settings, watch=TerminalWatch()))
    return 0


def _say(found: TrainBench) -> None:
    settings = found.settings
    say(
        f"{settings.backbone} at {settings.side_px} px, {settings.n_landmarks:,} landmarks, "
        f"{'all layers learn' if settings.fit == 'whole' else 'only the head learns'}; rounds of {settings.seconds:g} s"
    )
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    device = processor()[0] if found.device == "processor" else found.device
    say(f"{device}, {found.n_threads} threads; {versions}")
    head = ["way", "images a step", "images/s", "spread", "page faults an image", "peak MB"]
    shares = [found.peak_share(speed) for speed in found.speeds]
    if any(shares):
        head.append("of the GPU's peak")
    rows = [
        _row(speed) + ([f"{100 * share:.1f} %" if share else ""] if any(shares) else [])
        for speed, share in zip(found.speeds, shares, strict=True)
    ]
    say(table(head, rows))
    for reason in found.left_out:
        say(f"left out: {reason}")


def _row(speed: Speed) -> list[str]:
    low, high = speed.spread()
    faults = median(one.faults for one in speed.rounds)
    peak_bytes = max(one.peak_bytes for one in speed.rounds)
    return [
        speed.way, f"{speed.size}", f"{speed.images_per_s:.1f}", f"{low:.1f} to {high:.1f}", f"{faults:,.0f}",
        f"{peak_bytes / 1e6:,.0f}",
    ]  # fmt: skip
