"""Every runtime keeps one contract: a new one only adds its name to RUNTIMES."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import BundleError, InputError, SettingsError
from cairn.base.settings import DescribeSettings
from cairn.base.watching import Silent
from cairn.models.backbones import open_backbone
from cairn.models.folders import Backbone
from cairn.models.runtimes.contract import Arithmetic
from cairn.models.runtimes.openvino import OpenVinoRuntime
from cairn.models.runtimes.table import RUNTIMES, open_runtime
from tests.models.nets import KERNELS, STRIDE, net, net_folder

NEEDS = {"onnx": "onnxruntime", "torch": "timm"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    """A network that every runtime can run: exported by torch, weights beside it."""
    pytest.importorskip("timm")
    settings = DescribeSettings(backbone="test_resnet", weights="none")
    return open_backbone(settings, cache=tmp_path_factory.mktemp("cache"), watch=Silent())


def batch(n_images: int, height: int, width: int) -> np.ndarray:
    shape = (n_images, 3, height, width)
    return np.random.default_rng(n_images).standard_normal(shape, dtype=np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_gives_the_same_maps_at_every_shape(name: str, trained: Backbone) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    runtime, reference = open_runtime(name, trained), open_runtime("openvino", trained)
    for pixels in (batch(1, 96, 128), batch(3, 64, 64)):
        found, expected = runtime.run(pixels), reference.run(pixels)
        assert found.keys() == expected.keys() == {"maps"}
        assert found["maps"].dtype == np.float32
        np.testing.assert_allclose(found["maps"], expected["maps"], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
def test_every_runtime_refuses_images_that_the_network_cannot_take(
    name: str, trained: Backbone
) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    with pytest.raises(InputError, match="choose other --sides-px"):
        open_runtime(name, trained).run(np.zeros((1, 5, 64, 64), np.float32))


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_a_network_is_what_its_loop_says(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    pixels = batch(2, 2 * STRIDE, 3 * STRIDE)
    blocks = pixels.reshape(2, 3, 2, STRIDE, 3, STRIDE)
    slow = np.maximum(np.einsum("bchiwj,dcij->bdhw", blocks, KERNELS), 0)
    found = open_runtime(name, net(tmp_path, has_cls=True)).run(pixels)
    assert found["cls"].shape == (2, 6)
    np.testing.assert_allclose(found["maps"], slow, atol=1e-4)


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_an_image_gives_the_same_in_any_batch(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    runtime, pixels = open_runtime(name, net(tmp_path)), batch(5, 64, 96)
    together = runtime.run(pixels)["maps"]
    alone = np.concatenate([runtime.run(pixels[i : i + 1])["maps"] for i in range(5)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_a_broken_network_is_told(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    backbone = net(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no network")
    with pytest.raises(BundleError, match="cannot be read as an ONNX network"):
        open_runtime(name, backbone)


@pytest.mark.parametrize("name", ["openvino", "onnx"])
def test_channels_that_do_not_fit_are_refused(name: str, tmp_path: Path) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    with pytest.raises(InputError, match=r"cannot take images of the shape \[1, 5, 64, 64\]"):
        open_runtime(name, net(tmp_path)).run(np.zeros((1, 5, 64, 64), np.float32))


def test_auto_is_openvino_where_there_are_no_weights_for_torch(tmp_path: Path) -> None:
    assert isinstance(open_runtime("auto", net(tmp_path)), OpenVinoRuntime)


def test_torch_needs_weights(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no model\.safetensors"):
        open_runtime("torch", dataclasses.replace(net(tmp_path), weights=None))


def test_an_unknown_runtime_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="auto, openvino, onnx, torch"):
        open_runtime("openvin", net(tmp_path))


def test_a_network_without_maps_is_refused(tmp_path: Path) -> None:
    import onnx

    path = net_folder(tmp_path) / "model.onnx"
    model = onnx.load(path)
    model.graph.node[1].output[0] = model.graph.output[0].name = "logits"
    onnx.save(model, path)
    with pytest.raises(BundleError, match="gives logits"):
        OpenVinoRuntime(path)


@pytest.mark.parametrize(("name", "arithmetic"), [("onnx", "bf16"), ("torch", "int8")])
def test_an_arithmetic_that_a_runtime_lacks_names_those_that_have_it(
    name: str, arithmetic: Arithmetic, tmp_path: Path
) -> None:
    with pytest.raises(
        SettingsError,
        match=f"the runtime {name} does not compute in {arithmetic}; .* --runtime openvino",
    ):
        open_runtime(name, net(tmp_path), arithmetic=arithmetic)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openvino", "torch"])
def test_bf16_is_near_fp32_in_every_runtime_that_has_it(name: str, trained: Backbone) -> None:
    pytest.importorskip(NEEDS.get(name, "openvino"))
    pixels = batch(3, 64, 96)
    found = open_runtime(name, trained, arithmetic="bf16").run(pixels)["maps"]
    expected = open_runtime("openvino", trained).run(pixels)["maps"]
    assert found.dtype == np.float32
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
