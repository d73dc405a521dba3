"""Settings that do not go together are told, all of them, and nothing that a recipe brings is held against a person."""

import pytest

from cairn.base.settings import FinetuneSettings, Settings, TopSettings
from cairn.base.settings.recipes import Recipe, recipe_names
from cairn.base.settings.unfit import unfit


def sections(top: dict[str, object], finetune: dict[str, object]) -> dict[str, Settings]:
    return {
        "top": TopSettings.model_validate(top),
        "finetune": FinetuneSettings.model_validate(finetune),
    }


def test_all_that_does_not_go_together_is_told_at_once() -> None:
    told = sections(
        {"top_pooling": "flatten", "centres": 3, "margins": "0.1,0.3"},
        {"growing": "0.5:128", "batch_images": 8, "accumulate": 8},
    )
    assert unfit(told, {"centres", "margins", "growing"}) == [
        "--centres is 3 with --head softmax, where it changes nothing; expected: --head arcface, or no --centres",
        "--margins is 0.1,0.3 with --head softmax, where it changes nothing; expected: --head arcface, or no --margins",
        "--batch-images is 8, taken in --accumulate 8 parts; expected: 16 images or more, at least 2 in a part, or fewer parts",
        "--growing is 0.5:128 with --top-pooling flatten, whose layers fit one side only; expected: --growing '' or another --top-pooling",
    ]


def test_rates_of_a_network_that_stays_as_it_is_change_nothing() -> None:
    assert unfit(sections({}, {"frozen": 1, "layer_decay": 0.5}), {"layer_decay"}) == [
        "--layer-decay is 0.5 with --frozen 1, where it changes nothing; expected: --frozen 0, or no --layer-decay"
    ]


def test_what_a_recipe_brings_can_be_switched_away() -> None:
    assert unfit(sections({"centres": 3, "head": "softmax"}, {"frozen": 1, "layer_decay": 0.9}), {"head", "frozen"}) == []  # fmt: skip


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_goes_together(name: str) -> None:
    recipe = Recipe.named(name)
    assert unfit({"top": recipe.top, "finetune": recipe.finetune}, ()) == []
