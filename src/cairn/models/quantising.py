"""An int8 twin of an ONNX network: calibrated on photos, with what stands on its maps left as it is."""

import contextlib
import importlib.util
import itertools
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cairn.base.errors import BundleError, InputError, MissingExtra
from cairn.base.files import disk_errors
from cairn.models.runtimes.contract import Pixels
from cairn.models.runtimes.openvino import read_network

NEEDED = ("onnx", "onnxruntime")
MAPS = "maps"


def require_quantiser() -> None:
    """Nothing, where what quantises is installed; otherwise raises MissingExtra."""
    if any(importlib.util.find_spec(package) is None for package in NEEDED):
        raise MissingExtra(
            "int8", extra="export", otherwise="or leave int8 out: --formats onnx,bf16"
        )


def quantise(network: Path, path: Path, batches: Iterable[Pixels]) -> None:
    """`path` holds the network with weights and values in int8, as ONNX that says itself where.

    batches: pixels [B, 3, H, W] of real photos, from which the range of each value is learnt: the mean over the batches
    of the least and of the largest, so that one odd photo does not widen it for all.
    Weights are scaled channel by channel. What computes behind the maps, such as GeM and a neck, stays fp32.
    Raises MissingExtra without the quantiser, InputError without batches, BundleError where the network cannot be
    quantised, DiskError where the disk is full.
    """
    require_quantiser()
    read_network(network)
    reader = _Reader(batches)
    if not reader.has_any:
        raise InputError(
            "no photo could be read to calibrate int8 on; some hundreds were expected; name another folder with --photos"
        )
    with disk_errors(path), tempfile.TemporaryDirectory(dir=path.parent, prefix=".int8-") as made:
        plain = Path(made) / "plain.onnx"
        try:
            with _quiet():
                _quantise(network, path, plain, reader)
        except (RuntimeError, ValueError, NotImplementedError, AttributeError, KeyError) as error:
            raise BundleError(
                f"{network} cannot be quantised: {str(error).strip() or type(error).__name__}; a network of operators "
                "that ONNX Runtime quantises was expected; leave int8 out: --formats onnx,bf16"
            ) from error


def _quantise(network: Path, path: Path, plain: Path, reader: "_Reader") -> None:
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(network, plain, skip_symbolic_shape=True)
    model = onnx.load(plain)
    for i, node in enumerate(model.graph.node):
        node.name = node.name or f"node_{i}"
    onnx.save(model, plain)
    quantization.quantize_static(
        plain, path, reader, quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        weight_type=quantization.QuantType.QInt8, activation_type=quantization.QuantType.QUInt8,
        nodes_to_exclude=_behind_maps(model.graph),
        calibrate_method=quantization.CalibrationMethod.MinMax,
        extra_options={"CalibMovingAverage": True},
    )  # fmt: skip


# Any: onnx's messages are made when it is imported, and carry no types.
def _behind_maps(graph: Any) -> list[str]:
    """The names of the nodes that do not lead to the maps."""
    made_by = {name: node for node in graph.node for name in node.output}
    leads: set[str] = set()
    left = [MAPS]
    while left:
        node = made_by.get(left.pop())
        if node is not None and node.name not in leads:
            leads.add(node.name)
            left += node.input
    return [node.name for node in graph.node if node.name not in leads]


class _Reader:
    """The batches as the quantiser wants them, each once."""

    def __init__(self, batches: Iterable[Pixels]) -> None:
        left = iter(batches)
        first = next(left, None)
        self.has_any = first is not None
        self._left = left if first is None else itertools.chain([first], left)

    def get_next(self) -> dict[str, Pixels] | None:
        """The next batch by the name of the network's input, or None at the end."""
        batch = next(self._left, None)
        return None if batch is None else {"pixels": batch}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser advises on the root logger what Cairn does already, and warns of its own old calls."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.setLevel(level)
