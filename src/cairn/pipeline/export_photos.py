"""The photos that an export is calibrated and compared on: of a work folder or of a folder of photos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.files import require_folder
from cairn.base.settings import ExportSettings
from cairn.base.watching import Watch
from cairn.images.pixels import Limits, decode, shrink
from cairn.images.store import FolderStore
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TRAIN, VAL
from cairn.stages.listing import IMAGE_SUFFIXES

FEWEST = 12
Pixels8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ExportPhotos:
    """Photos by path, shuffled: some to compare on, others to calibrate on; none is both."""

    store: FolderStore
    compared: tuple[str, ...]
    calibration: tuple[str, ...]

    @staticmethod
    def of(folder: Path, settings: ExportSettings) -> "ExportPhotos":
        """Those of a work folder that are in train or val (all of them where nothing was split), or all below a folder of photos.

        Raises InputError where there is no such folder, or it holds too few.
        """
        require_folder(
            folder, what="photos or a work folder", then="name one with --photos, or leave int8 out of --formats"
        )  # fmt: skip
        paths = _paths(folder)
        if len(paths) < FEWEST:
            raise InputError(
                f"{folder} holds {len(paths)} photos that can be used; {FEWEST} or more were expected, better some hundreds; "
                "name a larger folder with --photos"
            )
        order = np.random.default_rng(settings.seed).permutation(len(paths)).tolist()
        n_compared = min(settings.n_compared, len(paths) // 3)
        n_all = n_compared + settings.n_calibration
        drawn = [paths[i] for i in order[:n_all]]
        return ExportPhotos(
            FolderStore(folder), tuple(drawn[:n_compared]), tuple(drawn[n_compared:])
        )

    def pixels(self, paths: Sequence[str], *, max_side_px: int, watch: Watch) -> Iterator[Pixels8]:
        """Those of `paths` that can be read, made smaller where they are larger; a note counts the others."""
        unread: list[str] = []
        for path in paths:
            try:
                content = self.store.read(path)
                found = decode(content, limits=Limits(), enough_px=2 * max_side_px).pixels
            except InputError:
                unread.append(path)
                continue
            yield shrink(found, max_side_px=max_side_px)
        if unread:
            watch.note(
                f"{len(unread):,} of {counted(len(paths), 'photo')} have gone or cannot be read, and are passed over "
                f"(first: {unread[0]})"
            )


def _paths(folder: Path) -> list[str]:
    work = WorkFolder(folder)
    if not work.catalog_path.is_file():
        found = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
        return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())
    images = work.catalog().images.select("image_id", "path")
    if work.split_path.is_file():
        # An image in no part may be a copy of one in test.
        seen = work.split().table.filter(pl.col("part").is_in([TRAIN, VAL]))
        images = images.join(seen, on="image_id", how="semi")
    return sorted(images["path"])
