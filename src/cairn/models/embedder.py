"""Descriptors of images: resized ahead, run in batches of one shape, pooled, joined, length one."""

import itertools
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cairn.base.errors import InputError
from cairn.base.files import digest_json
from cairn.base.settings import DescribeSettings
from cairn.models.ahead import worked_ahead
from cairn.models.folders import Backbone
from cairn.models.pooling import Vectors, length_one, pooled, require_poolings
from cairn.models.runtimes.contract import Pixels, Runtime
from cairn.models.runtimes.table import open_runtime
from cairn.models.shapes import (
    Pixels8,
    Shape,
    nearest_shape,
    require_image,
    resized,
    square,
    step_px,
)

# Another number for each change in the code that gives the same image another descriptor.
WAY = 1
# What neither changes the descriptors nor, by the backbone's digest, needs to be named again.
OUTSIDE_SOURCE = {"batch_size", "runtime", "backbone", "weights"}
# More images at once make fuller batches of each shape, and need more memory (1 MB an image).
WINDOW_BATCHES, WINDOW_IMAGES = 4, 256
MAX_THREADS = 4


@dataclass(frozen=True)
class Embedder:
    """Makes descriptors with one backbone and one set of settings; safe to share between threads."""

    backbone: Backbone
    settings: DescribeSettings
    runtime: Runtime

    @property
    def width(self) -> int:
        """The number of numbers in a descriptor."""
        return sum(self._widths)

    @property
    def source(self) -> str:
        """What the descriptors depend on, as a digest: the backbone and the settings that matter."""
        settings = {k: v for k, v in self.settings.as_json().items() if k not in OUTSIDE_SOURCE}
        # Descriptors in full precision are older than the choice, and stay what they were.
        if self.settings.describe_in == "fp32":
            del settings["describe_in"]
        return digest_json({"way": WAY, "backbone": self.backbone.digest, "settings": settings})

    def describe(self, images: Iterable[Pixels8]) -> Iterator[Vectors]:
        """Descriptors [n, D] of the next n images, block after block, in the order of `images`.

        images: uint8 [H, W, 3]; read in another thread, a few batches ahead, and never held all at once.
        Raises InputError at the first image that has another form.
        """
        batch_size = self.settings.batch_size
        window = max(batch_size, min(WINDOW_BATCHES * batch_size, WINDOW_IMAGES))
        seen = worked_ahead(images, self._views, n_threads=_n_threads(), n_ahead=2 * batch_size)
        for views in _windows(seen, window):
            yield self._descriptors(views)

    def describe_one(self, image: Pixels8) -> Vectors:
        """The descriptor [D] of one image, uint8 [H, W, 3]."""
        vector: Vectors = self._descriptors([self._views(image)])[0]
        return vector

    def coarse(self) -> "Embedder":
        """The same, but images are seen at the smallest side alone: for parts of images, which have fewer pixels."""
        sides = (min(self.settings.sides_px),)
        return replace(self, settings=self.settings.model_copy(update={"sides_px": sides}))

    def shapes_of(self, height: int, width: int) -> list[Shape]:
        """The shapes [H, W] at which an image of that size is seen, one for each side."""
        if self.backbone.fixed_size is not None:
            return [self.backbone.fixed_size]
        step = step_px(self.backbone.stride)
        sides = self.settings.sides_px
        if not self.settings.keep_shape:
            return [square(side_px, step) for side_px in sides]
        return [nearest_shape(height, width, side_px=side_px, step=step) for side_px in sides]

    def network_inputs(self, image: Pixels8) -> list[Pixels]:
        """What the network is given of one image: [1, 3, H, W] for each side."""
        cfg = self.backbone.config.pretrained_cfg
        return [normalized([view], mean=cfg.mean, std=cfg.std) for view in self._views(image)]

    def _views(self, image: Pixels8) -> list[Pixels8]:
        require_image(image)
        asked, own = self.settings.interpolation, self.backbone.config.pretrained_cfg.interpolation
        interpolation = own if asked == "network" else asked
        shapes = self.shapes_of(*image.shape[:2])
        return [resized(image, shape, interpolation=interpolation) for shape in shapes]

    def _descriptors(self, views: list[list[Pixels8]]) -> Vectors:
        """[n, D] of n images, each seen at every side."""
        joined = np.zeros((len(views), self.width), np.float32)
        for at_one_side in zip(*views, strict=True):
            joined += self._at_one_side(at_one_side)
        # Each pooling is made length one again, so that none outweighs another where sides disagree.
        parts = np.split(joined, np.cumsum(self._widths)[:-1], axis=1)
        return length_one(np.concatenate([length_one(part) for part in parts], axis=1))

    @property
    def _widths(self) -> list[int]:
        outputs = self.backbone.outputs
        return [outputs["cls" if name == "cls" else "maps"] for name in self.settings.pooling]

    def _at_one_side(self, views: Sequence[Pixels8]) -> Vectors:
        places: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, view in enumerate(views):
            places[view.shape].append(place)
        found = np.empty((len(views), self.width), np.float32)
        for batch in self._batches(places.values()):
            found[batch] = self._run([views[place] for place in batch])
        return found

    def _batches(self, groups: Iterable[list[int]]) -> Iterator[list[int]]:
        """The images of each group in batches: full ones, then halves, quarters and so on.

        A runtime prepares itself anew for each shape and number of images, and keeps what it prepared.
        """
        for group in groups:
            size, start = self.settings.batch_size, 0
            while start < len(group):
                while size > len(group) - start:
                    size = max(1, size // 2)
                yield group[start : start + size]
                start += size

    def _run(self, views: list[Pixels8]) -> Vectors:
        cfg = self.backbone.config.pretrained_cfg
        room = _room(len(views), *views[0].shape[:2])
        outputs = self.runtime.run(normalized(views, mean=cfg.mean, std=cfg.std, into=room))
        power = self.settings.gem_power
        parts = [pooled(outputs, name, gem_power=power) for name in self.settings.pooling]
        vectors = np.concatenate(parts, axis=1)
        if not np.isfinite(vectors).all():
            raise InputError(
                f"the backbone {self.backbone.name} gives numbers that are not finite; finite feature maps "
                "were expected; check its weights, or choose another backbone"
            )
        return vectors


def open_embedder(backbone: Backbone, settings: DescribeSettings) -> Embedder:
    """An embedder on the runtime that the settings name.

    Raises SettingsError if the backbone has not what the settings ask for, and MissingExtra if the
    runtime is not installed.
    """
    require_poolings(settings.pooling, backbone.outputs, backbone=backbone.name)
    runtime = open_runtime(settings.runtime, backbone, arithmetic=settings.describe_in)
    return Embedder(backbone, settings, runtime)


def normalized(
    images: Sequence[Pixels8] | Pixels8,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    into: Pixels | None = None,
) -> Pixels:
    """Pixels as a network wants them: [B, 3, H, W] of uint8 images [H, W, 3] of one shape, or [B, H, W, 3].

    into: where they are written, and what is returned; a new array without it.
    """
    scale = (1 / (255 * np.asarray(std))).astype(np.float32)
    shift = (np.asarray(mean) / np.asarray(std)).astype(np.float32)
    shape = (len(images), 3, *images[0].shape[:2])
    pixels = np.empty(shape, np.float32) if into is None else into
    for place, image in zip(pixels, images, strict=True):
        for c in range(3):
            np.multiply(image[..., c], scale[c], out=place[c])
            place[c] -= shift[c]
    return pixels


_kept = threading.local()


def _room(n_images: int, height: int, width: int) -> Pixels:
    """Room for a batch [B, 3, H, W], the same for each batch of a thread: new memory costs more than filling it."""
    size = n_images * 3 * height * width
    room: Pixels | None = getattr(_kept, "room", None)
    if room is None or room.size < size:
        room = _kept.room = np.empty(size, np.float32)
    return room[:size].reshape(n_images, 3, height, width)


def _windows(views: Iterator[list[Pixels8]], size: int) -> Iterator[list[list[Pixels8]]]:
    while window := list(itertools.islice(views, size)):
        yield window


def _n_threads() -> int:
    return min(MAX_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
