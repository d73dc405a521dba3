"""Where images lie: read by image id, written whole, one folder a landmark."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.base.files import safe_name, write_bytes
from cairn.images.pixels import Limits, decode, encode_jpeg, shrink

THUMBNAIL_PX = 256


class ImageStore(Protocol):
    """What a stage needs of the place where images lie."""

    def read(self, path: str) -> bytes:
        """The bytes at `path`, as the catalog names it."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """`path` holds `content`, or what it held before."""
        ...


@dataclass(frozen=True)
class FolderStore:
    """Images as files below a folder; a path is relative to it, with forward slashes."""

    root: Path

    def read(self, path: str) -> bytes:
        """The bytes at `path`.

        Raises InputError where the file has gone or cannot be read.
        """
        try:
            return (self.root / path).read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.root / path} cannot be read: {error.strerror}; the catalog says that the image lies "
                "there; bring it back, or import its folder again"
            ) from error

    def write(self, path: str, content: bytes) -> None:
        """`path` holds `content`, or what it held before."""
        write_bytes(self.root / path, content)


def image_path(landmark_id: str, image_id: str, suffix: str) -> str:
    """`images/<landmark_id>/<image_id>.jpg`, each part safe as a file's name."""
    return f"images/{safe_name(landmark_id)}/{safe_name(image_id)}{suffix}"


def read_pixels(
    store: ImageStore, path: str, *, enough_px: int | None = None
) -> npt.NDArray[np.uint8]:
    """The pixels uint8 [H, W, 3] of an image that was checked when it was kept."""
    return decode(store.read(path), limits=Limits(), enough_px=enough_px).pixels


def thumbnail(store: ImageStore, path: str) -> bytes:
    """A small JPEG of the image, its longest side at most 256 px."""
    pixels = read_pixels(store, path, enough_px=THUMBNAIL_PX)
    return encode_jpeg(shrink(pixels, max_side_px=THUMBNAIL_PX), quality=82)
