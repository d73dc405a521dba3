"""`cairn train --recipe` over a work folder: a network is trained, kept, used, and not trained twice."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

import cairn  # noqa: E402 - torch has to be there first
from cairn.base.errors import InputError, MissingExtra, SettingsError  # noqa: E402
from cairn.base.settings import (  # noqa: E402
    DescribeSettings,
    EvaluateSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.settings.recipes import Recipe, read_recipe, recipe_names  # noqa: E402
from cairn.bundles import open_bundle  # noqa: E402
from cairn.cli.main import main  # noqa: E402
from cairn.pipeline.importing import Lists  # noqa: E402
from cairn.pipeline.steps import evaluate, import_photos, index, split, train  # noqa: E402
from cairn.records.val_answers import VAL_ANSWERS_SCHEMA  # noqa: E402
from cairn.reports.training import is_finished_page_of  # noqa: E402
from cairn.training.stepping import Stepper  # noqa: E402
from cairn.training.telling import read_log  # noqa: E402
from tests.training.small_training import N_LANDMARKS, backbone_folder, landmark_photos, photo  # noqa: E402

pytestmark = pytest.mark.slow
QUICK = ["--side-px", "64", "--epochs", "2", "--batch-images", "8", "--workers", "0", "--arithmetic", "fp32", "--neck-width", "16"]  # fmt: skip


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone folder that can be trained."""
    return backbone_folder(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with some photos of each landmark, dealt to the parts."""
    root = tmp_path_factory.mktemp("trained")
    import_photos(root / "work", lists=Lists(landmark_photos(root / "photos")))
    split(root / "work", settings=SplitSettings(ratio=(0.6, 0.2, 0.2), copy_bits=0))
    return root / "work"


def networks(work: Path) -> list[Path]:
    return sorted((work / "networks/default").iterdir())


def test_a_recipe_trains_a_network_once_and_the_bundle_runs_on_it(
    work: Path, backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(work), "--recipe", "tiny", "--backbone", str(backbone), *QUICK]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "best GAP on val" in said.out + said.err
    assert "photos of landmarks, which the network was not trained on" in said.err
    (folder,) = networks(work)
    card = json.loads((folder / "network/card.json").read_text())
    assert card["settings"]["recipe"] == "tiny"
    assert json.loads((folder / "network/config.json").read_text())["own_descriptor"] is True
    assert card["settings"]["top"]["neck_width"] == 16
    assert card["said"]["ended"] == "all epochs"
    assert card["said"]["landmarks"] == [f"landmark_{number}" for number in range(N_LANDMARKS)]
    changed = (folder / "checkpoints/last.safetensors").stat().st_mtime_ns
    # The number of workers changes nothing of what comes out.
    assert main([*words, "--workers", "1"]) == 0
    assert networks(work) == [folder]
    assert (folder / "checkpoints/last.safetensors").stat().st_mtime_ns == changed
    bundle = index(work).bundle
    found = cairn.Recognizer.load(bundle).recognize(photo(1, 99))
    assert found.landmarks
    assert json.loads((bundle / "card.json").read_text())["descriptor_width"] == 16


def test_the_page_of_a_training_tells_how_it_went_and_is_made_again_where_it_is_gone(
    work: Path, backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(work), "--name", "paged", "--recipe", "tiny", "--backbone", str(backbone), *QUICK]  # fmt: skip
    assert main(words) == 0
    page = work / "reports/paged/training.html"
    assert f"the training of the network: {page}" in capsys.readouterr().out
    told = page.read_text()
    assert "It went through all 2 epochs." in told
    # Of each of six photos the whole, and as both epochs saw it.
    assert told.count('<figure class="tile"><img src="data:image/jpeg') >= 6 * 3
    assert "epoch 2</figcaption>" in told
    assert "epoch 3</figcaption>" not in told
    assert "cairn index" in told
    (folder,) = (work / "networks/paged").iterdir()
    answers = pl.read_parquet(folder / "checkpoints/best_answers.parquet")
    assert answers.schema == pl.Schema(VAL_ANSWERS_SCHEMA)
    shares = [line["top_1"] for line in read_log(folder / "checkpoints/log.jsonl") if "score" in line]  # fmt: skip
    assert answers["right"].mean() in shares
    # Of another training; and of this one, killed when its card lay there and its page did not tell so yet.
    for old in (told.replace(folder.name, "another"), told.replace('state" content="finished"', 'state" content="running"')):  # fmt: skip
        assert old != told
        page.write_text(old)
        assert main(words) == 0
        assert is_finished_page_of(page, folder.name)
    before = page.stat().st_mtime_ns
    assert main(words) == 0
    assert page.stat().st_mtime_ns == before


def test_an_error_is_told_on_the_page_too(
    work: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", str(work), "--name", "broken", "--recipe", "tiny", "--backbone", str(backbone), *QUICK]  # fmt: skip
    nothing = torch.full((8,), float("nan"), requires_grad=True)
    monkeypatch.setattr(Stepper, "_losses", lambda self, pixels, targets, sampled: nothing)
    assert main(words) == 1
    told = (work / "reports/broken/training.html").read_text()
    assert "broken off" in told
    assert "the loss of step 0 is nan" in told
    assert f"cairn train {work} --name broken --recipe tiny</code> and the flags" in told


def test_an_error_that_is_none_of_ours_leaves_no_page_that_waits_for_ever(
    work: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs_out(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Stepper, "_losses", runs_out)
    settings = TrainSettings(recipe="tiny")
    with pytest.raises(torch.OutOfMemoryError):
        train(work, name="full", describing=DescribeSettings(backbone=str(backbone)), settings=settings)  # fmt: skip
    told = (work / "reports/full/training.html").read_text()
    assert "OutOfMemoryError: CUDA out of memory" in told
    assert 'http-equiv="refresh"' not in told


def test_a_page_that_cannot_be_written_neither_ends_a_training_nor_hides_its_error(
    work: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "reports").mkdir(exist_ok=True)
    (work / "reports/paperless").write_text("in the way of the folder")
    words = ["train", str(work), "--name", "paperless", "--recipe", "tiny", "--backbone", str(backbone), *QUICK]  # fmt: skip
    nothing = torch.full((8,), float("nan"), requires_grad=True)
    with monkeypatch.context() as patched:
        patched.setattr(Stepper, "_losses", lambda self, pixels, targets, sampled: nothing)
        assert main(words) == 1
    said = capsys.readouterr().err
    assert "the page of the training is not written" in said
    assert "the loss of step 0 is nan" in said
    assert main(words) == 0
    assert list((work / "networks/paperless").glob("*/network/card.json"))


def test_the_card_of_the_bundle_says_how_its_network_was_trained_and_the_report_links_to_the_page(
    work: Path, backbone: Path
) -> None:
    words = ["--name", "carded", "--recipe", "tiny", "--backbone", str(backbone), *QUICK]
    assert main(["train", str(work), *words]) == 0
    bundle = index(work, name="carded").bundle
    card = open_bundle(bundle).card
    told = card.network_training
    assert told is not None
    assert (told.recipe, told.ended, told.top["neck_width"], told.finetune["epochs"]) == ("tiny", "all epochs", 16, 2)  # fmt: skip
    assert told.versions["torch"] == torch.__version__.split("+")[0]
    assert card.versions.keys() >= {"cairn", "python", "numpy", "openvino"}
    assert set(told.made_from) == {"images", "backbone"}
    landmarks = pl.read_parquet(bundle / "landmarks.parquet")
    assert landmarks["name"].to_list() == [f"landmark {number}" for number in range(N_LANDMARKS)]
    report = evaluate(work, name="carded", settings=EvaluateSettings(n_bootstrap=20)).report
    assert '<a href="training.html">' in report.read_text()
    assert open_bundle(bundle).card.scores["gap"] is not None
    (report.parent / "training.html").write_text("of another training")
    report = evaluate(work, name="carded", settings=EvaluateSettings(n_bootstrap=20)).report
    assert "training.html" not in report.read_text()
    assert index(work, name="carded").bundle == bundle


def test_another_setting_begins_another_training_beside_the_old_one(
    work: Path, backbone: Path
) -> None:
    before = set(networks(work)) if (work / "networks").exists() else set()
    words = ["train", str(work), "--recipe", "tiny", "--backbone", str(backbone), *QUICK, "--seed", "5"]  # fmt: skip
    assert main(words) == 0
    assert len(set(networks(work)) - before) == 1
    assert before <= set(networks(work))


def test_torchrun_trains_one_network_by_two_processes_and_the_rest_is_as_ever(
    work: Path, backbone: Path
) -> None:
    words = ["train", str(work), "--recipe", "arcface", "--backbone", str(backbone), *QUICK, "--seed", "7"]  # fmt: skip
    together = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]  # fmt: skip
    asked = [*together, "-m", "cairn", *words, "--sampled-landmarks", "3", "--name", "two"]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("best GAP on val") == 1
    assert ran.stdout.count("fitted on ") == 1
    (folder,) = (work / "networks/two").iterdir()
    assert json.loads((folder / "network/card.json").read_text())["said"]["ended"] == "all epochs"
    found = cairn.Recognizer.load(index(work, name="two").bundle).recognize(photo(1, 99))
    assert found.landmarks


def test_what_cannot_be_trained_is_told(work: Path, tiny_backbone: Path) -> None:
    settings = TrainSettings(recipe="tiny")
    with pytest.raises(InputError, match=r"no form in int8 yet.* cairn export NETWORK OUT"):
        train(work, describing=DescribeSettings(describe_in="int8"), settings=settings)
    with pytest.raises(InputError, match="the embedded backbone cannot be trained further"):
        train(work, describing=DescribeSettings(backbone="embedded"), settings=settings)
    with pytest.raises(InputError, match=r"has no model\.safetensors, only an ONNX network"):
        train(work, describing=DescribeSettings(backbone=str(tiny_backbone)), settings=settings)


@pytest.mark.parametrize("name", [name for name in recipe_names() if name != "frozen"])
def test_every_recipe_is_made_of_settings_that_are_in_range(name: str) -> None:
    recipe = Recipe.named(name)
    told = read_recipe(name)
    for section, model in (("augment", recipe.augment), ("top", recipe.top), ("finetune", recipe.finetune)):  # fmt: skip
        assert set(told.get(section, {})) <= set(model.model_fields_set)
    assert recipe.augment.mirror == name.startswith("classic")


def test_an_unknown_recipe_is_told_with_all_that_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", str(tmp_path), "--recipe", "arcfase", "--epochs", "many"]) != 0
    said = capsys.readouterr().err
    assert "2 settings are wrong" in said
    assert "did you mean arcface" in said
    assert "--epochs is 'many'; expected: a whole number" in said
    with pytest.raises(SettingsError, match="expected: one of frozen, arcface"):
        Recipe.named("arcfase")


def test_the_recipes_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipes"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in recipe_names())
    assert main(["recipes", "--show", "arcface"]) == 0
    assert "[finetune]" in capsys.readouterr().out


def test_without_torch_a_recipe_says_which_one_needs_none(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cairn.pipeline.finetuning.torch_versions", lambda: None)
    told = (
        r"the recipe tiny, which trains the network, needs the extra 'train'.*take --recipe frozen"
    )
    with pytest.raises(MissingExtra, match=told):
        train(work, settings=TrainSettings(recipe="tiny"))
