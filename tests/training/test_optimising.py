"""Which layers learn when, and how the learning rate rises and falls."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.settings import FinetuneSettings  # noqa: E402 - torch has to be there first
from cairn.training.optimising import Rates, frozen_share  # noqa: E402


def shares(**settings: object) -> list[float]:
    chosen = FinetuneSettings.model_validate(settings)
    return [round(frozen_share(chosen, epoch), 3) for epoch in range(5)]


def test_a_network_is_frozen_at_the_beginning_and_then_learns_as_far_as_it_may() -> None:
    assert shares(frozen_epochs=2) == [1, 1, 0, 0, 0]
    assert shares(frozen_epochs=1, frozen=0.8) == [1, 0.8, 0.8, 0.8, 0.8]
    assert shares(frozen_epochs=0, frozen=1.0) == [1, 1, 1, 1, 1]


def test_layers_thaw_epoch_by_epoch() -> None:
    assert shares(frozen_epochs=1, thawing_epochs=2) == [1, 0.667, 0.333, 0, 0]
    assert shares(frozen_epochs=0, thawing_epochs=1, frozen=0.5) == [0.75, 0.5, 0.5, 0.5, 0.5]


def test_a_rate_rises_in_a_straight_line_and_falls_as_a_cosine() -> None:
    rates = Rates(n_steps=12, warmup=0.25, decay="cosine")
    assert [rates.at(step) for step in range(3)] == [0.25, 0.5, 0.75]
    assert rates.at(3) == 1.0
    assert [rates.at(step) for step in range(3, 12)] == sorted(
        (rates.at(step) for step in range(3, 12)), reverse=True
    )
    assert 0 < rates.at(11) < 0.05
