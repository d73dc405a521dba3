"""Networks in OpenVINO's own form, for programs that read it: `.xml` with the graph, `.bin` with the weights."""

import errno
import os
from pathlib import Path
from typing import Any

from cairn.base.files import disk_errors
from cairn.models.runtimes.cutting import cut_after_maps
from cairn.models.runtimes.openvino import read_network

# A disk with less is taken to be full where a file could not be written.
SMALLEST_FREE_BYTES = 1 << 20


def write_bf16(network: Path, trunk: Path) -> Path | None:
    """`trunk` (an `.xml`) holds the network up to its maps with weights of two bytes, to be run in bf16.

    What computes behind the maps, such as GeM and a neck, would be run in bf16 with them. It is written beside, in
    full precision, and its path returned; None where there is nothing of the kind.
    """
    found, rest = cut_after_maps(read_network(network))
    with disk_errors(trunk):
        trunk.parent.mkdir(parents=True, exist_ok=True)
        _save(found, trunk, is_half=True)
        if rest is None:
            return None
        top = trunk.with_name(f"{trunk.stem}.top.xml")
        _save(rest, top, is_half=False)
        return top


def write_int8(network: Path, path: Path) -> None:
    """`path` (an `.xml`) holds an int8 network; what it does not quantise keeps full precision."""
    model = read_network(network)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(model, path, is_half=False)


# Any: OpenVINO's own types are not published for type checkers.
def _save(model: Any, path: Path, *, is_half: bool) -> None:
    import openvino

    try:
        openvino.save_model(model, path, compress_to_fp16=is_half)
    except RuntimeError as error:
        # OpenVINO says that it could not write, and not why.
        free = os.statvfs(path.parent) if hasattr(os, "statvfs") else None
        is_full = free is not None and free.f_bavail * free.f_frsize < SMALLEST_FREE_BYTES
        number = errno.ENOSPC if is_full else errno.EIO
        raise OSError(number, str(error).strip().splitlines()[-1]) from error
