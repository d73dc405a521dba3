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
