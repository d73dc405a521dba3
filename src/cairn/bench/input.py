"""How fast training is fed: Cairn's input from folders and from shards beside torchvision's, and what the network waits."""

import contextlib
import os
import shutil
import statistics
import tarfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from cairn.base.settings import AugmentSettings, InputBenchSettings
from cairn.base.watching import Watch
from cairn.bench.measured import cpu_s_of
from cairn.bench.photos import SIZE_PX, VARIANTS, make_photos
from cairn.engines.local import processors
from cairn.images.store import FolderStore, Inside
from cairn.models.networks import require_torch
from cairn.models.runtimes.openvino import processor

if TYPE_CHECKING:
    from cairn.bench.input_torch import Fed
    from cairn.training.input import TrainImages

SMALL_PX = (640, 480)
FOLDERS, SHARDS, TORCHVISION = "Cairn, folders", "Cairn, shards", "torchvision"
CUT_ONLY, TORCHVISION_CUT_ONLY = "Cairn, cut only", "torchvision, cut only"
SYNTHETIC = "synthetic tensors"
IMAGES_A_SHARD = 32
PACKAGES = ("torch", "torchvision", "timm", "pillow", "opencv-python-headless")
_CUT = {
    "rotation_deg": 0, "blur_chance": 0, "brightness": 0, "contrast": 0, "saturation": 0, "jpeg_chance": 0,
    "erase_chance": 0,
}  # fmt: skip

Told = TypeVar("Told")
Feed = Callable[[], "Generator[Fed]"]


