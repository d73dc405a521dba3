"""OpenVINO: runs ONNX networks on a CPU, and is what the base install brings."""

import threading
from pathlib import Path
from typing import Any

from cairn.base.errors import BundleError, InputError
from cairn.models.runtimes.contract import Arithmetic, Outputs, Pixels, shape_refused
from cairn.models.runtimes.cutting import cut_after_maps

# What OpenVINO calls each arithmetic. An int8 network says itself what is computed in int8; the rest is fp32.
PRECISIONS: dict[Arithmetic, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


class OpenVinoRuntime:
    """A network compiled once for every shape: measured as fast as a compilation for each shape.

    arithmetic: in bf16 the network computes up to its maps; what stands on them (pooling, neck) stays fp32. A processor
    without bf16 runs it in fp32 or imitates it, as OpenVINO chooses.
    top: a file of what stands on the maps, where the network was cut before it was written.
    """

    def __init__(
        self, network: Path, *, arithmetic: Arithmetic = "fp32", top: Path | None = None
    ) -> None:
        trunk, rest = read_network(network), None if top is None else _read(top)
        if arithmetic == "bf16" and rest is None:
            trunk, rest = cut_after_maps(trunk)
        self._trunk = _Part(trunk, arithmetic)
        self._top = None if rest is None else _Part(rest, "fp32")
        self._one_at_a_time = threading.Lock()

    def run(self, pixels: Pixels) -> Outputs:
        """`maps`, and `cls` where there is one; see `Runtime.run`."""
        try:
            with self._one_at_a_time:
                found = self._trunk.run([pixels])
                if self._top is not None:
                    inputs = [found[name] for name in self._top.inputs]
                    found = {"maps": found["maps"]} | self._top.run(inputs)
        except RuntimeError as error:
            raise InputError(shape_refused(pixels, str(error))) from error
        return found


class _Part:
    """A compiled model: arrays in the order of its inputs to outputs by name."""

    # Any: OpenVINO's own types are not published for type checkers.
    def __init__(self, model: Any, arithmetic: Arithmetic) -> None:
        import openvino

        self.inputs = [place.get_any_name() for place in model.inputs]
        self._outputs = [place.get_any_name() for place in model.outputs]
        self._compiled = openvino.Core().compile_model(model, "CPU", cpu_options(arithmetic))

    def run(self, arrays: list[Pixels]) -> Outputs:
        found = self._compiled(arrays, share_inputs=True, share_outputs=False)
        return {name: found[i] for i, name in enumerate(self._outputs)}


def cpu_options(arithmetic: Arithmetic) -> dict[str, str]:
    """How OpenVINO is asked to run a network: one request at a time has all the cores.

    The precision is always asked for, because the default on a CPU with bf16 is bf16, and in fp32 the same image must
    have the same descriptor on every machine.
    """
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISIONS[arithmetic],
    }


def processor() -> tuple[str, frozenset[str]]:
    """The name of this machine's processor, and what it computes in: FP32, BF16, INT8 and so on."""
    import openvino

    core = openvino.Core()
    can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return str(core.get_property("CPU", "FULL_DEVICE_NAME")), frozenset(map(str, can))


# Any: OpenVINO's own types are not published for type checkers.
def read_network(network: Path) -> Any:
    """The network at `network`, ONNX or OpenVINO's own form, not yet compiled.

    Raises BundleError if it cannot be read or gives no `maps`.
    """
    model = _read(network)
    names = [name for output in model.outputs for name in output.get_names()]
    if "maps" not in names or len(model.inputs) != 1:
        raise BundleError(
            f"{network} has {len(model.inputs)} inputs and gives {', '.join(names) or 'nothing'}; one "
            "input (pixels) and the output maps [B, C, h, w] were expected; export the backbone with "
            "cairn export"
        )
    return model


def _read(path: Path) -> Any:
    import openvino

    try:
        return openvino.Core().read_model(path)
    except RuntimeError as error:
        raise BundleError(
            f"{path} cannot be read as an ONNX network; a whole file was expected; "
            "copy it again, or export the backbone again"
        ) from error


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
