"""The bench of the input: every contender is measured in every round, on the same photos."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("timm")

from cairn.base.settings import InputBenchSettings  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.bench.input import (  # noqa: E402
    FOLDERS,
    SHARDS,
    SYNTHETIC,
    TORCHVISION,
    Fill,
    InputBench,
    bench_input,
    feeds,
    lay,
)
from cairn.cli.main import main  # noqa: E402
from cairn.images.store import FolderStore  # noqa: E402

QUICK = InputBenchSettings(
    rounds=2, n_photos=4, n_images=4, n_steps=1, backbone="test_resnet", side_px=32, batch_images=4,
    workers=0,
)  # fmt: skip


def test_folders_and_shards_hold_the_same_photos(tmp_path: Path) -> None:
    laid = lay(tmp_path, (160, 120), 6, Silent())
    read = FolderStore(laid.root).read
    for path, place in zip(laid.in_folders.paths, laid.in_shards.paths, strict=True):
        assert read(path) == read(place)
    assert laid.in_folders.targets[:, 0].tolist() == [0, 0, 0, 0, 1, 1]


def test_every_way_gives_batches_of_the_same_shape(tmp_path: Path) -> None:
    ways = feeds(lay(tmp_path, (160, 120), 4, Silent()), QUICK, 0)
    fed = {name: next(feed()) for name, feed in ways.items()}
    for pixels, targets in fed.values():
        assert (tuple(pixels.shape), pixels.dtype) == ((4, 32, 32, 3), torch.uint8)
        assert tuple(targets.shape) == (4,)
    assert torch.equal(fed[FOLDERS][0], fed[SHARDS][0])


def test_processors_are_rounded_up() -> None:
    fill = Fill((640, 480), FOLDERS, (400.0, 500.0, 600.0), (1.0, 2.1, 3.0))
    assert [fill.processors_for(speed) for speed in (1, 1000, 2000)] == [1, 3, 5]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("input")


@pytest.mark.slow
def test_each_contender_runs_in_each_round(scratch: Path) -> None:
    found: InputBench = bench_input(scratch, settings=QUICK, watch=Silent())
    assert len(found.fills) == 10
    assert all(len(fill.images_per_s) == len(fill.cpu_ms) == 2 for fill in found.fills)
    assert [step.name for step in found.steps] == [SYNTHETIC, FOLDERS, SHARDS, TORCHVISION]
    assert found.steps[0].shares == (1.0, 1.0)
    assert all(np.isfinite(step.shares).all() for step in found.steps)


@pytest.mark.slow
def test_it_is_told_as_tables(scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = {name: str(value) for name, value in QUICK.model_dump().items() if name != "gpu_images_per_s"}  # fmt: skip
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]  # fmt: skip
    assert main(["bench", "input", "--work", str(scratch), *words, "--gpu-images-per-s", "7"]) == 0
    said = capsys.readouterr().out
    assert "1600 × 1200" in said
    assert "for 7 images/s" in said
    assert "test_resnet trained on " in said
    assert "of synthetic" in said
