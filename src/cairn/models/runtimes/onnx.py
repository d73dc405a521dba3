"""ONNX Runtime: the portable other, for machines that OpenVINO does not know."""

from pathlib import Path

from cairn.base.errors import BundleError, InputError, MissingExtra
from cairn.models.runtimes.contract import Outputs, Pixels, shape_refused


class OnnxRuntime:
    """A network in ONNX Runtime on the CPU, which takes every shape that the network takes."""

    def __init__(self, network: Path) -> None:
        try:
            import onnxruntime
            from onnxruntime.capi import onnxruntime_pybind11_state as native
        except ImportError as error:
            raise MissingExtra(
                "the runtime onnx", extra="onnx",
                otherwise="or use --runtime openvino, which the base install brings",
            ) from error  # fmt: skip
        self._refusals = (native.Fail, native.InvalidArgument, native.RuntimeException)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                network, options, providers=["CPUExecutionProvider"]
            )
        except (*self._refusals, native.InvalidProtobuf, native.NoSuchFile) as error:
            raise BundleError(
                f"{network} cannot be read as an ONNX network; a whole file was expected; "
                "copy it again, or export the backbone again"
            ) from error
        self._input = self._session.get_inputs()[0].name
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, pixels: Pixels) -> Outputs:
        """`maps`, and `cls` where there is one; see `Runtime.run`."""
        try:
            found = self._session.run(self._names, {self._input: pixels})
        except self._refusals as error:
            raise InputError(shape_refused(pixels, str(error))) from error
        return dict(zip(self._names, found, strict=True))
