"""The versions of the libraries that results hang on, found without importing them."""

import platform
from importlib import metadata

from cairn.version import __version__

LIBRARIES = (
    "numpy", "polars", "pillow", "opencv-python-headless", "faiss-cpu", "openvino", "safetensors", "torch", "torchvision",
    "timm", "onnx",
)  # fmt: skip


def versions() -> dict[str, str]:
    """The versions of Cairn, Python and the libraries that are installed here, by name."""
    found = {"cairn": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
