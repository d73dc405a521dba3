"""What is decided at present about images of a work folder, also while somebody decides anew."""

import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.files import digest_bytes
from cairn.pipeline.holding import made
from cairn.pipeline.work_folder import WorkFolder


@dataclass(frozen=True)
class DecidedNow:
    """What holds about an image: why it is left out, or None; what it shows instead, or None; a sentence; by whom."""

    excluded: str | None
    landmark_ids: tuple[str, ...] | None
    because: str
    by: str


class CurrentDecisions:
    """The decisions of one work folder, read again when they have changed; several threads may ask at once."""

    def __init__(self, place: WorkFolder) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._seen: tuple[tuple[int, int, int] | None, ...] | None = None
        self._table: pl.DataFrame | None = None

    @property
    def state(self) -> str:
        """Another one where the decisions are others."""
        return digest_bytes(repr(self._files()).encode())[:12]

    def about(self, image_ids: Collection[str]) -> dict[str, DecidedNow]:
        """What is decided about those of `image_ids` about which anything is."""
        table = self._current()
        if table is None:
            return {}
        rows = table.filter(pl.col("image_id").is_in(list(image_ids)))
        return {
            image_id: DecidedNow(excluded, None if shown is None else tuple(shown), because or "", by or "")
            for image_id, excluded, shown, because, by in rows.select(
                "image_id", "excluded", "landmark_ids", "because", "by"
            ).iter_rows()
        }  # fmt: skip

    def _current(self) -> pl.DataFrame | None:
        """The newest decisions, None where nothing is decided."""
        with self._lock:
            seen = self._files()
            if seen != self._seen:
                newest = made(self._place)
                self._table = newest[0].table if newest else None
                self._seen = seen
            return self._table

    def _files(self) -> tuple[tuple[int, int, int] | None, ...]:
        paths = (self._place.next_decisions_path, self._place.decisions_path)
        return tuple(map(_state, paths))


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes when the file at `path` does; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
