"""Features of points in few bytes: four bits for each number, which matching does not miss."""

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.uint8]

# Root-normalised SIFT seldom has a larger number; those that are count as this.
_LARGEST = 0.35
_STEPS = 15


def to_codes(features: Floats) -> Codes:
    """uint8 [N, F/2]: the features [N, F], not negative and of length one, at 16 steps each; F is even.

    Raises InputError where F is odd.
    """
    if features.ndim != 2 or features.shape[1] % 2:
        raise InputError(
            f"features of the shape {features.shape} were to be coded two in a byte; [N, F] with an even F was "
            "expected; give one row for each point"
        )
    steps = np.rint(np.clip(features, 0, _LARGEST) * (_STEPS / _LARGEST)).astype(np.uint8)
    return np.ascontiguousarray(steps[:, ::2] << 4 | steps[:, 1::2])


def from_codes(codes: Codes) -> Floats:
    """float32 [N, 2·B]: features of length one that `codes` [N, B] stand for; a row of zeros stays."""
    features = np.empty((len(codes), 2 * codes.shape[1]), np.float32)
    features[:, ::2], features[:, 1::2] = codes >> 4, codes & _STEPS
    lengths = np.sqrt(np.einsum("nf,nf->n", features, features))
    features /= np.maximum(lengths, 1e-12)[:, None]
    return features
