"""How steps are taken: which parameters learn how fast, how the rates rise and fall, and the optimisers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cairn.base.settings import FinetuneSettings
from cairn.training.descriptor_net import DescriptorNet, Layers, freeze
from cairn.training.lazy_rows import learn_rows_lazily

_MOMENTUM = 0.9


@dataclass(frozen=True)
class Rates:
    """The learning rate over `n_steps` steps as a share of its highest: it rises in a straight line, then falls."""

    n_steps: int
    warmup: float
    decay: str

    def at(self, step: int) -> float:
        """The share at `step`, counted from 0; never 0, so that no step is idle."""
        n_rising = round(self.warmup * self.n_steps)
        if step < n_rising:
            return (step + 1) / (n_rising + 1)
        if self.decay == "constant":
            return 1.0
        done = (step - n_rising) / max(1, self.n_steps - n_rising)
        return 0.5 * (1 + math.cos(math.pi * min(done, 1.0))) or 1e-6


@dataclass(frozen=True)
class Parts:
    """A network and its head while they are trained; `layers` are the groups of the network."""

    net: DescriptorNet
    head: nn.Module
    layers: Layers

    @property
    def model(self) -> nn.Module:
        """The network as timm builds it."""
        model = self.net.maps.model
        if not isinstance(model, nn.Module):
            raise TypeError(f"a network of timm was expected, not {type(model).__name__}")
        return model

    def freeze(self, settings: FinetuneSettings, *, epoch: int) -> None:
        """Lets move what the settings let move in an epoch, counted from 0."""
        freeze(self.model, self.layers, self.layers.n_frozen(frozen_share(settings, epoch)))

    def parameters(self) -> list[nn.Parameter]:
        """All that may ever be trained, of the network and of what stands on it."""
        return [*self.net.parameters(), *self.head.parameters()]


def frozen_share(settings: FinetuneSettings, epoch: int) -> float:
    """The share of the network's layers, from the image on, that stay as they are in an epoch, counted from 0.

    All of them at the beginning; then they thaw from the last one on, as many more in each epoch of thawing.
    """
    n_thawing = epoch + 1 - settings.frozen_epochs
    if n_thawing <= 0:
        return 1.0
    thawed = min(1.0, n_thawing / (settings.thawing_epochs + 1))
    return 1.0 - thawed * (1.0 - settings.frozen)


def optimizer_of(parts: Parts, settings: FinetuneSettings) -> torch.optim.Optimizer:
    """An optimiser of all parameters, each group with its `share` of the highest learning rate; rows of a head that a step
    does not see learn lazily, see `learn_rows_lazily`.

    Biases, scales and other single numbers do not decay. Frozen parameters are in it and get no gradient, so that a
    network can be thawed while it runs.
    """
    groups = [
        {"params": list(parameters), "share": share, "lr": settings.learning_rate * share,
         "weight_decay": settings.weight_decay if decays else 0.0}
        for share, decays, parameters in _groups(parts, settings)
    ]  # fmt: skip
    optimizer = _of_kind(groups, settings)
    learn_rows_lazily(optimizer)
    return optimizer


# Any: torch takes groups with what keys one likes.
def _of_kind(groups: list[dict[str, Any]], settings: FinetuneSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=_MOMENTUM, nesterov=True)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=settings.learning_rate)


def whole_gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The gradients that there are, to be changed in place; of sparse ones the values, each row once, in order."""
    found = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            found.append(parameter.grad.values())
        else:
            found.append(parameter.grad)
    return found


def clip(gradients: list[Tensor], *, longest: float) -> float:
    """How long all gradients together were; they are at most `longest` from now on, in place."""
    length = float(nn.utils.get_total_norm(gradients))
    if length > longest:
        for gradient in gradients:
            gradient.mul_(longest / (length + 1e-6))
    return length


def set_rates(optimizer: torch.optim.Optimizer, highest: float, share: float) -> None:
    """Each group learns at its own share of `highest` × `share` from now on."""
    for group in optimizer.param_groups:
        group["lr"] = highest * share * group["share"]


def _groups(
    parts: Parts, settings: FinetuneSettings
) -> Iterable[tuple[float, bool, list[nn.Parameter]]]:
    """Share of the learning rate, whether it decays, and the parameters, for each group that has any."""
    named = dict(parts.model.named_parameters())
    n_groups = len(parts.layers.groups)
    found = []
    for place, names in enumerate(parts.layers.groups):
        share = settings.network_rate * settings.layer_decay ** (n_groups - 1 - place)
        found.append((share, [named[name] for name in names]))
    found.append((1.0, [*parts.net.top.parameters(), *parts.head.parameters()]))
    for share, parameters in found:
        for decays in (True, False):
            chosen = [one for one in parameters if (one.ndim > 1) == decays]
            if chosen:
                yield share, decays, chosen
