"""How fast images become descriptors: our embedder beside the bare runtimes and torch, in one run."""

import functools
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cairn.base.errors import BundleError, MissingExtra
from cairn.base.settings import BenchSettings, DescribeSettings
from cairn.base.watching import Watch
from cairn.models.embedder import Embedder, normalized, open_embedder
from cairn.models.folders import INT8, Backbone
from cairn.models.pooling import Vectors, length_one, pooled
from cairn.models.quantising import quantise
from cairn.models.runtimes.contract import Pixels, Runtime
from cairn.models.runtimes.onnx import OnnxRuntime
from cairn.models.runtimes.openvino import OpenVinoRuntime, processor
from cairn.models.runtimes.torch import TorchRuntime

TORCH, ONNX, OPENVINO = "torch eager fp32", "ONNX Runtime fp32", "OpenVINO fp32"
OPENVINO_BF16, OPENVINO_INT8 = "OpenVINO bf16", "OpenVINO int8"
CAIRN, CAIRN_RESIZING = "Cairn", "Cairn, resizing"
CAIRN_BF16, CAIRN_INT8 = "Cairn bf16", "Cairn int8"
# Each of ours, and the bare runtime that it is measured against.
BARE_OF = {CAIRN: OPENVINO, CAIRN_BF16: OPENVINO_BF16, CAIRN_INT8: OPENVINO_INT8}
PACKAGES = ("openvino", "onnxruntime", "torch", "timm", "numpy")
# A photo of the usual shape, about as large as a folder of photos holds them.
PHOTO_SHAPE = (480, 640)

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Contender:
    """One way to the descriptors: images a second in each round, and how near its descriptors are.

    cosine: the smallest over the images, to the reference named in the bench.
    """

    name: str
    images_per_s: tuple[float, ...]
    cosine: float | None

    @property
    def median(self) -> float:
        """Images a second in the middle round."""
        return statistics.median(self.images_per_s)


@dataclass(frozen=True)
class EmbedBench:
    """What was measured, and on what; `left_out` has the reason for each contender that is missing."""

    backbone: str
    side_px: int
    batch_size: int
    n_images: int
    processor: str
    n_threads: int
    versions: dict[str, str]
    reference: str
    contenders: tuple[Contender, ...]
    left_out: dict[str, str]

    def ratio(self, name: str, to: str) -> float | None:
        """How many times as fast `name` is as `to`: the median over rounds; None where one is missing."""
        by_name = {contender.name: contender.images_per_s for contender in self.contenders}
        if name not in by_name or to not in by_name:
            return None
        pairs = zip(by_name[name], by_name[to], strict=True)
        return statistics.median(fast / slow for fast, slow in pairs)


def bench_embed(
    backbone: Backbone, describe: DescribeSettings, *, settings: BenchSettings, watch: Watch
) -> EmbedBench:
    """Images a second of each contender, on the same images, in rounds that take turns.

    The images are squares of the first side, in batches of `describe.batch_size`, average-pooled. The
    bare runtimes are given finished pixels; Cairn starts at uint8 images, and once more at photos of
    640 x 480 that it makes smaller first.
    """
    describe = describe.model_copy(
        update={
            "sides_px": describe.sides_px[:1],
            "keep_shape": False,
            "pooling": ("avg",),
            "runtime": "openvino",
        }
    )
    embedder = open_embedder(backbone, describe)
    height, width = embedder.shapes_of(1, 1)[0]
    images = _photos((height, width), settings.n_images)
    runtimes, left_out = _runtimes(backbone, _batches(embedder, images))
    ways = _bare_ways(runtimes, embedder, images)
    for name, bare in BARE_OF.items():
        if bare in runtimes:
            ours = embedder if name == CAIRN else replace(embedder, runtime=runtimes[bare])
            ways[name] = functools.partial(_described, ours, images)
    references = {name: way() for name, way in ways.items()}
    reference = next(iter(references))
    photos = _photos(PHOTO_SHAPE, settings.n_images)
    ways[CAIRN_RESIZING] = lambda: _described(embedder, photos)
    seconds = _rounds(ways, n_rounds=settings.rounds, watch=watch)
    return EmbedBench(
        backbone=backbone.name,
        side_px=height,
        batch_size=describe.batch_size,
        n_images=settings.n_images,
        processor=processor()[0],
        n_threads=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        versions=_versions(),
        reference=reference,
        contenders=tuple(
            Contender(
                name,
                tuple(settings.n_images / s for s in seconds[name]),
                _cosine(references[name], references[reference]) if name in references else None,
            )
            for name in ways
        ),
        left_out=left_out,
    )


