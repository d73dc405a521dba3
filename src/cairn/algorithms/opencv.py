"""OpenCV, imported late and set so that the same input gives the same output; nothing is computed here."""

from functools import cache
from types import ModuleType


@cache
def opencv() -> ModuleType:
    """The module `cv2`, on one thread and on the CPU, as all of Cairn uses it.

    Cairn's own threads share the work; OpenCV's would add up in an order that changes from run to run.
    """
    import cv2  # late, because `cairn --help` needs none of it

    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)
    return cv2
