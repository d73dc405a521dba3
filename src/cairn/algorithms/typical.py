"""Which of some vectors stand best for all of them."""

import numpy as np
import numpy.typing as npt


def nearest_to_mean(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """The places of the vectors, that of the one most like their mean first, of equals the earlier one first.

    vectors: [N, D], finite; each counts by its direction alone, and those of length 0 come last.
    Returns [N]; empty where there is no vector.
    """
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1)
    units = exact / np.where(lengths > 0, lengths, 1)[:, np.newaxis]
    # Added row by row, so that equal vectors come to equal sums wherever they stand.
    closeness = (units * units.sum(axis=0)).sum(axis=1)
    return np.argsort(np.where(lengths > 0, -closeness, np.inf), kind="stable")


def spread_over(
    vectors: npt.NDArray[np.float32], owners: npt.NDArray[np.int64], *, most: int
) -> npt.NDArray[np.bool_]:
    """[N]: at most `most` of each owner's vectors, spread evenly from the most typical to the least.

    vectors: [N, D], finite; owners: [N].
    """
    is_kept = np.ones(len(owners), np.bool_)
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    for rows in np.split(order, starts[1:]) if len(order) else ():
        if len(rows) > most:
            is_kept[rows] = False
            chosen = np.linspace(0, len(rows) - 1, most).round().astype(np.int64)
            is_kept[rows[nearest_to_mean(vectors[rows])[chosen]]] = True
    return is_kept