def _photos(shape: tuple[int, int], n_images: int) -> Images:
    """[N, H, W, 3]: made-up images with large and small structure, so that no two are alike."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 160, (n_images, 8, 8, 3), dtype=np.uint8)
    rows = np.arange(shape[0]) * 8 // shape[0]
    columns = np.arange(shape[1]) * 8 // shape[1]
    return coarse[:, rows][:, :, columns] + rng.integers(0, 90, (*shape, 3), dtype=np.uint8)


def _runtimes(
    backbone: Backbone, batches: list[Pixels]
) -> tuple[dict[str, Runtime], dict[str, str]]:
    """The runtimes that this machine has, torch first, and why the others are left out."""
    runtimes: dict[str, Runtime] = {}
    left_out: dict[str, str] = {}
    makers: dict[str, Callable[[], Runtime]] = {
        TORCH: lambda: _torch(backbone),
        ONNX: lambda: OnnxRuntime(backbone.network),
        OPENVINO: lambda: OpenVinoRuntime(backbone.network),
        OPENVINO_BF16: lambda: _bf16(backbone),
        OPENVINO_INT8: lambda: _int8(backbone, batches),
    }
    for name, make in makers.items():
        try:
            runtimes[name] = make()
        except (MissingExtra, BundleError) as error:
            left_out[name] = str(error)
    return runtimes, left_out


def _torch(backbone: Backbone) -> Runtime:
    if backbone.weights is None:
        raise BundleError(
            f"the backbone {backbone.name} has no model.safetensors; torch needs it; "
            "name a backbone folder with both files"
        )
    return TorchRuntime(backbone.config, backbone.weights, device="cpu")


def _bf16(backbone: Backbone) -> Runtime:
    name, abilities = processor()
    if "BF16" not in abilities:
        raise BundleError(
            f"{name} does not compute in bf16; a processor that does was expected; "
            "measure on another machine"
        )
    return OpenVinoRuntime(backbone.network, arithmetic="bf16")


def _int8(backbone: Backbone, batches: list[Pixels]) -> Runtime:
    """The backbone's int8 twin; where it has none, one that is calibrated on what is measured, for its speed only."""
    if (backbone.folder / INT8).is_file():
        return OpenVinoRuntime(backbone.folder / INT8, arithmetic="int8")
    with tempfile.TemporaryDirectory() as made:
        twin = Path(made) / INT8
        quantise(backbone.network, twin, batches)
        return OpenVinoRuntime(twin, arithmetic="int8")


def _batches(embedder: Embedder, images: Images) -> list[Pixels]:
    cfg, size = embedder.backbone.config.pretrained_cfg, embedder.settings.batch_size
    pixels = normalized(images, mean=cfg.mean, std=cfg.std)
    return [pixels[start : start + size] for start in range(0, len(pixels), size)]


def _bare_ways(
    runtimes: dict[str, Runtime], embedder: Embedder, images: Images
) -> dict[str, Callable[[], Vectors]]:
    batches = _batches(embedder, images)
    return {name: functools.partial(_bare, runtime, batches) for name, runtime in runtimes.items()}


def _bare(runtime: Runtime, batches: list[Pixels]) -> Vectors:
    return np.concatenate([pooled(runtime.run(batch), "avg", gem_power=1) for batch in batches])


def _described(embedder: Embedder, images: Images) -> Vectors:
    return np.concatenate(list(embedder.describe(images)))


def _rounds(
    ways: dict[str, Callable[[], Vectors]], *, n_rounds: int, watch: Watch
) -> dict[str, list[float]]:
    """Seconds of each way in each round; a round starts one way later than the one before."""
    names = list(ways)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    with watch.phase("measure", n_rounds * len(names)) as advance:
        for i in range(n_rounds):
            first = i % len(names)
            for name in names[first:] + names[:first]:
                start = time.perf_counter()
                ways[name]()
                seconds[name].append(time.perf_counter() - start)
                advance(1)
    return seconds


def _cosine(vectors: Vectors, reference: Vectors) -> float:
    return float((length_one(vectors) * length_one(reference)).sum(axis=1).min())


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
