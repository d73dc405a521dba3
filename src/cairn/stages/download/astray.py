"""Astray: files that the journal does not know, and images that it knows and that are not there."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.files import PART_SUFFIX, SAFE_NAME, disk_errors, sweep_parts
from cairn.images.keeping import SUFFIX
from cairn.images.store import Inside
from cairn.stages.download.journal import Journal

SUFFIXES = frozenset(SUFFIX.values())


@dataclass(frozen=True)
class Swept:
    """How many half-written files, and how many images that nothing names, were removed."""

    n_parts: int
    n_orphans: int


class KnownPaths:
    """The paths that something names, in 8 bytes each: none of them is ever taken for unknown."""

    def __init__(self, paths: Iterable[pl.Series]) -> None:
        hashes = [series.drop_nulls().hash().to_numpy() for series in paths]
        self._hashes: npt.NDArray[np.uint64] = np.sort(
            np.concatenate([np.empty(0, np.uint64), *hashes])
        )

    def unknown(self, paths: pl.Series) -> pl.Series:
        """Those of `paths` that nothing names."""
        hashes = paths.hash().to_numpy()
        places = np.searchsorted(self._hashes, hashes)
        after = np.append(self._hashes, np.uint64(0))[places]
        is_known = (places < len(self._hashes)) & (after == hashes)
        return paths.filter(pl.Series(~is_known))


def sweep_images(root: Path, known: KnownPaths | None) -> Swept:
    """What was removed from the landmarks' folders below `root`/images: half-written files, and unknown ones.

    known: None where the last run came to its end; then all that is whole stays.
    Links, folders in folders, and names that Cairn would not give are never touched.
    """
    n_parts, n_orphans = 0, 0
    with disk_errors(root):
        for folder in _entries(root / "images", os.DirEntry.is_dir):
            names = [entry.name for entry in _entries(Path(folder), os.DirEntry.is_file)]
            n_parts += sweep_parts(Path(folder, name) for name in names)
            if known is not None:
                orphans = known.unknown(_paths(root, folder, names))
                n_orphans += _removed(root, Path(folder), orphans)
    return Swept(n_parts, n_orphans)


def _entries(
    folder: Path, is_wanted: Callable[[os.DirEntry[str]], bool]
) -> Iterator[os.DirEntry[str]]:
    """Files or folders in `folder`, without links; none where it is not there."""
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from [entry for entry in entries if not entry.is_symlink() and is_wanted(entry)]


def _paths(root: Path, folder: os.DirEntry[str], names: Iterable[str]) -> pl.Series:
    place = Path(folder).relative_to(root).as_posix()
    ours = [f"{place}/{name}" for name in names if _is_given(name)]
    return pl.Series(ours if SAFE_NAME.fullmatch(folder.name) else [], dtype=pl.String)


def _is_given(name: str) -> bool:
    """Whether Cairn might have given an image this name."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a Path for each takes longer
    return suffix in SUFFIXES and SAFE_NAME.fullmatch(stem) is not None


def _removed(root: Path, folder: Path, orphans: pl.Series) -> int:
    for path in orphans:
        (root / path).unlink(missing_ok=True)
    if len(orphans):
        # A landmark of which nothing is left is none.
        with contextlib.suppress(OSError):
            folder.rmdir()
    return len(orphans)


def forget_lost(root: Path, journal: Journal) -> int:
    """The number of images that the journal knew and that are not there in full; it knows them no more.

    Raises DiskError, and forgets none, where the disk does not say whether they are there.
    """
    sizes = _Sizes(root)
    with disk_errors(root):
        lost = [
            key
            for table in journal.files()
            for key, path, size_bytes in table.iter_rows()
            if not sizes.has(path, size_bytes)
        ]
    journal.forget(np.array(lost, np.int64))
    return len(lost)


class _Sizes:
    """The sizes of files below `root`; shards are asked for once."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._shards: dict[str, int] = {}

    def has(self, path: str, size_bytes: int) -> bool:
        """Whether the image at `path` is there with so many bytes."""
        inside = Inside.of(path)
        if inside is None:
            return self._size(path) == size_bytes
        if inside.file not in self._shards:
            name = Path(inside.file)
            part = name.with_name(f".{name.name}{PART_SUFFIX}")
            self._shards[inside.file] = max(self._size(inside.file), self._size(part.as_posix()))
        return inside.offset + inside.size_bytes <= self._shards[inside.file]

    def _size(self, path: str) -> int:
        try:
            return os.stat(f"{self._root}/{path}").st_size  # noqa: PTH116 - a Path for each takes longer than asking
        except (FileNotFoundError, NotADirectoryError):
            return -1
