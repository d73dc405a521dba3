"""Images on their way to the network: read, decoded no larger than needed, varied, stacked, in processes of their own."""

import multiprocessing
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.context import BaseContext

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.images.store import ImageStore
from cairn.training.order import Batch
from cairn.training.viewing import view

Ints = npt.NDArray[np.int64]
_BATCHES_AHEAD = 2


@dataclass(frozen=True)
class Sides:
    """The side in pixels that images are seen at, for each step; it can be sent to another process.

    growing: "0.5:128" and so on: until which share of `n_steps`, which side; then `last_px`.
    """

    n_steps: int
    last_px: int
    growing: tuple[str, ...] = ()

    def __call__(self, step: int) -> int:
        """The side at a step, counted from 0."""
        for text in self.growing:
            share, side = text.split(":")
            if step < float(share) * self.n_steps:
                return int(side)
        return self.last_px


@dataclass(frozen=True)
class TrainImages:
    """The N images of train that show a landmark: where each lies, and the positions of its landmarks.

    targets: [N, T] positions, main one first, padded with -1.
    """

    image_ids: tuple[str, ...]
    paths: tuple[str, ...]
    targets: Ints

    @property
    def n_photos(self) -> Ints:
        """[L]: how many images show each landmark, of those that any shows."""
        told = self.targets[self.targets >= 0]
        return np.bincount(told, minlength=int(self.targets.max(initial=-1)) + 1).astype(np.int64)


@dataclass(frozen=True)
class Seen:
    """What a step sees: pixels uint8 [B, S, S, 3], targets [B, T], and which batch it is.

    n_lost: images of the batch that could not be read; they are left out.
    """

    batch: Batch
    pixels: Tensor
    targets: Tensor
    n_lost: int

    def pin_memory(self) -> "Seen":
        """The same, where a GPU fetches it quickest."""
        return Seen(self.batch, self.pixels.pin_memory(), self.targets.pin_memory(), self.n_lost)


@dataclass(frozen=True)
class _Wanted:
    """A batch with where its images lie and what they show: all that a process has to know of the images."""

    batch: Batch
    paths: tuple[str, ...]
    targets: Ints


class _Batches(Dataset[Seen]):
    """A data set whose "index" is a batch of the order, so that a process makes it whole.

    It does not hold the images' paths: sent to each process and kept there, those of millions would fill the memory.
    """

    def __init__(self, store: ImageStore, augmenting: AugmentSettings, side_of: Sides) -> None:
        self.store, self.augmenting, self.side_of = store, augmenting, side_of

    def __getitem__(self, wanted: _Wanted) -> Seen:
        batch = wanted.batch
        side = self.side_of(batch.step)
        settings = self.augmenting.model_copy(update={"side_px": side})
        pixels = np.empty((len(batch.rows), side, side, 3), np.uint8)
        seen: list[int] = []
        for place, (path, key) in enumerate(zip(wanted.paths, batch.keys.tolist(), strict=True)):
            try:
                pixels[len(seen)] = view(self.store.read(path), key, settings)
            except InputError:
                continue
            seen.append(place)
        targets = torch.from_numpy(wanted.targets[np.array(seen, np.intp)])
        n_seen = len(seen)
        return Seen(batch, torch.from_numpy(pixels[:n_seen]), targets, len(pixels) - n_seen)


def batches_seen(
    images: TrainImages,
    batches: Iterable[Batch],
    *,
    store: ImageStore,
    augmenting: AugmentSettings,
    side_of: Sides,
    n_workers: int,
    is_pinned: bool = False,
) -> Generator[Seen]:
    """What each of `batches` sees, in their order, a few ahead of the reader.

    What comes does not depend on the number of workers. An image that can no longer be read is left out of its
    batch and counted.
    n_workers: processes that decode; 0: none, it is done when asked for. is_pinned: for a GPU.
    """
    loader: DataLoader[Seen] = DataLoader(
        _Batches(store, augmenting, side_of),
        sampler=_Given(images, batches),
        batch_size=None,
        num_workers=n_workers,
        prefetch_factor=_BATCHES_AHEAD if n_workers else None,
        multiprocessing_context=_beginning() if n_workers else None,
        pin_memory=is_pinned,
        in_order=True,
    )
    yield from loader


def _beginning() -> BaseContext:
    """How a process begins: never as a copy of one with threads, which may hang.

    Where the system can, it is a copy of a process that has done nothing but import what decoding needs, which takes
    milliseconds instead of seconds: workers begin anew for each look at val.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    beginning = multiprocessing.get_context("forkserver")
    beginning.set_forkserver_preload([__name__])
    return beginning


class _Given:
    """Batches as a sampler, which torch goes through once."""

    def __init__(self, images: TrainImages, batches: Iterable[Batch]) -> None:
        self._images, self._batches = images, batches

    def __iter__(self) -> Iterator[_Wanted]:
        for batch in self._batches:
            paths = tuple(self._images.paths[row] for row in batch.rows.tolist())
            yield _Wanted(batch, paths, self._images.targets[batch.rows])
