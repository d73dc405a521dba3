"""Local features of the mirror image, made from those of the image, without looking at pixels again."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
# A SIFT feature holds, for 4 × 4 places around its point, how strong the edges of 8 directions are.
_PLACES, _DIRECTIONS = 4, 8


def mirrored_points(points: Floats, *, width_px: int) -> Floats:
    """Where `points` [N, 2] lie in the image mirrored from left to right, which is `width_px` wide."""
    mirrored = points.copy()
    mirrored[:, 0] = width_px - 1 - points[:, 0]
    return mirrored


def mirrored_features(features: Floats) -> Floats:
    """What SIFT would say of the same points [N, 128] in the mirror image.

    A feature is told in the frame of its point's main direction. Mirrored, that direction turns with the
    image, what lay on one side of it lies on the other, and directions count the other way round.
    """
    cells = features.reshape(-1, _PLACES, _PLACES, _DIRECTIONS)
    directions = -np.arange(_DIRECTIONS) % _DIRECTIONS
    return np.ascontiguousarray(cells[:, ::-1][..., directions]).reshape(features.shape)
