"""Which runtimes there are, and which of them runs a backbone."""

from collections.abc import Callable

from cairn.base.errors import BundleError, SettingsError
from cairn.models.folders import Backbone
from cairn.models.runtimes.contract import Arithmetic, Runtime
from cairn.models.runtimes.onnx import OnnxRuntime
from cairn.models.runtimes.openvino import OpenVinoRuntime
from cairn.models.runtimes.torch import TorchRuntime, has_gpu


def _torch(backbone: Backbone, arithmetic: Arithmetic) -> Runtime:
    if backbone.weights is None:
        raise BundleError(
            f"the backbone {backbone.name} has no model.safetensors; the runtime torch needs it; "
            "use --runtime openvino, or a backbone folder with both files"
        )
    return TorchRuntime(backbone.config, backbone.weights, arithmetic=arithmetic)


RUNTIMES: dict[str, Callable[[Backbone, Arithmetic], Runtime]] = {
    "openvino": lambda backbone, arithmetic: OpenVinoRuntime(
        backbone.network, arithmetic=arithmetic
    ),
    "onnx": lambda backbone, _: OnnxRuntime(backbone.network),
    "torch": _torch,
}
COMPUTES_IN: dict[str, tuple[Arithmetic, ...]] = {
    "openvino": ("fp32", "bf16", "int8"),
    "onnx": ("fp32", "int8"),
    "torch": ("fp32", "bf16"),
}


def open_runtime(name: str, backbone: Backbone, *, arithmetic: Arithmetic = "fp32") -> Runtime:
    """The runtime of that name with the backbone in it; `auto` is torch on a GPU, else OpenVINO.

    arithmetic: in int8 the backbone is a quantised one, which torch does not run.
    Raises SettingsError for an unknown name or an arithmetic that the runtime lacks, MissingExtra for one that is not
    installed, and BundleError if the backbone lacks the file that it runs.
    """
    if name == "auto":
        is_for_torch = backbone.weights is not None and arithmetic in COMPUTES_IN["torch"]
        name = "torch" if is_for_torch and has_gpu() else "openvino"
    if name not in RUNTIMES:
        known = ", ".join(["auto", *RUNTIMES])
        raise SettingsError(
            [f"runtime: {name!r} is not known; expected one of {known}; choose one"]
        )
    if arithmetic not in COMPUTES_IN[name]:
        able = " or ".join(other for other, can in COMPUTES_IN.items() if arithmetic in can)
        raise SettingsError(
            [
                f"describe_in: the runtime {name} does not compute in {arithmetic}; "
                f"{' or '.join(COMPUTES_IN[name])} was expected; choose one of them, or --runtime {able}"
            ]
        )
    return RUNTIMES[name](backbone, arithmetic)
