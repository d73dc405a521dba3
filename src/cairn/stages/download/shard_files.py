"""Shards: tar files of images as WebDataset reads them; what one image takes in them, and which are there."""

import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from cairn.base.files import PART_SUFFIX, digest_bytes, sweep_parts, write_whole
from cairn.images.keeping import KeptImage
from cairn.images.store import Inside

SHARDS = "shards"
BLOCK_BYTES = tarfile.BLOCKSIZE
END_OF_TAR = bytes(2 * BLOCK_BYTES)
COPY_BYTES = 1 << 20
# What a shard tells of an image.
TOLD = ("id", "landmark_id", "url", "licence", "author", "width", "height")
SHARD_NAME = re.compile(r"(\d{5,})\.tar")
PART_NAME = re.compile(r"\.(\d{5,})\.tar" + re.escape(PART_SUFFIX))


@dataclass(frozen=True, slots=True)
class Sample:
    """An image of a shard: where its bytes lie, and where it ends together with what belongs to it."""

    place: Inside
    end: int


def shard_path(number: int) -> str:
    """Where a shard lies, relative to the work folder."""
    return f"{SHARDS}/{number:05}.tar"


def part_path(number: int) -> str:
    """Where a shard lies while it is being written."""
    return f"{SHARDS}/.{number:05}.tar{PART_SUFFIX}"


def shards_at(root: Path) -> tuple[list[int], list[int]]:
    """The numbers of the shards below `root`, and of those that are being written; sorted."""
    folder = root / SHARDS
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return _numbers(names, SHARD_NAME), _numbers(names, PART_NAME)


def _numbers(names: list[str], pattern: re.Pattern[str]) -> list[int]:
    return sorted({int(match[1]) for name in names if (match := pattern.fullmatch(name))})


def sample_key(stem: str) -> str:
    """What an image is called in a shard: the last part of `stem`, without dots, at which WebDataset would cut it."""
    name = stem.rpartition("/")[2]
    return (
        name if "." not in name else f"{name.replace('.', '_')}_{digest_bytes(name.encode())[:8]}"
    )


def sample_bytes(key: str, about: Mapping[str, JsonValue], image: KeptImage) -> tuple[bytes, int]:
    """An image with what is told of it, as members of a tar; and where in these bytes the image begins.

    about: the keys of TOLD, but for the size of the image.
    """
    # What is told comes first, so that the place of the image says where all of it ends.
    facts = {**about, "width": image.width_px, "height": image.height_px}
    told = json.dumps({name: facts[name] for name in TOLD}, ensure_ascii=False).encode()
    before = b"".join(
        (
            _header(f"{key}.json", len(told)),
            told,
            _padding(len(told)),
            _header(f"{key}{image.suffix}", len(image.content)),
        )
    )
    return b"".join((before, image.content, _padding(len(image.content)))), len(before)


def _header(name: str, size_bytes: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size_bytes
    return info.tobuf(tarfile.USTAR_FORMAT)


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % BLOCK_BYTES)


def samples_of(path: Path, number: int) -> Iterator[Sample]:
    """The images in the file `path` of a shard, in order, as far as they are whole."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        end = 0
        while (told := _member_at(file, end)) and (image := _member_at(file, told.end)):
            if image.end > size:
                return
            end = image.end
            yield Sample(Inside(shard_path(number), image.offset, image.size_bytes), end)


@dataclass(frozen=True, slots=True)
class _Member:
    offset: int
    size_bytes: int

    @property
    def end(self) -> int:
        return self.offset + self.size_bytes + -self.size_bytes % BLOCK_BYTES


def _member_at(file: BinaryIO, start: int) -> _Member | None:
    """The member whose header begins at `start`; None at the end of the tar, and where it is torn."""
    file.seek(start)
    try:
        header = tarfile.TarInfo.frombuf(file.read(BLOCK_BYTES), "ascii", "strict")
    except tarfile.HeaderError:
        return None
    return _Member(start + BLOCK_BYTES, header.size)


class OpenShard:
    """A shard that is being written, at its `part_path`: it ends at `end`, behind `n_images` images.

    unrecorded: the places of images of which the journal does not know yet; the writer keeps count.
    Methods raise OSError where the disk is full or refuses; the shard then ends where it did before.
    """

    def __init__(self, root: Path, number: int) -> None:
        self.number = number
        self.unrecorded: set[str] = set()
        self._path, self._named = root / part_path(number), root / shard_path(number)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.n_images, self.end = 0, 0
        for sample in samples_of(self._path, number):
            self.n_images, self.end = self.n_images + 1, sample.end

    def append(self, content: bytes, start: int, size_bytes: int) -> str:
        """The place of an image that begins at `start` of `content`, which is now the end of the shard."""
        try:
            view = memoryview(content)
            while view:
                view = view[os.pwrite(self._file, view, self.end + len(content) - len(view)) :]
        except BaseException:
            os.ftruncate(self._file, self.end)
            raise
        place = str(Inside(shard_path(self.number), self.end + start, size_bytes))
        self.end += len(content)
        self.n_images += 1
        self.unrecorded.add(place)
        return place

    def flush(self) -> None:
        """What was appended is on the disk."""
        os.fsync(self._file)

    def finish(self) -> None:
        """The shard has its name and never changes again; one without images is gone."""
        if not self.n_images:
            self._path.unlink()
            self.close()
            return
        os.pwrite(self._file, END_OF_TAR, self.end)
        os.ftruncate(self._file, self.end + len(END_OF_TAR))
        os.fsync(self._file)
        self._path.replace(self._named)
        self.close()

    def close(self) -> None:
        """The file is let go, as it is."""
        os.close(self._file)


def mend_part(root: Path, number: int, named: Container[str]) -> set[str]:
    """The places of the images in the shard's `part_path`, cut off before the first that is not in `named`."""
    path = root / part_path(number)
    places, end = set(), 0
    for sample in samples_of(path, number):
        if str(sample.place) not in named:
            break
        places.add(str(sample.place))
        end = sample.end
    os.truncate(path, end)
    return places


def reopen(root: Path, number: int) -> OpenShard:
    """A shard that has its name already, to go on with in a copy, which takes its place when it is finished."""
    with (root / shard_path(number)).open("rb") as file:
        write_whole(
            root / part_path(number), lambda copy: shutil.copyfileobj(file, copy, COPY_BYTES)
        )
    return OpenShard(root, number)


def sweep_copies(root: Path) -> None:
    """Copies of shards that a kill left unfinished are gone; shards that are being written stay."""
    sweep_parts((root / SHARDS).glob("..*"))
