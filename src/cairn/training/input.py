"""Images on their way to the network: read, decoded no larger than needed, varied, stacked, in processes of their own."""

import multiprocessing
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.images.pixels import Limits, decode
from cairn.images.store import ImageStore
from cairn.training.augmenting import augment
from cairn.training.keys import generator_of
from cairn.training.order import Batch

Ints = npt.NDArray[np.int64]
# A cut is decoded this much larger than it ends up, so that enlarging never blurs it.
_ROOM = 1.15
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


class _Batches(Dataset[Seen]):
    """A data set whose "index" is a batch of the order, so that a process makes it whole."""

    def __init__(
        self, images: TrainImages, store: ImageStore, augmenting: AugmentSettings, side_of: Sides
    ) -> None:
        self.images, self.store = images, store
        self.augmenting, self.side_of = augmenting, side_of

    def __getitem__(self, batch: Batch) -> Seen:
        settings = self.augmenting.model_copy(update={"side_px": self.side_of(batch.step)})
        seen, rows = [], []
        for row, key in zip(batch.rows.tolist(), batch.keys.tolist(), strict=True):
            try:
                seen.append(view(self.images.paths[row], key, self.store, settings))
            except InputError:
                continue
            rows.append(row)
        side = settings.side_px
        stacked = np.stack(seen) if seen else np.empty((0, side, side, 3), np.uint8)
        targets = self.images.targets[rows] if rows else self.images.targets[:0]
        return Seen(
            batch, torch.from_numpy(stacked), torch.from_numpy(targets), len(batch.rows) - len(rows)
        )


def view(
    path: str, key: int, store: ImageStore, settings: AugmentSettings
) -> npt.NDArray[np.uint8]:
    """An image as the network sees it once: uint8 [S, S, 3], augmented as `key` says.

    Raises InputError where it cannot be read.
    """
    # The smallest cut is enlarged the most.
    enough = settings.side_px * _ROOM / max(settings.area[0], 0.05) ** 0.5
    decoded = decode(store.read(path), limits=Limits(), enough_px=round(1.5 * enough))
    return augment(decoded.pixels, settings, generator_of(key))


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
        _Batches(images, store, augmenting, side_of),
        sampler=_Given(batches),
        batch_size=None,
        num_workers=n_workers,
        prefetch_factor=_BATCHES_AHEAD if n_workers else None,
        multiprocessing_context=_beginning() if n_workers else None,
        pin_memory=is_pinned,
        in_order=True,
    )
    yield from loader


def _beginning() -> str:
    """How a process begins: never as a copy of one with threads, which may hang."""
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


class _Given:
    """Batches as a sampler, which torch goes through once."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches)
