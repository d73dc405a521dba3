"""How many images a step takes where nobody says: chosen by what was measured, and kept for the training to go on with."""

import json
from collections.abc import Mapping
from dataclasses import replace
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
from cairn.training import batch_sizes  # noqa: E402
from cairn.training.batch_sizes import CHOSEN, fastest, largest_that_fits, sized  # noqa: E402
from cairn.training.ranks import Ranks  # noqa: E402
from tests.training.small_training import CONFIG, PLAIN, QUICK, drawn_images  # noqa: E402

SIZES = (8, 16, 32, 64)


class Measured:
    """Speeds by size, None where there is no room, and which sizes were asked for."""

    def __init__(self, speeds: Mapping[int, float | None]) -> None:
        self.speeds, self.asked = speeds, list[int]()

    def __call__(self, size: int) -> float | None:
        self.asked.append(size)
        return self.speeds[size]


def test_a_gpu_takes_the_largest_that_fits_and_none_is_tried_after_one_that_does_not() -> None:
    measured = Measured({8: 5.0, 16: 4.0, 32: None})
    assert largest_that_fits(SIZES, measured) == 16
    assert measured.asked == [8, 16, 32]
    assert largest_that_fits(SIZES, Measured(dict.fromkeys(SIZES, 1.0))) == 64
    assert largest_that_fits(SIZES, Measured({8: None})) is None


def test_a_processor_takes_the_fastest_and_a_larger_one_has_to_be_worth_it() -> None:
    assert fastest(SIZES, Measured({8: 20.0, 16: 22.0, 32: 21.0, 64: 20.0})) == 16
    assert fastest(SIZES, Measured({8: 20.0, 16: 20.2, 32: 20.4, 64: 20.5})) == 8
    assert fastest(SIZES, Measured({8: 20.0, 16: 24.0, 32: None})) == 16
    assert fastest(SIZES, Measured({8: None})) is None
    slow = Measured({8: 20.0, 16: 12.0, 32: 90.0})
    assert fastest(SIZES, slow) == 8
    assert slow.asked == [8, 16]


def test_auto_is_a_number_of_images_like_any_other() -> None:
    assert FinetuneSettings.model_validate({"batch_images": "auto"}).batch_images == 0
    assert FinetuneSettings.model_validate({"batch_images": "24"}).batch_images == 24


def sized_in(folder: Path, recipe: Recipe) -> Recipe:
    images = drawn_images(folder / "photos")
    return sized(
        images, recipe, config=CONFIG, weights=None, store=FolderStore(folder / "photos"),
        folder=folder / "checkpoints", ranks=Ranks(ALONE, torch.device("cpu")), watch=Silent(),
    )  # fmt: skip


@pytest.mark.slow
def test_a_size_that_was_found_is_kept_for_the_training_to_go_on_with(tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"batch_images": 0, "accumulate": 8})
    recipe = Recipe("tiny", PLAIN, TopSettings(neck_width=16), settings)
    found = sized_in(tmp_path, recipe)
    assert found.finetune.batch_images in (16, 32, 64)
    path = tmp_path / "checkpoints" / CHOSEN
    assert json.loads(path.read_text()) == {"batch_images": found.finetune.batch_images}
    path.write_text('{"batch_images": 48}')
    assert sized_in(tmp_path, recipe).finetune.batch_images == 48
    said = replace(recipe, finetune=settings.model_copy(update={"batch_images": 24}))
    assert sized_in(tmp_path, said) == said


@pytest.mark.slow
def test_no_room_for_any_step_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_sizes, "memory", lambda *, on_gpu: (10**12, 10**9))
    settings = QUICK.model_copy(update={"batch_images": 0})
    with pytest.raises(InputError, match="no memory for a step of 8 images"):
        sized_in(tmp_path, Recipe("tiny", PLAIN, TopSettings(neck_width=16), settings))
