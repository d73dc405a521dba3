"""Which ways of training are compared: the old project's, the same with one fault mended each, and Cairn's own."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cairn.base.settings.recipes import FROZEN, Recipe
from cairn.bench.parts import Row

OLD = "the old way"
# Two-sided 95 % of Student's distribution, by the number of seeds less one.
_T95 = (math.nan, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclass(frozen=True)
class TrainingWay:
    """A recipe with changes by section and setting, and who answers: its own landmark head, or Cairn's recogniser."""

    name: str
    recipe: str
    changes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    answers: Literal["head", "recogniser"] = "head"

    def settings(self, *, epochs: int) -> Recipe:
        """The recipe with its changes.

        epochs: of an old way; the others have their own number.
        """
        named, changes = Recipe.named(self.recipe), self.changes
        finetune = dict(changes.get("finetune", {}))
        if self.answers == "head":
            finetune["epochs"] = epochs
        return Recipe(
            named.name,
            named.augment.model_validate(
                named.augment.as_json() | dict(changes.get("augment", {}))
            ),
            named.top.model_validate(named.top.as_json() | dict(changes.get("top", {}))),
            named.finetune.model_validate(named.finetune.as_json() | finetune),
        )


def _mended(name: str, **changes: Mapping[str, object]) -> TrainingWay:
    return TrainingWay(name, "classic-resnet50", changes)


_SCALE = {"pixel_scale": "network"}
_SHAPE = {"area": (0.5, 1.0), "aspect": (0.75, 1.3333)}
_THAWED = {"frozen": 0.0, "network_rate": 0.1, "frozen_epochs": 1}
WAYS: tuple[TrainingWay, ...] = (
    TrainingWay(OLD, "classic-resnet50"),
    _mended("+ pixels as the weights expect", top=_SCALE),
    _mended("+ no layer of 64", top={"dense": ()}),
    _mended("+ GeM, not flattened", top={"top_pooling": "gem"}),
    _mended("+ 224 px", augment={"side_px": 224}),
    _mended("+ cuts in their own shape", augment=_SHAPE),
    _mended("+ not mirrored", augment={"mirror": False}),
    _mended("+ the network learns too", finetune=_THAWED),
    _mended(
        "+ all but that",
        top=_SCALE | {"dense": (), "top_pooling": "gem"},
        augment=_SHAPE | {"side_px": 224, "mirror": False},
    ),
    TrainingWay("Cairn, recipe frozen", FROZEN, answers="recogniser"),
    TrainingWay("Cairn, recipe tiny", "tiny", answers="recogniser"),
)


def ways(*, mended: bool) -> list[TrainingWay]:
    """All ways, or without those that mend the old one."""
    return [way for way in WAYS if mended or not way.name.startswith("+")]


@dataclass(frozen=True)
class Gain:
    """How much a way's GAP lies over that of the old way, seed by seed: the mean and its 95 % interval."""

    mean: float
    low: float
    high: float


def gain_over(row: Row, old: Row) -> Gain:
    """The gain of `row`; its interval is Student's over the seeds (above ten as for ten), NaN where there is one seed only."""
    over = [ours - theirs for ours, theirs in zip(row.gaps, old.gaps, strict=True)]
    mean = statistics.mean(over)
    if len(over) < 2:
        return Gain(mean, math.nan, math.nan)
    quantile = _T95[min(len(over), len(_T95)) - 1]
    half = quantile * statistics.stdev(over) / math.sqrt(len(over))
    return Gain(mean, mean - half, mean + half)


def rows_of(scores: Sequence[Mapping[str, tuple[float, float]]]) -> list[Row]:
    """A row for each way, of the GAP and top-1 of each by seed."""
    return [
        Row(name, tuple(one[name][0] for one in scores), tuple(one[name][1] for one in scores))
        for name in scores[0]
    ]
