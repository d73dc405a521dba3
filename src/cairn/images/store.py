"""Where images lie: as files, one folder a landmark, written whole; or inside of tar files."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.base.files import safe_name, write_bytes
from cairn.images.pixels import Limits, decode, encode_jpeg, shrink

THUMBNAIL_PX = 256
# The bytes of an image inside of a file: where they begin, and how many they are.
INSIDE = re.compile(r"([^#]+)#(\d+)\+(\d+)")


class ImageStore(Protocol):
    """What a stage needs of the place where images lie."""

    def read(self, path: str) -> bytes:
        """The bytes at `path`, as the catalog names it."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """`path` holds `content`, or what it held before."""
        ...


@dataclass(frozen=True, slots=True)
class Inside:
    """Where an image lies that is a part of `file`, such as a shard: `size_bytes` bytes from `offset` on."""

    file: str
    offset: int
    size_bytes: int

    def __str__(self) -> str:
        return f"{self.file}#{self.offset}+{self.size_bytes}"

    @staticmethod
    def of(path: str) -> "Inside | None":
        """What `path` says, where it is one such as `shards/00000.tar#512+1234`; None where it is a file's."""
        match = INSIDE.fullmatch(path)
        return Inside(match[1], int(match[2]), int(match[3])) if match else None


@dataclass(frozen=True)
class FolderStore:
    """Images as files below a folder, or inside of such files; a path is relative to it, with forward slashes."""

    root: Path

    def read(self, path: str) -> bytes:
        """The bytes at `path`, which may be a part of a file, see `Inside`.

        Raises InputError where the file has gone, ends too early or cannot be read.
        """
        inside = Inside.of(path)
        try:
            if inside is None:
                return (self.root / path).read_bytes()
            with (self.root / inside.file).open("rb") as file:
                file.seek(inside.offset)
                content = file.read(inside.size_bytes)
        except OSError as error:
            raise InputError(
                f"{self.root / path} cannot be read: {error.strerror}; the catalog says that the image lies "
                "there; bring it back, or run again what brought it there: cairn import or cairn download"
            ) from error
        if len(content) < inside.size_bytes:
            raise InputError(
                f"{self.root / path} ends after {len(content):,} bytes; the {inside.size_bytes:,} bytes of an "
                "image were expected there; bring the whole file back, or run the same cairn download again"
            )
        return content

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
