"""Small questions asked of words and arrays where they enter; each answer is a sentence or a value."""

import difflib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError


def nearest_name(word: str, names: Iterable[str]) -> str:
    """` (did you mean NAME?)` for the nearest of `names`, or nothing where none is near."""
    near = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f" (did you mean {near[0]}?)" if near else ""


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `1,200 images`: a number with its noun."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """A time as people say it: `40 s`, `12 min`, `3.5 h`, `2.1 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def require_vectors(vectors: npt.NDArray[np.float32], *, what: str) -> None:
    """Nothing, where `vectors` is a finite [N, D] array; otherwise raises InputError."""
    if vectors.ndim != 2:
        raise InputError(
            f"{what} have the shape {vectors.shape}; [N, D] was expected: one row an image; "
            "put one descriptor in each row"
        )
    bad_rows = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad_rows.size:
        raise InputError(
            f"{what} hold numbers that are not finite in {bad_rows.size} of {len(vectors)} rows "
            f"(first: row {bad_rows[0]}); finite numbers were expected; make the descriptors again"
        )
