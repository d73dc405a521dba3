"""How fast a network learns: Cairn's step beside plain torch's, on made-up images, in rounds that take turns."""

import contextlib
import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from multiprocessing.connection import Connection
from statistics import median
from typing import TYPE_CHECKING

from cairn.base.errors import InputError
from cairn.base.settings import TrainBenchSettings
from cairn.base.watching import Watch
from cairn.models.networks import require_torch

if TYPE_CHECKING:
    from cairn.training.speed import Ready, Stepped, Steps

PACKAGES = ("torch", "timm")
GIVEN_BACK = "Cairn, memory given back"
# Operations a second in bf16, dense, as the makers' data sheets say.
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """One way with batches of one size: what each round took."""

    way: str
    size: int
    rounds: tuple["Stepped", ...]

    @property
    def images_per_s(self) -> float:
        """Images a second in the middle round."""
        return median(one.images_per_s for one in self.rounds)

    def spread(self) -> tuple[float, float]:
        """Images a second in the slowest and in the quickest round."""
        speeds = [one.images_per_s for one in self.rounds]
        return min(speeds), max(speeds)


@dataclass(frozen=True)
class TrainBench:
    """What was measured, and on what; `left_out` has the reason for each way and size that is missing.

    operations: of one image, forward and backward; 0 where they were not counted.
    """

    settings: TrainBenchSettings
    device: str
    n_threads: int
    versions: dict[str, str]
    speeds: tuple[Speed, ...]
    operations: float
    left_out: tuple[str, ...]

    def peak_share(self, speed: Speed) -> float | None:
        """The share of the GPU's operations a second that a way uses; None where either is not known."""
        peak = next((peak for name, peak in PEAKS.items() if name in self.device), None)
        if peak is None or not self.operations:
            return None
        return speed.images_per_s * self.operations / peak


def bench_train(
    settings: TrainBenchSettings, *, watch: Watch, ways: Sequence[str] = ()
) -> TrainBench:
    """Images a second of each way and size. Each way has a process of its own, as memory is kept by process or not.

    ways: all if left out.
    Raises MissingExtra without torch, InputError where no way could take a step.
    """
    require_torch(settings.backbone)
    from cairn.training.speed import Steps

    speeds: list[Speed] = []
    left_out: list[str] = []
    readies: list[Ready] = []
    ways = ways or _ways(settings)
    with watch.phase("measure", len(settings.sizes) * len(ways) * (settings.rounds + 1)) as advance:
        for size in settings.sizes:
            steps = Steps(settings.backbone, size, settings.side_px, settings.n_landmarks, settings.fit == "frozen")  # fmt: skip
            with contextlib.ExitStack() as stack:
                takers: dict[str, Connection] = {}
                for way in ways:
                    taker, said = stack.enter_context(_taker(way, steps))
                    advance(1)
                    if isinstance(said, str):
                        left_out.append(f"{way} with {size} images a step: {said.splitlines()[0]}")
                    else:
                        takers[way] = taker
                        readies.append(said)
                found: dict[str, list[Stepped]] = {way: [] for way in takers}
                for number in range(settings.rounds):
                    first = number % max(1, len(takers))
                    names = list(takers)
                    for way in names[first:] + names[:first]:
                        takers[way].send(settings.seconds)
                        found[way].append(_received(takers[way], way))
                        advance(1)
                speeds += [Speed(way, size, tuple(took)) for way, took in found.items()]
    if not readies:
        raise InputError(
            f"no way of training {settings.backbone} could take a step; one was expected; the first said: {left_out[0]}"
        )
    versions = {package: metadata.version(package) for package in PACKAGES}
    operations = max(one.operations for one in readies)
    return TrainBench(
        settings, readies[0].device, readies[0].n_threads, versions, tuple(speeds), operations, tuple(left_out)
    )  # fmt: skip


def _ways(settings: TrainBenchSettings) -> list[str]:
    from cairn.training.speed import CAIRN_COMPILED, WAYS

    known = [way for way in WAYS if way != CAIRN_COMPILED or settings.compiled]
    return [*known, GIVEN_BACK]


@contextlib.contextmanager
def _taker(way: str, steps: "Steps") -> Iterator[tuple[Connection, "Ready | str"]]:
    """A process that takes steps in one way, and what it said when it could begin; it ends with this."""
    from cairn.training.speed import CAIRN, WAYS, serve

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    name = way if way in WAYS else CAIRN
    # Plain torch is what people have who do nothing about it.
    keeps_memory = way.startswith(CAIRN) and way != GIVEN_BACK
    process = context.Process(target=serve, args=(theirs, name, steps, keeps_memory), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours, _said(ours)
    finally:
        with contextlib.suppress(OSError):
            ours.send(None)
        ours.close()
        process.join()


def _said(connection: Connection) -> "Ready | str":
    try:
        said: Ready | str = connection.recv()
    except EOFError:
        return "its process died, most likely for want of memory"
    return said


def _received(connection: Connection, way: str) -> "Stepped":
    said: Stepped | str | None
    try:
        said = connection.recv()
    except EOFError:
        said = None
    if said is None or isinstance(said, str):
        raise InputError(
            f"{way} ended in the middle of a round ({said or 'its process died'}); steps were expected; try smaller --sizes"
        )
    return said
