"""`cairn train --dry-run` over a work folder: says what training will take, and changes nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import SettingsError  # noqa: E402 - torch has to be there first
from cairn.base.settings import DescribeSettings  # noqa: E402
from cairn.base.settings.recipes import Recipe  # noqa: E402
from cairn.cli.main import main  # noqa: E402
from cairn.pipeline.trying import try_first  # noqa: E402
from tests.pipeline.small_work import QUICK, dealt_work  # noqa: E402
from tests.training.small_training import backbone_folder  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A work folder with a backbone beside it; it is the same in the end, to the nanosecond."""
    root = tmp_path_factory.mktemp("tried")
    backbone_folder(root / "backbone")
    work = dealt_work(root)
    before = state(work)
    yield work
    assert state(work) == before


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of all files and folders."""
    paths = sorted(folder.rglob("*"))
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


def words(work: Path, *more: str) -> list[str]:
    backbone = str(work.parent / "backbone")
    return ["train", str(work), "--recipe", "tiny", "--backbone", backbone, *QUICK, *more]


def test_a_dry_run_tells_time_memory_and_disk(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(work, "--dry-run", "--time", "1s")) == 0
    said = capsys.readouterr()
    assert "24 images of 4 landmarks to learn from, 8 images to judge by" in said.out
    assert "2 epochs of 3 steps, 8 images each" in said.out
    for line in ("1 to 3", "4 to 6", "all epochs", "memory of this process", "descriptors of all images"):  # fmt: skip
        assert line in said.out
    assert "a noisy choice" in said.err
    assert said.out.rstrip().endswith("--time 1s")
    assert "--dry-run" not in said.out


def test_what_does_not_go_together_is_told_with_all_that_is_wrong_and_nothing_begins(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["--top-pooling", "flatten", "--growing", "0.5:32", "--centres", "3", "--ema", "2"]
    assert main(words(work, *wrong)) == 2
    said = capsys.readouterr().err
    assert "2 settings are wrong" in said
    assert "--centres is 3 with --head softmax" in said
    assert "--ema is '2'" in said
    assert main(words(work, *wrong[:4])) == 2
    assert "whose layers fit one side only" in capsys.readouterr().err


def test_a_full_disk_is_told_before_it_is_full(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(work)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    recipe = Recipe.named("tiny")
    finetune = recipe.finetune.model_copy(update={"batch_images": 8, "workers": 0})
    small = Recipe("tiny", recipe.augment.model_copy(update={"side_px": 64}), recipe.top, finetune)
    describing = DescribeSettings(backbone=str(work.parent / "backbone"))
    found = try_first(work, recipe=small, describing=describing)
    assert found.needed_bytes > 4 * found.tried.n_parameters
    assert found.warnings[-1].startswith("the disk has 0.0 GB free")


def test_a_recipe_that_trains_no_network_is_refused(work: Path) -> None:
    with pytest.raises(SettingsError, match="'frozen', which trains no network"):
        try_first(work, recipe=Recipe.named("frozen"))


def test_a_rate_is_found_and_only_a_page_is_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone_folder(tmp_path / "backbone")
    work = dealt_work(tmp_path)
    before = state(work)
    assert main(words(work, "--find-rate")) == 0
    said = capsys.readouterr().out
    assert "the loss is lowest at" in said
    assert "--learning-rate 0.0" in said.splitlines()[-1]
    new = {Path(path).relative_to(work).as_posix() for path in state(work).keys() - before.keys()}
    assert new == {"reports", "reports/rate_default.html"}
