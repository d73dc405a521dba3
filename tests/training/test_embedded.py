import json
from pathlib import Path

import numpy as np
import openvino
import pytest

torch = pytest.importorskip("torch")

from cairn import models  # noqa: E402
from cairn.training import embedded, embedded_scenes  # noqa: E402 - torch has to be there first

TINY = embedded_scenes.Drawing(n_landmarks=3, n_scenes=6, n_distractors=6, n_workers=1)


def some_scenes(n_landmarks: int) -> embedded_scenes.Scenes:
    rng = np.random.default_rng(0)
    side = embedded_scenes.STORED_PX
    colours = rng.integers(0, 256, (n_landmarks, 1, 1, 1, 3))
    noise = rng.integers(-20, 20, (n_landmarks, 8, side, side, 3))
    pixels = np.clip(colours + noise, 0, 255).astype(np.uint8).reshape(-1, side, side, 3)
    return embedded_scenes.Scenes(pixels, np.repeat(np.arange(n_landmarks), 8))


def recipe(n_steps: int = 40) -> embedded.Recipe:
    return embedded.Recipe(TINY, n_steps, 10, batch_size=8, crops=((1.0, 32),))


def used_net() -> embedded.EmbeddedNet:
    torch.manual_seed(0)
    net = embedded.EmbeddedNet()
    net.train()
    for _ in range(3):
        net(torch.randn(4, 3, 64, 64) * 2 + 1)
    return net.eval()


def test_maps_have_a_sixteenth_of_the_sides_and_are_never_negative() -> None:
    maps = used_net()(torch.randn(2, 3, 64, 96))
    assert maps.shape == (2, embedded.N_CHANNELS, 4, 6)
    assert maps.min() >= 0


def test_folding_batch_norms_changes_no_map() -> None:
    net, pixels = used_net(), torch.randn(2, 3, 64, 64)
    twin = embedded.folded(net)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in twin.modules())
    assert torch.allclose(net(pixels), twin(pixels), atol=1e-4)


def test_descriptors_have_length_one() -> None:
    found = embedded.descriptors_of(torch.rand(3, 5, 4, 4))
    assert torch.allclose(found.norm(dim=1), torch.ones(3))


def test_the_loss_equals_the_slow_version() -> None:
    settings = recipe()
    cosines = torch.tensor([[0.9, 0.1], [0.2, 0.6]])
    logits = np.array([[np.cos(np.arccos(0.9) + settings.margin), 0.1], [0.2, 0.6]])
    rows = np.column_stack([logits, [settings.none_cosine] * 2]) * settings.scale
    slow = np.mean(
        [np.log(np.exp(row).sum()) - row[right] for row, right in zip(rows, (0, 2), strict=True)]
    )
    found = embedded.open_set_arcface(cosines, torch.tensor([0, -1]), settings)
    assert float(found) == pytest.approx(float(slow), abs=1e-5)


def test_crops_are_cut_from_the_scenes_chosen() -> None:
    scenes = some_scenes(2)
    crops = embedded_scenes.crop(scenes, np.array([0, 9]), side_px=32, rng=np.random.default_rng(1))
    means = [scenes.pixels[i].mean(axis=(0, 1)) for i in (0, 9)]
    assert crops.shape == (2, 32, 32, 3)
    assert np.abs(np.median(crops[1], axis=(0, 1)) - means[1]).max() < 12


@pytest.mark.slow
def test_scenes_are_drawn_once_and_kept(tmp_path: Path) -> None:
    first = embedded_scenes.draw_scenes(tmp_path, TINY)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = embedded_scenes.draw_scenes(tmp_path, TINY)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps
    assert np.array_equal(first.pixels, again.pixels)
    assert np.bincount(first.labels + 1).tolist() == [6, 6, 6, 6]


@pytest.mark.slow
def test_the_loss_falls(tmp_path: Path) -> None:
    losses: list[float] = []
    embedded.train(
        some_scenes(3),
        recipe(30),
        checkpoint=tmp_path / "c",
        tell=lambda _, loss: losses.append(loss),
    )
    assert len(losses) == 30
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])


@pytest.mark.slow
def test_a_broken_run_goes_on_to_the_very_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    class BrokenOffError(Exception):
        pass

    def break_off(step: int, loss: float) -> None:
        if step == 25:
            raise BrokenOffError

    scenes = some_scenes(3)
    unbroken = embedded.train(scenes, recipe(), checkpoint=tmp_path / "a.safetensors")
    with pytest.raises(BrokenOffError):
        embedded.train(scenes, recipe(), checkpoint=tmp_path / "b.safetensors", tell=break_off)
    went_on = embedded.train(scenes, recipe(), checkpoint=tmp_path / "b.safetensors")
    for ours, theirs in zip(unbroken.parameters(), went_on.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.slow
def test_the_exported_folder_equals_torch_in_openvino_at_any_size(tmp_path: Path) -> None:
    net = used_net()
    embedded.export(net, tmp_path)
    model = openvino.compile_model(
        str(tmp_path / "model.onnx"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for shape in ((1, 3, 64, 64), (3, 3, 96, 160)):
        pixels = torch.randn(*shape)
        maps = model(pixels.numpy())[0]
        assert np.abs(maps - net(pixels).detach().numpy()).max() < 1e-3
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["architecture"], config["stride"]) == ("cairn_embedded", embedded.STRIDE)


def test_the_backbone_that_comes_along_is_small_and_runs_without_torch() -> None:
    folder = Path(models.__file__).parent / "embedded"
    config = json.loads((folder / "config.json").read_text())
    assert 2_000_000 < (folder / "model.onnx").stat().st_size < 4_000_000
    maps = openvino.compile_model(str(folder / "model.onnx"), "CPU")(
        np.zeros((2, *config["pretrained_cfg"]["input_size"]), dtype=np.float32)
    )[0]
    assert maps.shape == (2, config["num_features"], 10, 10)
