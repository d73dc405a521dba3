"""What every runtime promises: pixels in, feature maps out."""

from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Outputs = dict[str, npt.NDArray[np.float32]]
Arithmetic = Literal["fp32", "bf16", "int8"]


class Runtime(Protocol):
    """A network that is ready to run; calls from several threads wait for each other."""

    def run(self, pixels: Pixels) -> Outputs:
        """What the network sees in a batch of images of one shape.

        pixels: [B, 3, H, W], mean and deviation already taken out.
        Returns `maps` [B, C, h, w] and, where the network has one, `cls` [B, D].
        Raises InputError if the network cannot take images of this shape.
        """
        ...


def shape_refused(pixels: Pixels, reason: str) -> str:
    """The message for a batch that a network cannot take; `reason` is cut to its first line."""
    first_line = next((line for line in reason.splitlines() if line.strip()), "no reason given")
    return (
        f"the network cannot take images of the shape {list(pixels.shape)}: {first_line.strip()}; "
        "[B, 3, H, W] with sides that suit the network was expected; "
        "choose other --sides-px or another backbone"
    )
