"""A learning rate found before training: what losses at rising rates say, and that training at it learns."""

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.base.seats import ALONE  # noqa: E402
from cairn.base.settings import TopSettings  # noqa: E402
from cairn.base.settings.recipes import Recipe  # noqa: E402
from cairn.base.watching import Silent  # noqa: E402
from cairn.images.store import FolderStore  # noqa: E402
from cairn.training.finding_rate import find_rate, found_in, has_blown_up, mostly, smoothed  # noqa: E402
from cairn.training.ranks import Ranks  # noqa: E402
from cairn.training.trials import Trial  # noqa: E402
from tests.training.small_training import CONFIG, PLAIN, QUICK, drawn_images, small_loop  # noqa: E402

RATES = np.geomspace(1e-6, 1, 100).tolist()


def test_the_smoothed_loss_is_a_fair_mean_from_the_first_on() -> None:
    assert smoothed([3.0] * 5) == pytest.approx([3.0] * 5)
    weights = [0.9**2, 0.9, 1.0]
    slow = sum(w * x for w, x in zip(weights, [1, 5, 2], strict=True)) / sum(weights)
    assert smoothed([1, 5, 2])[-1] == pytest.approx(slow)


def test_the_rate_is_a_tenth_of_that_with_the_lowest_loss() -> None:
    losses = [4 - 3 * math.exp(-((math.log10(rate) + 2) ** 2) / 2) for rate in RATES]
    found = found_in(RATES, losses, blew_up=False)
    # The smoothed loss comes some steps behind.
    assert 1e-2 < found.lowest_at < 6e-2
    assert found.suggested == float(f"{found.lowest_at / 10:.0e}")
    assert 1e-3 < found.steepest_at < found.lowest_at


def test_it_ends_where_the_loss_is_no_number_or_four_times_its_lowest() -> None:
    assert not has_blown_up([4.0, 3.0, 2.0])
    assert has_blown_up([4.0, math.nan])
    assert has_blown_up([1.0] * 20 + [100.0])
    losses = [4.0 - number / 50 for number in range(60)] + [math.inf]
    assert found_in(RATES[:61], losses, blew_up=True).lowest_at == RATES[59]


def test_a_loss_that_falls_nowhere_is_told() -> None:
    with pytest.raises(InputError, match="fell at no rate from 1e-06 to 1e"):
        found_in(RATES, [4.0 + number for number in range(100)], blew_up=True)
    with pytest.raises(InputError, match="fell at no rate"):
        found_in(RATES[:3], [4.0, 3.0, math.nan], blew_up=True)


def test_the_layers_that_ever_learn_do_so_from_the_first_step_on() -> None:
    settings = QUICK.model_copy(update={"frozen_epochs": 1, "growing": ("0.5:32",), "ema": 0.9})
    recipe = Recipe("tiny", PLAIN, TopSettings(), settings)
    assert mostly(recipe).finetune == QUICK
    never = settings.model_copy(update={"epochs": 1})
    assert mostly(Recipe("tiny", PLAIN, TopSettings(), never)).finetune.frozen == 1


@pytest.mark.slow
def test_at_the_rate_that_was_found_the_photos_are_learnt_by_heart(tmp_path: Path) -> None:
    images = drawn_images(tmp_path / "photos")
    recipe = Recipe("tiny", PLAIN, TopSettings(neck_width=32), QUICK)
    store = FolderStore(tmp_path / "photos")
    found = find_rate(
        Trial(images, recipe, CONFIG, None, store, Ranks(ALONE, torch.device("cpu"))), Silent()
    )
    assert 1e-4 < found.suggested < 0.1
    settings = QUICK.model_copy(update={"learning_rate": found.suggested, "epochs": 20})
    assert small_loop(tmp_path, settings).run(Silent()).best == 1.0
