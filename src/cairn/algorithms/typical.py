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
