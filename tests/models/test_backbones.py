"""Backbones: folders checked, networks exported once, weights that do not fit named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import BundleError, InputError, MissingExtra
from cairn.base.settings import DescribeSettings
from cairn.base.watching import Silent
from cairn.models import backbones, exporting, hub, networks
from cairn.models.backbones import open_backbone
from cairn.models.folders import Backbone, backbone_of, read_config, stride_of
from cairn.models.runtimes.openvino import OpenVinoRuntime
from tests.models.nets import net, net_folder


class Notes(Silent):
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def opened(backbone: str | Path, cache: Path, *, weights: str = "none") -> Backbone:
    settings = DescribeSettings(backbone=str(backbone), weights=weights)
    return open_backbone(settings, cache=cache, watch=Silent())


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "torch_versions", lambda: None)
    monkeypatch.setattr(backbones, "torch_versions", lambda: None)
    monkeypatch.setattr(backbones, "export_backbone", None)


def test_a_folder_with_onnx_needs_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_torch(monkeypatch)
    backbone = opened(net_folder(tmp_path / "mine", has_cls=True), tmp_path / "cache")
    assert (backbone.name, backbone.stride) == ("mine", 16)
    assert backbone.outputs == {"maps": 6, "cls": 6}
    assert backbone.fixed_size is None
    assert backbone.folder == tmp_path / "mine"
    assert not (tmp_path / "cache").exists()


def test_a_network_of_one_size_says_so(tmp_path: Path) -> None:
    assert net(tmp_path, is_fixed=True).fixed_size == (64, 64)


def test_a_bundle_can_hold_the_network_under_another_name(tmp_path: Path) -> None:
    config = read_config(net_folder(tmp_path))
    moved = (tmp_path / "model.onnx").rename(tmp_path / "network.onnx")
    backbone = backbone_of(moved, config, name="kept", digest="d")
    assert (backbone.outputs, backbone.weights, backbone.digest) == ({"maps": 6}, None, "d")


def test_another_config_or_network_has_another_digest(tmp_path: Path) -> None:
    digests = {net(tmp_path / "a").digest, net(tmp_path / "b", has_cls=True).digest}
    digests |= {net(tmp_path / "c", is_fixed=True).digest, net(tmp_path / "d").digest}
    assert len(digests) == 3


def test_the_stride_of_networks_without_padding_is_a_power_of_two() -> None:
    assert [stride_of(299, 8), stride_of(224, 7), stride_of(518, 37)] == [32, 32, 14]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--backbone FOLDER"):
        opened(tmp_path / "nowhere", tmp_path)


def test_a_folder_without_config_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no config\.json"):
        opened(tmp_path, tmp_path / "cache")


def test_a_folder_without_network_and_weights_is_told(tmp_path: Path) -> None:
    (net_folder(tmp_path) / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"neither model\.onnx nor model\.safetensors"):
        opened(tmp_path, tmp_path / "cache")


def test_all_that_is_wrong_in_a_config_is_told(tmp_path: Path) -> None:
    path = net_folder(tmp_path) / "config.json"
    config = json.loads(path.read_text())
    config["pretrained_cfg"] |= {"interpolation": "magic", "std": [1, 2]}
    path.write_text(json.dumps(config))
    with pytest.raises(
        BundleError, match=r"std\.2.*interpolation|interpolation.*std\.2|std.*interp"
    ):
        opened(tmp_path, tmp_path / "cache")


def test_a_network_that_does_not_fit_its_config_is_told(tmp_path: Path) -> None:
    path = net_folder(tmp_path, is_fixed=True) / "config.json"
    path.write_text(path.read_text().replace("64, 64", "96, 96"))
    with pytest.raises(BundleError, match="does not take images of"):
        opened(tmp_path, tmp_path / "cache")


def test_a_name_without_torch_says_what_to_install_and_what_else_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_torch(monkeypatch)
    with pytest.raises(MissingExtra, match=r"\.\[train\].*--backbone FOLDER.*embedded"):
        opened("resnet18", tmp_path)


def test_weights_from_a_folder_without_safetensors_are_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no .*model\.safetensors.*--weights takes"):
        opened("test_resnet", tmp_path, weights=str(tmp_path))


@pytest.mark.slow
def test_an_unknown_name_gets_the_nearest_known_one(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    with pytest.raises(InputError, match=r"did you mean test_resnet\?"):
        opened("test_resnett", tmp_path)
    with pytest.raises(InputError, match=r"weights 'nope'.*test_resnet\.r160"):
        opened("test_resnet.nope", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_resnet", "vit_tiny_patch16_224", "test_efficientnet"])
def test_an_export_agrees_with_torch_and_is_made_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    first = opened(name, tmp_path)
    assert first.weights is not None
    unit = first.stride * 6
    pixels = np.random.default_rng(1).standard_normal((2, 3, unit, 2 * unit), dtype=np.float32)
    expected = networks.build_network(first.config, first.weights)(torch.from_numpy(pixels))
    found = OpenVinoRuntime(first.network).run(pixels)
    for ours, theirs in zip((found[key] for key in first.outputs), expected, strict=True):
        assert np.abs(ours - theirs.numpy()).max() <= 1e-3 * theirs.abs().max()
    without_torch(monkeypatch)
    assert opened(name, tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_a_folder_with_weights_only_is_exported_to_the_cache_and_stays_as_it_is(
    tmp_path: Path,
) -> None:
    pytest.importorskip("timm")
    mine = shutil.copytree(opened("test_resnet", tmp_path / "a").folder, tmp_path / "mine")
    for name in ("model.onnx", "export.json"):
        (mine / name).unlink()
    backbone = opened(mine, tmp_path / "b")
    assert sorted(path.name for path in mine.iterdir()) == ["config.json", "model.safetensors"]
    assert backbone.folder.parent == tmp_path / "b"
    assert backbone.name == "mine"
    by_name = opened("test_resnet", tmp_path / "c", weights=str(mine))
    assert by_name.outputs == backbone.outputs


@pytest.mark.slow
def test_weights_of_another_network_are_refused_by_the_first_tensors(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    folder = opened("test_resnet", tmp_path / "a").folder
    (folder / "model.onnx").unlink()
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("test_resnet", "test_vit"))
    with pytest.raises(BundleError, match=r"tensors differ \(cls_token is missing;.*test_vit"):
        opened(folder, tmp_path / "b")
    with pytest.raises(BundleError, match="weights of test_vit, the backbone test_resnet"):
        opened("test_resnet", tmp_path / "b", weights=str(folder))


@pytest.mark.slow
def test_a_failed_export_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("timm")
    monkeypatch.setattr(exporting, "PARITY", -1.0)
    with pytest.raises(BundleError, match="differs from torch"):
        opened("test_resnet", tmp_path)
    assert list(tmp_path.iterdir()) == []


def hub_says(monkeypatch: pytest.MonkeyPatch, *files: str, error: Exception | None = None) -> None:
    """The hub, with `files` in each repository, or out of reach with `error`."""
    client = pytest.importorskip("huggingface_hub")

    def model_info(_api: object, repository: str, **_asked: object) -> object:
        if error is not None:
            raise error
        return client.hf_api.ModelInfo(
            id=repository, siblings=[{"rfilename": name, "size": 7_000_000} for name in files]
        )

    def download(repository: str, name: str, *, local_files_only: bool = False) -> str:
        if local_files_only:
            raise client.errors.LocalEntryNotFoundError("not here")
        return f"/{repository}/{name}"

    monkeypatch.setattr(client.HfApi, "model_info", model_info)
    monkeypatch.setattr(client, "hf_hub_download", download)


def fetched(watch: Silent) -> Path:
    return hub.fetch_weights("timm/net", name="net", license_name="mit", watch=watch)


def test_name_licence_and_size_are_told_before_the_download(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub_says(monkeypatch, "config.json", "model.safetensors")
    notes = Notes()
    assert fetched(notes) == Path("/timm/net/model.safetensors")
    assert notes.said == ["fetching the backbone net from timm/net (7 MB, licence: mit)"]


def test_a_repository_with_a_pickle_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    hub_says(monkeypatch, "pytorch_model.bin")
    with pytest.raises(BundleError, match="never a pickle"):
        fetched(Notes())


def test_offline_says_what_failed_and_what_else_can_be_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub_says(monkeypatch, error=ConnectionError("no route to host"))
    with pytest.raises(InputError, match=r"no route to host.*--backbone FOLDER.*embedded"):
        fetched(Notes())