@dataclass(frozen=True)
class Fill:
    """What one way to batches brought: images a second, and milliseconds of CPU an image, in each round."""

    size_px: tuple[int, int]
    name: str
    images_per_s: tuple[float, ...]
    cpu_ms: tuple[float, ...]

    def processors_for(self, images_per_s: float) -> int:
        """How many processors bring so many images a second, all of them busy with nothing else."""
        return -int(-images_per_s * statistics.median(self.cpu_ms) // 1000)


@dataclass(frozen=True)
class Step:
    """How fast the same network was trained on one input: images a second in each round, and the share of synthetic."""

    name: str
    images_per_s: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class InputBench:
    """What was measured, and on what; `steps` are on photos of the first size of `photo_bytes`."""

    photo_bytes: dict[tuple[int, int], float]
    n_workers: int
    processor: str
    device: str
    versions: dict[str, str]
    fills: tuple[Fill, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Laid:
    """The same photos twice: in a folder for each landmark, and in shards."""

    root: Path
    in_folders: "TrainImages"
    in_shards: "TrainImages"


def bench_input(scratch: Path, *, settings: InputBenchSettings, watch: Watch) -> InputBench:
    """Images a second of each way to batches, and of a training on each, in rounds that take turns.

    scratch: photos are made and kept here (about 70 MB), in `folders` and `shards`.
    Raises MissingExtra without torch.
    """
    require_torch(settings.backbone)
    from cairn.bench.input_torch import SmallTraining, synthetic_batches

    n_workers = settings.workers if settings.workers >= 0 else processors()
    fills: list[Fill] = []
    photo_bytes, laid = {}, {}
    for size_px in (SIZE_PX, SMALL_PX):
        place = laid[size_px] = lay(scratch, size_px, settings.n_photos, watch)
        files = list((place.root / "folders").glob("*/*.jpg"))
        photo_bytes[size_px] = statistics.mean(path.stat().st_size for path in files)
        fills += _fills(size_px, feeds(place, settings, n_workers), settings, n_workers, watch)
    first = laid[SIZE_PX]
    training = SmallTraining(settings.backbone, first.in_folders, settings.side_px)

    def synthetic() -> "Generator[Fed]":
        n_landmarks = len(first.in_folders.n_photos)
        yield from synthetic_batches(
            settings.side_px, n_images=settings.batch_images, n_landmarks=n_landmarks
        )

    ways = feeds(first, settings, n_workers)
    fed = {SYNTHETIC: synthetic, **{name: ways[name] for name in (FOLDERS, SHARDS, TORCHVISION)}}
    arithmetic = str(training.arithmetic).removeprefix("torch.")
    return InputBench(
        photo_bytes=photo_bytes,
        n_workers=n_workers,
        processor=processor()[0],
        device=f"{training.device.type}, {arithmetic}",
        versions={package: metadata.version(package) for package in PACKAGES},
        fills=tuple(fills),
        steps=_steps(fed, training.take, settings, n_workers, watch),
    )


def lay(scratch: Path, size_px: tuple[int, int], n_photos: int, watch: Watch) -> Laid:
    """Made-up photos of a size in folders and in shards; photos that were made already are kept."""
    from cairn.training.input import TrainImages

    root = scratch / "x".join(map(str, size_px))
    photos = make_photos(root / "photos", n_photos=n_photos, size=size_px, watch=watch)
    # What an earlier run laid of more photos must not be counted.
    for old in ("folders", "shards"):
        shutil.rmtree(root / old, ignore_errors=True)
    (root / "shards").mkdir()
    paths, places = [], []
    for number, photo in enumerate(photos):
        path = f"folders/{number // VARIANTS:03}/{photo.name}"
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(photo, root / path)
        paths.append(path)
    for first in range(0, len(photos), IMAGES_A_SHARD):
        name = f"shards/{first // IMAGES_A_SHARD:05}.tar"
        places += _shard(root, name, photos[first : first + IMAGES_A_SHARD])
    ids = tuple(photo.stem for photo in photos)
    targets = np.arange(len(photos))[:, None] // VARIANTS
    return Laid(root, TrainImages(ids, tuple(paths), targets), TrainImages(ids, tuple(places), targets))  # fmt: skip


def _shard(root: Path, name: str, photos: Sequence[Path]) -> list[str]:
    """Where each photo lies in a tar of them, as the catalog says it."""
    with tarfile.open(root / name, "w") as tar:
        for photo in photos:
            tar.add(photo, photo.name)
    with tarfile.open(root / name) as tar:
        return [str(Inside(name, one.offset_data, one.size)) for one in tar]


def feeds(laid: Laid, settings: InputBenchSettings, n_workers: int) -> dict[str, Feed]:
    """Each way to batches without end; its processes begin with the first batch and end when it is closed."""
    from cairn.bench.input_torch import torchvision_batches

    whole = AugmentSettings(side_px=settings.side_px)
    cut = AugmentSettings.model_validate({**whole.model_dump(), **_CUT})

    def ours(images: "TrainImages", augmenting: AugmentSettings) -> Feed:
        return lambda: _ours(laid.root, images, augmenting, settings.batch_images, n_workers)

    def theirs(augmenting: AugmentSettings, *, is_cut_only: bool) -> Feed:
        return lambda: torchvision_batches(
            laid.root / "folders", augmenting, n_images=settings.batch_images, n_workers=n_workers,
            is_cut_only=is_cut_only,
        )  # fmt: skip

    return {
        FOLDERS: ours(laid.in_folders, whole),
        SHARDS: ours(laid.in_shards, whole),
        TORCHVISION: theirs(whole, is_cut_only=False),
        CUT_ONLY: ours(laid.in_folders, cut),
        TORCHVISION_CUT_ONLY: theirs(cut, is_cut_only=True),
    }


def _ours(
    root: Path, images: "TrainImages", augmenting: AugmentSettings, n_images: int, n_workers: int
) -> "Generator[Fed]":
    from cairn.bench.input_torch import has_gpu
    from cairn.training.input import Sides, batches_seen
    from cairn.training.order import Order

    order = Order(images.image_ids, images.targets[:, 0], "as they are", 0)
    given = order.from_step(0, n_images, last="filled")
    seen = batches_seen(
        images, given, store=FolderStore(root), augmenting=augmenting,
        side_of=Sides(1, augmenting.side_px), n_workers=n_workers, is_pinned=has_gpu(),
    )  # fmt: skip
    with contextlib.closing(seen):
        for one in seen:
            yield one.pixels, one.targets[:, 0]


def _fills(
    size_px: tuple[int, int], ways: Mapping[str, Feed], settings: InputBenchSettings, n_workers: int, watch: Watch
) -> list[Fill]:  # fmt: skip
    n_batches = -(-settings.n_images // settings.batch_images)
    n_images = n_batches * settings.batch_images
    if not n_images:
        return []

    def filled(feed: Feed) -> tuple[float, float]:
        with contextlib.closing(feed()) as batches:
            for _ in range(_n_ahead(n_workers)):
                next(batches)
            cpu_s, started = cpu_s_of(os.getpid()), time.perf_counter()
            for _ in range(n_batches):
                next(batches)
            wall_s = time.perf_counter() - started
            return n_images / wall_s, 1000 * (cpu_s_of(os.getpid()) - cpu_s) / n_images

    found = _rounds(ways, filled, settings.rounds, f"feed {size_px[0]} × {size_px[1]}", watch)
    return [
        Fill(size_px, name, tuple(one[0] for one in told), tuple(one[1] for one in told))
        for name, told in found.items()
    ]


def _steps(
    ways: Mapping[str, Feed], take: "Callable[[Generator[Fed], int], None]", settings: InputBenchSettings,
    n_workers: int, watch: Watch,
) -> tuple[Step, ...]:  # fmt: skip
    n_images = settings.n_steps * settings.batch_images
    if not n_images:
        return ()

    def stepped(feed: Feed) -> float:
        with contextlib.closing(feed()) as batches:
            # Until as much is made ahead as is in the long run.
            take(batches, _n_ahead(n_workers))
            started = time.perf_counter()
            take(batches, settings.n_steps)
            return n_images / (time.perf_counter() - started)

    found = _rounds(ways, stepped, settings.rounds, "train", watch)
    whole = found[SYNTHETIC]
    return tuple(
        Step(name, tuple(rates), tuple(a / b for a, b in zip(rates, whole, strict=True)))
        for name, rates in found.items()
    )


def _n_ahead(n_workers: int) -> int:
    """More batches than the processes make ahead."""
    return 2 * n_workers + 1


def _rounds(
    ways: Mapping[str, Feed], run: Callable[[Feed], Told], n_rounds: int, what: str, watch: Watch
) -> dict[str, list[Told]]:
    """What each way told in each round; a round starts one way later than the one before."""
    names = list(ways)
    told: dict[str, list[Told]] = {name: [] for name in names}
    with watch.phase(what, n_rounds * len(names)) as advance:
        for i in range(n_rounds):
            first = i % len(names)
            for name in names[first:] + names[:first]:
                told[name].append(run(ways[name]))
                advance(1)
    return told
