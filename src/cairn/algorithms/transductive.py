"""Rules that look at the answers to a whole test set at once: for contest files alone, wrong for one photo."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]


def ranked_down(scores: Floats, landmark_ids: Texts) -> Floats:
    """Scores [A] of which those of landmarks that were answered often are lower: `score - log(n)`.

    n is how many of the A answers name the same landmark: on scores that are log odds, the odds of an answer are
    divided by it. A landmark answered once keeps its score, and answers of one landmark keep their order.
    landmark_ids: [A].
    """
    _, place, counts = np.unique(landmark_ids, return_inverse=True, return_counts=True)
    lowered: Floats = scores - np.log(counts[place.reshape(-1)])
    return lowered
