"""Group: photos that nobody has sorted, proposed as folders by likeness."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from cairn.algorithms.clustering import alike_groups

# Directions that all photos share say little about what they show: they are damped before comparing.
DAMPING_POWER = 0.5
ALONE = "_alone"


def group(sources: Sequence[str], vectors: npt.NDArray[np.float32]) -> Mapping[str, list[str]]:
    """The sources in each proposed folder: `group_001` is the largest, `_alone` holds the rest.

    vectors: [N, D], the descriptor of each source.
    """
    labels = alike_groups(_damped(vectors))
    sizes = np.bincount(labels, minlength=1)
    folders: dict[str, list[str]] = defaultdict(list)
    for source, label in zip(sources, labels.tolist(), strict=True):
        folders[f"group_{label + 1:03}" if sizes[label] > 1 else ALONE].append(source)
    return folders


def _damped(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    if len(vectors) < 3:
        return vectors
    centred = vectors - vectors.mean(axis=0)
    _, strengths, directions = np.linalg.svd(centred, full_matrices=False)
    kept = strengths > 1e-4 * strengths[0]
    damped = centred @ directions[kept].T / strengths[kept] ** DAMPING_POWER
    lengths = np.linalg.norm(damped, axis=1, keepdims=True)
    return np.asarray(damped / np.maximum(lengths, 1e-12), dtype=np.float32)
