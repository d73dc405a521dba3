"""An int8 network is near its own, and leaves what stands on the maps as it is."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from cairn.base.errors import BundleError, InputError
from cairn.base.settings import DescribeSettings
from cairn.models.embedder import open_embedder
from cairn.models.folders import quantised
from cairn.models.openvino_files import write_int8
from cairn.models.quantising import quantise
from cairn.models.runtimes.onnx import OnnxRuntime
from cairn.models.runtimes.openvino import OpenVinoRuntime
from tests.make import pixels
from tests.models.nets import net, top_folder, top_of

pytest.importorskip("onnxruntime")


def batches(n: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.standard_normal((1, 3, 64, 64 + 32 * (i % 2)), dtype=np.float32) for i in range(n)]


def test_every_runtime_runs_an_int8_network_near_its_own(tmp_path: Path) -> None:
    path, twin = net(tmp_path).network, tmp_path / "model.int8.onnx"
    quantise(path, twin, batches())
    write_int8(twin, tmp_path / "int8.xml")
    expected = OnnxRuntime(path).run(batches()[0])["maps"]
    for runtime in (
        OnnxRuntime(twin),
        OpenVinoRuntime(twin, arithmetic="int8"),
        OpenVinoRuntime(tmp_path / "int8.xml"),
    ):
        found = runtime.run(batches()[0])["maps"]
        assert 0 < np.abs(found - expected).max() < 0.05 * expected.max()
    assert twin.stat().st_size < path.stat().st_size / 2


def test_what_stands_on_the_maps_is_left_in_full_precision(tmp_path: Path) -> None:
    path, twin = top_folder(tmp_path) / "model.onnx", tmp_path / "model.int8.onnx"
    quantise(path, twin, batches())
    found = OpenVinoRuntime(twin, arithmetic="int8").run(batches()[0])
    np.testing.assert_allclose(found["cls"], top_of(found["maps"], path), rtol=1e-4)
    kinds = {node.op_type: list(node.input) for node in onnx.load(twin).graph.node}
    assert kinds["Gemm"][1] == "neck"
    assert "DequantizeLinear" in kinds


def test_an_int8_backbone_has_another_source_and_near_descriptors(tmp_path: Path) -> None:
    plain = net(tmp_path)
    quantise(plain.network, tmp_path / "model.int8.onnx", batches())
    settings = DescribeSettings(sides_px=(64,), runtime="openvino")
    fp32 = open_embedder(plain, settings)
    int8 = open_embedder(quantised(plain), settings.model_copy(update={"describe_in": "int8"}))
    bf16 = open_embedder(plain, settings.model_copy(update={"describe_in": "bf16"}))
    assert len({fp32.source, int8.source, bf16.source}) == 3
    assert float(fp32.describe_one(pixels(1)) @ int8.describe_one(pixels(1))) > 0.99


def test_another_calibration_is_another_source(tmp_path: Path) -> None:
    plain, sources = net(tmp_path), set()
    for n in (4, 8):
        quantise(plain.network, tmp_path / "model.int8.onnx", batches(n))
        sources.add(quantised(plain).digest)
    assert len(sources) == 2


def test_no_photos_are_told_and_a_broken_network_too(tmp_path: Path) -> None:
    path = net(tmp_path).network
    with pytest.raises(InputError, match="no photo could be read"):
        quantise(path, tmp_path / "out.onnx", [])
    path.write_bytes(b"no network")
    with pytest.raises(BundleError, match="cannot be read as an ONNX network"):
        quantise(path, tmp_path / "out.onnx", batches())
