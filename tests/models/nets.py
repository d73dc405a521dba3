"""Tiny networks for the tests of `models/`: made with onnx, so that they need no torch."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cairn.models.folders import Backbone, digest_folder, open_network

CONFIG = {
    "architecture": "test_net",
    "num_features": 6,
    "pretrained_cfg": {
        "input_size": [3, 64, 64], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.25, 0.3],
        "interpolation": "bilinear", "fixed_input_size": False, "license": "apache-2.0",
        "some_key_of_timm": 1,
    },
}  # fmt: skip
STRIDE = 16
KERNELS = (
    np.random.default_rng(5).standard_normal((6, 3, STRIDE, STRIDE)).astype(np.float32) / STRIDE
)


def net_folder(root: Path, *, has_cls: bool = False, is_fixed: bool = False) -> Path:
    """`root`, a backbone folder with a network of one convolution of stride 16 and 6 channels."""
    root.mkdir(parents=True, exist_ok=True)
    config = json.loads(json.dumps(CONFIG))
    config["pretrained_cfg"]["fixed_input_size"] = is_fixed
    (root / "config.json").write_text(json.dumps(config))
    size: list[int | str] = [64, 64] if is_fixed else ["height", "width"]
    nodes = [
        helper.make_node("Conv", ["pixels", "kernels"], ["seen"], strides=[STRIDE, STRIDE]),
        helper.make_node("Relu", ["seen"], ["maps"]),
    ]
    outputs = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["batch", 6, "h", "w"])]
    if has_cls:
        nodes.append(helper.make_node("ReduceMax", ["seen"], ["cls"], axes=[2, 3], keepdims=0))
        outputs.append(helper.make_tensor_value_info("cls", TensorProto.FLOAT, ["batch", 6]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, *size])
    kernels = numpy_helper.from_array(KERNELS, "kernels")
    graph = helper.make_graph(nodes, "net", [pixels], outputs, [kernels])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, root / "model.onnx")
    return root


def net(root: Path, *, has_cls: bool = False, is_fixed: bool = False) -> Backbone:
    """The opened backbone of `net_folder`."""
    folder = net_folder(root, has_cls=has_cls, is_fixed=is_fixed)
    return open_network(folder, name="net", digest=digest_folder(folder))


def top_folder(root: Path) -> Path:
    """`root`, a backbone folder whose network ends in GeM and a neck behind its maps, as cairn train leaves them."""
    net_folder(root)
    rng = np.random.default_rng(6)
    given = {
        "kernels": KERNELS, "floor": np.float32(1e-6), "power": np.float32(3), "root": np.float32(1 / 3),
        "neck": rng.standard_normal((6, 5)).astype(np.float32), "bias": np.ones(5, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["pixels", "kernels"], ["seen"], strides=[STRIDE, STRIDE]),
        helper.make_node("Relu", ["seen"], ["maps"]),
        helper.make_node("Clip", ["maps", "floor"], ["clipped"]),
        helper.make_node("Pow", ["clipped", "power"], ["powers"]),
        helper.make_node("ReduceMean", ["powers"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Pow", ["means", "root"], ["pooled"]),
        helper.make_node("Gemm", ["pooled", "neck", "bias"], ["cls"]),
    ]
    float_ = TensorProto.FLOAT
    pixels = helper.make_tensor_value_info("pixels", float_, ["batch", 3, "height", "width"])
    outputs = [
        helper.make_tensor_value_info("maps", float_, ["batch", 6, "h", "w"]),
        helper.make_tensor_value_info("cls", float_, ["batch", 5]),
    ]
    arrays = [numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()]
    graph = helper.make_graph(nodes, "top", [pixels], outputs, arrays)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, root / "model.onnx")
    (root / "config.json").write_text(json.dumps(CONFIG | {"own_descriptor": True}))
    return root


def top_of(maps: np.ndarray, network: Path) -> np.ndarray:
    """What stands on the maps of `top_folder`'s network, in float64."""
    arrays = {
        a.name: numpy_helper.to_array(a).astype(np.float64)
        for a in onnx.load(network).graph.initializer
    }
    pooled = (np.maximum(maps.astype(np.float64), 1e-6) ** 3).mean((2, 3)) ** (1 / 3)
    found: np.ndarray = pooled @ arrays["neck"] + arrays["bias"]
    return found
