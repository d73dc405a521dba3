"""Points of images as they are kept: where they lie and what they look like, 68 bytes each, to be memory-mapped."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from cairn.base.errors import BundleError, InputError
from cairn.base.files import disk_errors, write_npy

Places = npt.NDArray[np.uint16]
Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Codes have half a byte for each number of a feature.
CODE_BYTES = 64
_WHOLE = 65535
STARTS, PLACES, CODES, SIZES = "starts.npy", "places.npy", "codes.npy", "sizes.npy"
POINT_FILES = (STARTS, PLACES, CODES, SIZES)


@dataclass(frozen=True)
class ImagePoints:
    """The points of one image, the strongest first.

    places: [N, 2] x and y in 65535ths of the image's longest side. codes: [N, 64], see algorithms/point_codes.py.
    size_px: width and height of the image.
    """

    places: Places
    codes: Codes
    size_px: tuple[int, int]

    def __post_init__(self) -> None:
        n = len(self.places)
        if self.places.shape != (n, 2) or self.codes.shape != (n, CODE_BYTES):
            raise InputError(
                f"points have places and codes of the shapes {self.places.shape} and {self.codes.shape}; [N, 2] and "
                f"[N, {CODE_BYTES}] were expected; give one row for each point"
            )

    @staticmethod
    def at(places_px: Floats, codes: Codes, size_px: tuple[int, int]) -> "ImagePoints":
        """The points at `places_px` [N, 2], in pixels of an image of that size."""
        shares = np.clip(places_px / max(*size_px, 1), 0, 1)
        return ImagePoints(np.rint(shares * _WHOLE).astype(np.uint16), codes, size_px)

    @staticmethod
    def none() -> "ImagePoints":
        """No point at all."""
        return ImagePoints(np.empty((0, 2), np.uint16), np.empty((0, CODE_BYTES), np.uint8), (0, 0))

    @property
    def places_px(self) -> Floats:
        """[N, 2]: x and y in pixels of the image."""
        return self.places.astype(np.float32) * np.float32(max(self.size_px) / _WHOLE)


@dataclass(frozen=True)
class ListedPoints:
    """The points of images as a list, asked for by row as those of a table are."""

    images: Sequence[ImagePoints]

    def __len__(self) -> int:
        return len(self.images)

    def of(self, row: int) -> ImagePoints:
        """The points of one image."""
        return self.images[row]


@dataclass(frozen=True)
class PointTable:
    """The points of N images: those of image i are the rows from starts[i] to starts[i + 1].

    starts: [N + 1]. places: [P, 2], codes: [P, 64], sizes: [N, 2], as in ImagePoints.
    """

    starts: Ints
    places: Places
    codes: Codes
    sizes: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def counts(self) -> Ints:
        """[N]: how many points each image has."""
        return np.diff(self.starts)

    def of(self, row: int) -> ImagePoints:
        """The points of one image."""
        mine = slice(int(self.starts[row]), int(self.starts[row + 1]))
        width, height = self.sizes[row].tolist()
        return ImagePoints(self.places[mine], self.codes[mine], (width, height))

    @staticmethod
    def read(folder: Path, *, n_images: int) -> "PointTable":
        """The table in `folder`, memory-mapped: processes that read it share its memory.

        Raises BundleError where it does not hold the points of `n_images` images.
        """
        try:
            starts, places, codes, sizes = (_mapped(folder / name) for name in POINT_FILES)
        except (OSError, ValueError) as error:
            raise BundleError(
                f"{folder} holds no points that can be read ({error}); the files that cairn index wrote were expected; "
                "copy the bundle again"
            ) from error
        shapes = (starts.shape, places.shape, codes.shape, sizes.shape)
        n_points = int(starts[-1]) if len(starts) else 0
        expected = ((n_images + 1,), (n_points, 2), (n_points, CODE_BYTES), (n_images, 2))
        if shapes != expected or (np.diff(starts) < 0).any():
            raise BundleError(
                f"{folder} holds points of the shapes {shapes}; {expected} were expected, for {n_images} images; copy "
                "the bundle again"
            )
        return PointTable(np.asarray(starts), places, codes, np.asarray(sizes))


def write_points(folder: Path, counts: Ints, images: Iterable[ImagePoints]) -> None:
    """`folder` holds the points of `images`, which are taken one by one; counts: [N] how many each has.

    Raises InputError where an image has another number of points than its count, and DiskError where the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    sizes = np.zeros((len(counts), 2), np.int32)
    with disk_errors(folder), (folder / PLACES).open("wb") as places, (folder / CODES).open("wb") as codes:  # fmt: skip
        _write_header(places, np.dtype(np.uint16), (int(starts[-1]), 2))
        _write_header(codes, np.dtype(np.uint8), (int(starts[-1]), CODE_BYTES))
        for row, image in enumerate(images):
            if row >= len(counts) or len(image.places) != counts[row]:
                raise InputError(
                    f"image {row} of {len(counts)} has {len(image.places)} points; as many as were counted were expected; "
                    "this is a fault of the program that counted them: please report it"
                )
            sizes[row] = image.size_px
            places.write(np.ascontiguousarray(image.places).tobytes())
            codes.write(np.ascontiguousarray(image.codes).tobytes())
        for file in (places, codes):
            file.flush()
            os.fsync(file.fileno())
    write_npy(folder / STARTS, starts)
    write_npy(folder / SIZES, sizes)


def _write_header(file: BinaryIO, kind: np.dtype[np.generic], shape: tuple[int, ...]) -> None:
    told = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, told)


def _mapped(path: Path) -> np.ndarray:
    """The array at `path`, memory-mapped; one without numbers cannot be, and is read."""
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        array = np.load(path, allow_pickle=False)
    return array
