"""Whether the disk has room for more photos: told in words while it has not, and never a photo's fault."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cairn.base.errors import DiskError
from cairn.base.files import FULL_DISK, disk_errors

LOOK_AGAIN_S = 1.0
TRY_AGAIN_S = 5.0
SPARE_FILES = 1_000
T = TypeVar("T")


@dataclass(frozen=True)
class Free:
    """What a disk has left; `files` is None where the file system does not count them."""

    n_bytes: int
    files: int | None


def free_at(path: Path) -> Free:
    """What is left to this user on the disk that holds `path`; raises DiskError where it does not say."""
    with disk_errors(path):
        found = os.statvfs(path)
    return Free(found.f_bavail * found.f_frsize, found.f_favail if found.f_files else None)


def free_for(folder: Path) -> Free:
    """What is left on the disk that holds `folder`, or will once it is made."""
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    return free_at(place)


def shortage_ahead(n_bytes: float, n_files: int, *, free: Free, spare_bytes: int) -> str | None:
    """Why so many bytes in so many files will not find room besides what is to stay free, in words; None where they will."""
    has_bytes = n_bytes + spare_bytes <= free.n_bytes
    if has_bytes and (free.files is None or n_files + SPARE_FILES <= free.files):
        return None
    files = "" if free.files is None else f" and room for {free.files:,} files"
    return (
        f"the disk has {free.n_bytes / 1e9:,.2f} GB{files} left, and about {n_bytes / 1e9:,.2f} GB in {n_files:,} files "
        "are to come: it will be full before the end; free some space, or keep less (--max-side-px, --sample, "
        "--output shards)"
    )


def is_full_disk(error: DiskError) -> bool:
    """Whether the disk (or a quota on it) is full, rather than refusing for another reason."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in FULL_DISK


class Room:
    """The room on one disk, looked at once a second at most.

    ask: what is left now. spare_bytes: less than this is too little.
    """

    def __init__(self, ask: Callable[[], Free], *, spare_bytes: int) -> None:
        self._ask = ask
        self._spare_bytes = spare_bytes
        self._looked_at = float("-inf")
        self._shortage: str | None = None
        self._writes_refused = 0

    def refused(self) -> None:
        """A write has just met a full disk; it will be tried again."""
        self._writes_refused += 1

    def accepted(self) -> None:
        """A write that was refused before has gone through, or was left for another run."""
        self._writes_refused -= 1

    def shortage(self, now: float) -> str | None:
        """Why nothing new should be begun, in words; None while there is room."""
        if now - self._looked_at >= LOOK_AGAIN_S:
            self._looked_at = now
            self._shortage = self._measured()
        if self._writes_refused and self._shortage is None:
            return "the disk is full: free some space, and the download goes on by itself"
        return self._shortage

    def _measured(self) -> str | None:
        free = self._ask()
        if free.n_bytes < self._spare_bytes:
            return (
                f"the disk has {free.n_bytes / 1e6:,.1f} MB left, less than the {self._spare_bytes / 1e6:,.0f} MB of "
                "--spare-disk-mb: free some space, and the download goes on by itself"
            )
        if free.files is not None and free.files < SPARE_FILES:
            return (
                f"the disk has room for {free.files:,} more files only, however small: remove some, or use "
                "--output shards; the download goes on by itself"
            )
        return None


async def when_there_is_room(
    work: Callable[[], Awaitable[T]], room: Room, *, ends: Callable[[], bool]
) -> T | None:
    """What `work` gives, tried again while the disk is full; None where that was so until `ends`.

    Raises what `work` raises, but for a DiskError of a full disk.
    """
    is_refused = False
    try:
        while True:
            try:
                return await work()
            except DiskError as error:
                if not is_full_disk(error):
                    raise
            if not is_refused:
                room.refused()
                is_refused = True
            if ends():
                return None
            await asyncio.sleep(TRY_AGAIN_S)
    finally:
        if is_refused:
            room.accepted()
