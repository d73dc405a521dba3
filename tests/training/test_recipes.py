"""Every recipe with the network it is made for: ours learn a few photos by heart, the classic ones get better."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("timm")

from cairn.base.settings.recipes import Recipe, read_recipe, recipe_names  # noqa: E402 - torch first
from cairn.base.watching import Silent  # noqa: E402
from cairn.images.store import FolderStore  # noqa: E402
from cairn.models.folders import BackboneConfig  # noqa: E402
from cairn.training.descriptor_net import normalised  # noqa: E402
from cairn.training.finetuning import make_parts  # noqa: E402
from cairn.training.judging import Val  # noqa: E402
from cairn.training.loop import LOG, Loop  # noqa: E402
from cairn.training.optimising import Parts  # noqa: E402
from cairn.training.samples import augmented_samples  # noqa: E402
from cairn.training.telling import read_log  # noqa: E402
from tests.training.small_training import CONFIG, drawn_images  # noqa: E402

pytestmark = pytest.mark.slow
CLASSIC = [name for name in recipe_names() if name.startswith("classic")]
OURS = [name for name in recipe_names() if name not in ("frozen", *CLASSIC)]
# Networks that begin from nothing learn all of their layers and statistics, at sides and rates for a few seconds.
FROM_NOTHING = {
    "frozen": 0, "frozen_epochs": 0, "thawing_epochs": 0, "norms": "learn", "growing": "", "workers": 0,
    "arithmetic": "fp32", "batch_images": 12, "network_rate": 1.0, "layer_decay": 1.0, "sampling": "as they are",
}  # fmt: skip
RATES = {"vgg16": 3e-4, "inception-resnet-v2": 1e-3}
SIDES = {"inception-resnet-v2": 96, "classic-inception-resnet-v2": 96, "classic-vgg16": 96}


def changed(recipe: Recipe, side_px: int, **settings: object) -> Recipe:
    augment = recipe.augment.as_json() | {"side_px": side_px, "erase_chance": 0, "area": "1,1"}
    top = recipe.top.as_json() | {"label_smoothing": 0}
    finetune = recipe.finetune.as_json() | settings
    return Recipe(
        recipe.name,
        type(recipe.augment).model_validate(augment),
        type(recipe.top).model_validate(top),
        type(recipe.finetune).model_validate(finetune),
    )


def config_of(name: str) -> BackboneConfig:
    """The network that the recipe names, or a tiny one."""
    named = read_recipe(name).get("describe", {}).get("backbone")
    if named is None:
        return CONFIG
    told = CONFIG.model_dump() | {"architecture": str(named).split(".")[0]}
    return BackboneConfig.model_validate(told)


class Learnt(Exception):
    """Every photo is answered rightly: there is nothing more to wait for."""


def loop_of(recipe: Recipe, folder: Path) -> Loop:
    images, store = drawn_images(folder / "photos"), FolderStore(folder / "photos")
    parts = make_parts(images, recipe, config=config_of(recipe.name), weights=None)

    mean, deviation = torch.tensor([0.5] * 3), torch.tensor([0.25] * 3)
    val = Val(images, store, recipe.augment.side_px, mean, deviation)

    def judge(judged: Parts) -> tuple[float, dict[str, float]]:
        score, told = val.judge(judged)
        if score == 1.0 and not recipe.name.startswith("classic"):
            raise Learnt
        return score, told

    return Loop(parts, images, recipe.finetune, recipe.augment, folder, store, mean, deviation, judge)  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_our_recipes_learn_a_few_photos_by_heart(tmp_path: Path, name: str) -> None:
    recipe = changed(
        Recipe.named(name), SIDES.get(name, 64), epochs=30, patience=0,
        learning_rate=RATES.get(name, 1e-3), **FROM_NOTHING,
    )  # fmt: skip
    with pytest.raises(Learnt):
        loop_of(recipe, tmp_path).run(Silent())


def settle_norms(loop: Loop) -> None:
    """Batch norms that never saw an image let nothing through a deep network: they see the photos once."""
    shown = augmented_samples(loop.images, loop.store, loop.augmenting, seed=0, n=12, n_views=0)
    pixels = torch.from_numpy(np.concatenate([one.views for one in shown]))
    for module in loop.parts.model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        loop.parts.model.train()
        loop.parts.net.maps(normalised(pixels, loop.mean, loop.deviation))


@pytest.mark.parametrize("name", CLASSIC)
def test_the_classic_recipes_lower_their_loss(tmp_path: Path, name: str) -> None:
    recipe = changed(
        Recipe.named(name), SIDES.get(name, 64), epochs=14, workers=0, batch_images=4, learning_rate=1e-3
    )  # fmt: skip
    loop = loop_of(recipe, tmp_path)
    settle_norms(loop)
    loop.run(Silent())
    losses = [line["loss"] for line in read_log(tmp_path / LOG) if "loss" in line]
    first, last = losses[:12], losses[-12:]
    assert sum(last) < 0.95 * sum(first), (sum(first), sum(last))  # type: ignore[arg-type]  # all of them are numbers
