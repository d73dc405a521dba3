"""A learning rate found before training: rates that rise from step to step on a copy, until the loss blows up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cairn.base.errors import InputError
from cairn.base.settings.recipes import Recipe
from cairn.base.watching import Watch
from cairn.training.trials import Trial

N_STEPS = 100
_LOWEST, _HIGHEST = 1e-6, 1.0
# How much of what was before counts in the smoothed loss, and how many times its lowest it may become.
_KEPT, _BLOWN_UP = 0.9, 4.0
# Steps whose smoothed loss is little more than that of one batch.
_N_BEGINNING = 10
# The lowest loss is reached where a rate is about to be too high, so some way is kept from it.
_BELOW_LOWEST = 10.0


@dataclass(frozen=True)
class RateFound:
    """The loss at rates that rise, and the rate to train with.

    rates, losses, smoothed: of each step that was taken. lowest_at: the rate where the smoothed loss is lowest.
    steepest_at: the rate where it falls the fastest with the logarithm of the rate. blew_up: whether it ended there.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    lowest_at: float
    steepest_at: float
    blew_up: bool

    @property
    def suggested(self) -> float:
        """A tenth of the rate where the smoothed loss is lowest, to one digit."""
        return _one_digit(self.lowest_at / _BELOW_LOWEST)

    def told(self) -> tuple[tuple[str, str], ...]:
        """What was found, as rows of words."""
        tried = f"{self.rates[0]:.0e} to {self.rates[-1]:.1e}"
        return (
            (
                "rates tried",
                f"{tried}, {'until the loss blew up' if self.blew_up else 'all of them'}",
            ),
            ("the loss falls fastest at", f"{self.steepest_at:.1e}"),
            ("the loss is lowest at", f"{self.lowest_at:.1e}"),
            ("suggested, a tenth of that", f"{self.suggested:g}"),
        )


def mostly(recipe: Recipe) -> Recipe:
    """The recipe as it is for most of its steps: all layers learn that ever will, at the largest side."""
    settings = recipe.finetune
    is_ever_thawed = settings.frozen_epochs < settings.epochs
    changes: dict[str, object] = {"growing": (), "ema": 0.0}
    changes |= {"frozen_epochs": 0, "thawing_epochs": 0} if is_ever_thawed else {"frozen": 1.0}
    return replace(recipe, finetune=settings.model_copy(update=changes))


def find_rate(trial: Trial, watch: Watch) -> RateFound:
    """The loss of up to 100 steps on real batches at rates that rise from 1e-6 to 1 in equal factors.

    trial: of a recipe as `mostly` gives it. Its weights are spoilt after this.
    Raises InputError where the loss falls at no rate.
    Source: Smith, arXiv:1506.01186 (range test).
    """
    rates = np.geomspace(_LOWEST, _HIGHEST, N_STEPS)
    highest = trial.recipe.finetune.learning_rate
    losses: list[float] = []
    blew_up = False
    with watch.phase("find a rate", N_STEPS) as advance:
        for rate, seen in zip(rates, trial.seen(range(N_STEPS)), strict=True):
            losses.append(trial.step(seen, rate / highest).loss)
            advance(1)
            if has_blown_up(losses):
                blew_up = True
                break
    return found_in(rates[: len(losses)].tolist(), losses, blew_up=blew_up)


def found_in(rates: Sequence[float], losses: Sequence[float], *, blew_up: bool) -> RateFound:
    """What rates that rise in equal factors and the losses at them say; a loss that is no number may be the last.

    Raises InputError where the loss falls at no rate.
    """
    mean = smoothed(losses)
    n_known = sum(map(math.isfinite, mean))
    lowest = int(np.argmin(mean[_N_BEGINNING:n_known])) + _N_BEGINNING if n_known > _N_BEGINNING else 0  # fmt: skip
    if not lowest or mean[lowest] >= mean[_N_BEGINNING]:
        raise InputError(
            f"the loss ({mean[0]:.3g} at first) fell at no rate from {rates[0]:.0e} to {rates[-1]:.0e}; a loss that falls "
            "was expected; look at what is frozen (--frozen, --network-rate), or take larger batches with --batch-images"
        )
    slopes = np.gradient(mean[_N_BEGINNING : lowest + 1]) if lowest > _N_BEGINNING else [0.0]
    steepest = _N_BEGINNING + int(np.argmin(slopes))
    return RateFound(
        tuple(rates), tuple(losses), tuple(mean), rates[lowest], rates[steepest], blew_up
    )


def smoothed(losses: Sequence[float]) -> list[float]:
    """A running mean of the losses that forgets a tenth at each step, and is fair to the first ones."""
    found, total = [], 0.0
    for number, loss in enumerate(losses, start=1):
        total = _KEPT * total + (1 - _KEPT) * loss
        found.append(total / (1 - _KEPT**number))
    return found


def has_blown_up(losses: Sequence[float]) -> bool:
    """Whether the last loss is no number, or the smoothed one has become four times its lowest."""
    mean = smoothed(losses)
    return not math.isfinite(losses[-1]) or mean[-1] > _BLOWN_UP * min(mean)


def _one_digit(rate: float) -> float:
    return float(f"{rate:.0e}")
