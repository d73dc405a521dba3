"""OpenVINO: runs ONNX networks on a CPU, and is what the base install brings."""

import threading
from pathlib import Path
from typing import Any

from cairn.base.errors import BundleError, InputError
from cairn.models.runtimes.contract import Outputs, Pixels, shape_refused

# One request at a time has all the cores. Full precision is asked for, because the default on a CPU
# with bf16 is bf16, and the same image must have the same descriptor on every machine.
CPU_OPTIONS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoRuntime:
    """A network compiled once for every shape: measured as fast as a compilation for each shape."""

    def __init__(self, network: Path, *, options: dict[str, str] | None = None) -> None:
        import openvino

        model = read_network(network)
        self._names = [output.get_any_name() for output in model.outputs]
        self._compiled = openvino.Core().compile_model(model, "CPU", options or CPU_OPTIONS)
        self._one_at_a_time = threading.Lock()

    def run(self, pixels: Pixels) -> Outputs:
        """`maps`, and `cls` where there is one; see `Runtime.run`."""
        try:
            with self._one_at_a_time:
                found = self._compiled([pixels], share_inputs=True, share_outputs=False)
        except RuntimeError as error:
            raise InputError(shape_refused(pixels, str(error))) from error
        return {name: found[i] for i, name in enumerate(self._names)}


def processor() -> tuple[str, frozenset[str]]:
    """The name of this machine's processor, and what it computes in: FP32, BF16, INT8 and so on."""
    import openvino

    core = openvino.Core()
    can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return str(core.get_property("CPU", "FULL_DEVICE_NAME")), frozenset(map(str, can))


# Any: OpenVINO's own types are not published for type checkers.
def read_network(network: Path) -> Any:
    """The ONNX network at `network`, not yet compiled.

    Raises BundleError if it cannot be read or gives no `maps`.
    """
    import openvino

    try:
        model = openvino.Core().read_model(network)
    except RuntimeError as error:
        raise BundleError(
            f"{network} cannot be read as an ONNX network; a whole file was expected; "
            "copy it again, or export the backbone again"
        ) from error
    names = [name for output in model.outputs for name in output.get_names()]
    if "maps" not in names or len(model.inputs) != 1:
        raise BundleError(
            f"{network} has {len(model.inputs)} inputs and gives {', '.join(names) or 'nothing'}; one "
            "input (pixels) and the output maps [B, C, h, w] were expected; export the backbone with "
            "cairn export"
        )
    return model


def output_shapes(network: Path, input_size: tuple[int, int, int]) -> dict[str, tuple[int, ...]]:
    """The shape of each output for one image of `input_size` [3, H, W], found without running.

    Raises BundleError if the network cannot be read or does not take that size.
    """
    import openvino

    model = read_network(network)
    unfit = BundleError(
        f"{network} does not take images of {list(input_size)}, the input_size of its config.json; "
        "a network and a config of one make were expected; copy both again from their source"
    )
    # Reshaping would also change a network that is made for one size, so that is asked first.
    if not model.inputs[0].get_partial_shape().compatible(openvino.PartialShape([1, *input_size])):
        raise unfit
    try:
        model.reshape([1, *input_size])
    except RuntimeError as error:
        raise unfit from error
    return {output.get_any_name(): tuple(output.get_shape()) for output in model.outputs}
