"""Where a download keeps its images: a file each in folders of landmarks, or shards for training."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from cairn.base.errors import DiskError
from cairn.base.files import disk_errors, write_all
from cairn.images.keeping import KeptImage
from cairn.stages.download.journal import Journal, Outcome
from cairn.stages.download.shard_files import (
    SHARDS,
    OpenShard,
    mend_part,
    reopen,
    sample_bytes,
    sample_key,
    samples_of,
    shard_path,
    shards_at,
    sweep_copies,
)

# While one batch is flushed, the next is written.
N_WRITERS = 2
# Of a row of the plan, by its position.
Place = Callable[[int], str]
About = Callable[[int], Mapping[str, JsonValue]]


@dataclass(frozen=True)
class FolderOutput:
    """Images as files below `root`; `place` says where that of a row goes, without its ending."""

    root: Path
    place: Place
    n_writers: int = N_WRITERS

    def write(self, images: Sequence[tuple[int, KeptImage]]) -> list[str | DiskError]:
        """Where the image of each row now lies, whole and on the disk, relative to `root`.

        A DiskError in its place where the disk is full or refuses; what lay there before does so still.
        """
        paths = [self.place(index) + image.suffix for index, image in images]
        files = [
            (self.root / path, image.content)
            for path, (_, image) in zip(paths, images, strict=True)
        ]
        return [error or path for path, error in zip(paths, write_all(files), strict=True)]

    def flush(self) -> None:
        """Nothing: each image was on the disk when it was written."""


class ShardOutput:
    """Images as members of tar files below `root`/shards; a shard gets its name when it is full.

    A shard that has its name never changes. The last one of an earlier run, where it is not full, goes on in
    a copy that takes its place in the end. What a kill leaves behind that the journal does not know is cut off.
    place: where the image of a row would lie as a file; about: what its shard tells of it, see `sample_bytes`.
    """

    n_writers = 1

    def __init__(
        self, root: Path, journal: Journal, *, place: Place, about: About, shard_images: int
    ) -> None:
        self._root, self._journal = root, journal
        self._place, self._about = place, about
        self._shard_images = shard_images
        self._lock = threading.Lock()
        self._full: list[OpenShard] = []
        self._current: OpenShard | None = None
        self._not_full: int | None = None
        with self._at_work():
            sweep_copies(root)
            self._mend()
            self._go_on()

    def write(self, images: Sequence[tuple[int, KeptImage]]) -> list[str | DiskError]:
        """Where the image of each row now lies; whole and on the disk from the next `flush` on.

        A DiskError in its place where the disk is full or refuses.
        """
        ends: list[str | DiskError] = []
        for index, image in images:
            try:
                ends.append(self._append(index, image))
            except DiskError as error:
                ends.append(error)
        return ends

    def _append(self, index: int, image: KeptImage) -> str:
        key = sample_key(self._place(index))
        content, start = sample_bytes(key, self._about(index), image)
        with self._at_work():
            shard = self._current = self._current or self._begun()
            path = shard.append(content, start, len(image.content))
            if shard.n_images >= self._shard_images:
                self._full.append(shard)
                self._current = None
        return path

    def flush(self) -> None:
        """All that was written so far is on the disk."""
        with self._at_work():
            for shard in self._shards():
                shard.flush()

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """The journal has `outcomes`; full shards of which it knows every image have their names."""
        self._journal.record(outcomes)
        paths = {outcome.path for outcome in outcomes if outcome.path is not None}
        with self._at_work():
            for shard in self._shards():
                shard.unrecorded -= paths
            while self._full and not self._full[0].unrecorded:
                self._full[0].finish()
                del self._full[0]

    def close(self) -> None:
        """Every shard has its name and holds what the journal knows of, no more."""
        with self._at_work():
            is_unknown = any(shard.unrecorded for shard in self._shards())
            for shard in self._shards():
                shard.close()
            self._full, self._current = [], None
            if is_unknown:
                self._mend()
            for number in shards_at(self._root)[1]:
                OpenShard(self._root, number).finish()

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        with self._lock, disk_errors(self._root / SHARDS):
            yield

    def _shards(self) -> list[OpenShard]:
        return [*self._full, self._current] if self._current else self._full

    def _begun(self) -> OpenShard:
        """The shard to go on with: the last, where it is not full, else a new one."""
        named, parts = shards_at(self._root)
        if self._not_full is not None:
            number, self._not_full = self._not_full, None
            return reopen(self._root, number)
        return OpenShard(self._root, max((*named, *parts), default=-1) + 1)

    def _mend(self) -> None:
        """Half-written shards end before the first image that the journal does not know, and it forgets those behind.

        Behind a shard that is left empty all are, so that the numbers of shards go on without a gap.
        """
        is_left_empty = False
        for number in shards_at(self._root)[1]:
            keys = self._keys_in(number)
            whole = mend_part(self._root, number, {} if is_left_empty else keys)
            is_left_empty = not whole
            lost = [key for path, key in keys.items() if path not in whole]
            self._journal.forget(np.array(lost, np.int64))

    def _keys_in(self, number: int) -> dict[str, int]:
        """The keys of the images that the journal has in a shard, by path."""
        tables = self._journal.files(inside=f"{shard_path(number)}#")
        return {path: key for table in tables for key, path, _ in table.iter_rows()}

    def _go_on(self) -> None:
        """Shards that were being written have their names, but for the last, which is open where it is not full."""
        named, parts = shards_at(self._root)
        for number in parts:
            shard = OpenShard(self._root, number)
            is_last = number == parts[-1] or not shard.n_images
            if self._current is None and is_last and shard.n_images < self._shard_images:
                self._current = shard
            else:
                shard.finish()
        if named and not parts:
            path = self._root / shard_path(named[-1])
            places = {str(sample.place) for sample in samples_of(path, named[-1])}
            # What another journal wrote is not added to: a part of it would be cut off after a kill.
            if len(places) < self._shard_images and places == self._keys_in(named[-1]).keys():
                self._not_full = named[-1]
