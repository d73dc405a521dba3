"""Which runtimes there are, and which of them runs a backbone."""

from collections.abc import Callable

from cairn.base.errors import BundleError, SettingsError
from cairn.models.folders import Backbone
from cairn.models.runtimes.contract import Runtime
from cairn.models.runtimes.onnx import OnnxRuntime
from cairn.models.runtimes.openvino import OpenVinoRuntime
from cairn.models.runtimes.torch import TorchRuntime, has_gpu


def _torch(backbone: Backbone) -> Runtime:
    if backbone.weights is None:
        raise BundleError(
            f"the backbone {backbone.name} has no model.safetensors; the runtime torch needs it; "
            "use --runtime openvino, or a backbone folder with both files"
        )
    return TorchRuntime(backbone.config, backbone.weights)


RUNTIMES: dict[str, Callable[[Backbone], Runtime]] = {
    "openvino": lambda backbone: OpenVinoRuntime(backbone.network),
    "onnx": lambda backbone: OnnxRuntime(backbone.network),
    "torch": _torch,
}


def open_runtime(name: str, backbone: Backbone) -> Runtime:
    """The runtime of that name with the backbone in it; `auto` is torch on a GPU, else OpenVINO.

    Raises SettingsError for an unknown name, MissingExtra for one that is not installed, and
    BundleError if the backbone lacks the file that it runs.
    """
    if name == "auto":
        name = "torch" if backbone.weights is not None and has_gpu() else "openvino"
    if name not in RUNTIMES:
        known = ", ".join(["auto", *RUNTIMES])
        raise SettingsError(
            [f"runtime: {name!r} is not known; expected one of {known}; choose one"]
        )
    return RUNTIMES[name](backbone)
