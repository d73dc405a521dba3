"""What a command that trains asks of the C library before anything else: to keep memory that it will need again at once."""

import ctypes
import sys

# Options of mallopt in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MOST = 2**31 - 1


def keep_memory() -> bool:
    """This process keeps the memory of big tensors for the next step; whether the C library could be told so.

    glibc maps each tensor above some megabytes anew and gives it back when it is freed, and the system fills each page
    with zeros before it hands it out: that takes up to a third of a training step (docs/decisions/0017-memory.md).
    It holds for the whole process, so only the door of the command line may call it, for a process that trains.
    """
    if not sys.platform.startswith("linux"):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    # Older versions of glibc take no threshold above 32 MB for mapping; then the other still helps.
    taken = [bool(set_option(one, _MOST)) for one in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return all(taken)
