"""Two paths change their places in one step, where the system can."""

import ctypes
import os
from pathlib import Path

_CURRENT_FOLDER, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fs.h


def swapped(one: Path, other: Path) -> bool:
    """Whether `one` and `other`, on one file system, have changed places; False where the system cannot do that.

    At no moment is either of them missing. Source: renameat2(2) of Linux.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(rename(_CURRENT_FOLDER, names[0], _CURRENT_FOLDER, names[1], _EXCHANGE) == 0)
