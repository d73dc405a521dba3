"""A training tried before it begins: which steps cost the same, what they cost, and that it adds up."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.base.seats import ALONE  # noqa: E402
from cairn.base.settings import FinetuneSettings, TopSettings  # noqa: E402
from cairn.base.settings.recipes import Recipe  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.images.store import FolderStore  # noqa: E402
from cairn.training.ranks import Ranks  # noqa: E402
from cairn.training.trying import Tried, stretches_of, try_training  # noqa: E402
from tests.training.small_training import CONFIG, PLAIN, QUICK, drawn_images  # noqa: E402


def changed(**settings: object) -> FinetuneSettings:
    return FinetuneSettings.model_validate(QUICK.as_json() | settings)


def tried(folder: Path, settings: FinetuneSettings, top: TopSettings | None = None) -> Tried:
    images = drawn_images(folder / "photos")
    recipe = Recipe("tiny", PLAIN, top or TopSettings(neck_width=16), settings)
    (folder / "tried").mkdir()
    return try_training(
        images, images, recipe, config=CONFIG, weights=None, store=FolderStore(folder / "photos"),
        folder=folder / "tried", ranks=Ranks(ALONE, torch.device("cpu")), watch=Silent(),
    )  # fmt: skip


def test_steps_of_one_side_and_the_same_layers_are_a_stretch() -> None:
    settings = changed(epochs=4, frozen_epochs=1, growing="0.3:32,0.5:40")
    assert stretches_of(settings, 10) == [range(10), range(10, 12), range(12, 20), range(20, 40)]
    thawing = changed(epochs=4, frozen_epochs=1, thawing_epochs=1)
    assert stretches_of(thawing, 10) == [range(10), range(10, 20), range(20, 40)]
    assert stretches_of(changed(epochs=2, frozen_epochs=5), 3) == [range(6)]
    assert stretches_of(changed(epochs=2, frozen_epochs=0), 3) == [range(6)]


@pytest.mark.slow
def test_each_stretch_is_tried_with_its_side_and_its_layers_and_the_seconds_add_up(
    tmp_path: Path,
) -> None:
    found = tried(tmp_path, changed(epochs=4, frozen_epochs=1, growing="0.5:32"))
    frozen, small, whole = found.stretches
    assert [one.side_px for one in found.stretches] == [32, 32, 48]
    assert frozen.n_learning < small.n_learning == whole.n_learning <= found.n_parameters
    assert (found.n_images, found.n_val, found.n_distractors, found.n_landmarks) == (24, 24, 0, 4)
    assert (found.steps_an_epoch, found.width, found.arithmetic) == (3, 16, "fp32")
    costs = found.costs
    slow = sum(3 * found.step_s(one) for one in (frozen, small, whole, whole))
    assert found.run_s == pytest.approx(slow + 4 * (costs.judge_s + costs.checkpoint_s))
    assert costs.checkpoint_bytes == (tmp_path / "tried/last.safetensors").stat().st_size
    # The optimiser remembers two numbers for each that learns.
    assert 4 * found.n_parameters < costs.best_bytes < costs.checkpoint_bytes
    assert 0 < costs.peak_bytes < costs.memory_bytes


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_found_before_training(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the loss of the first step is .*; a number was expected"
    ):
        tried(tmp_path, QUICK, TopSettings(neck_width=16, head="arcface", scale=1e300))
