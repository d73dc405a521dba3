"""How an image goes on across a straight line: as one photo does, or as where another photo begins."""

import numpy as np
import numpy.typing as npt

Grey = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Where a border lies is known to a few pixels only; and shrunk images show it over two.
SLACK_PX, STEP_PX = 3, 2
# A step that JPEG does not make by itself, and how far it must stand out from those beside it.
LEAST_STEP_GREY, STANDS_OUT = 6.0, 2.0
_BESIDE_PX = (-5, -4, -3, 3, 4, 5)


def seam_share(grey: Grey, *, at: float) -> float:
    """The share of an upright line at x = `at` of `grey` [H, W] over which another photo seems to begin, 0 to 1.

    That is where grey values change there, or up to SLACK_PX beside it, much more than a little farther off. Photos
    have shares up to 0.4 where nothing begins; 0 where the line lies too near to the border.
    """
    wide = grey.astype(np.float32)
    steps = np.abs(wide[:, STEP_PX:] - wide[:, :-STEP_PX])
    middle = round(at - (STEP_PX - 1) / 2)
    best = 0.0
    for place in range(middle - SLACK_PX, middle + SLACK_PX + 1):
        if place + _BESIDE_PX[0] < 0 or place + _BESIDE_PX[-1] >= steps.shape[1]:
            continue
        beside = steps[:, [place + shift for shift in _BESIDE_PX]].mean(axis=1)
        here = steps[:, place]
        is_seam = (here > LEAST_STEP_GREY) & (here > STANDS_OUT * beside)
        best = max(best, float(is_seam.mean()))
    return best
