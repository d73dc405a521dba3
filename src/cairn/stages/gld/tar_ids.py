"""Which photos a tar holds: 8 bytes for each, kept after the tar itself was read and removed."""

from pathlib import Path

import numpy as np

from cairn.base.files import write_whole
from cairn.stages.gld.id_table import Numbers


def write_ids(folder: Path, tar: str, numbers: Numbers) -> None:
    """The photos in the tar of that place below `folder` are those with these numbers [N] of ids."""
    write_whole(_path(folder, tar), lambda file: np.save(file, numbers, allow_pickle=False))


def read_ids(folder: Path, tar: str) -> Numbers | None:
    """The numbers [N] of the ids of the photos in a tar; None where nothing that can be read was written of it."""
    try:
        found = np.load(_path(folder, tar), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.uint64 and found.ndim == 1 else None


def _path(folder: Path, tar: str) -> Path:
    return folder / f"{tar.removesuffix('.tar')}.ids.npy"
