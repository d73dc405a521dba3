"""Which photos a tar holds: 8 bytes for each, kept after the tar itself was read and removed."""

from pathlib import Path

import numpy as np

from cairn.base.files import write_whole
from cairn.stages.gld.id_table import Numbers


def write_ids(path: Path, numbers: Numbers) -> None:
    """`path` holds the numbers [N] of ids."""
    write_whole(path, lambda file: np.save(file, numbers, allow_pickle=False))


def read_ids(path: Path) -> Numbers | None:
    """The numbers [N] of ids that `path` holds; None where it holds none that can be read."""
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.dtype == np.uint64 and found.ndim == 1 else None
