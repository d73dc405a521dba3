"""A network that is trained: its layers in groups, and what stands on it: pooling, neck, the way to a descriptor."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cairn.base.errors import InputError
from cairn.base.settings import TopSettings
from cairn.models.pooling import GEM_FLOOR

# Parts of timm's networks behind the maps, which are not run.
_BEHIND_MAPS = ("head", "fc", "classifier", "classif", "pre_logits", "last_linear", "attn_pool")
_START_POWER = 3.0


class DescriptorNet(nn.Module):
    """Pixels [B, 3, H, W], normalised, to descriptors [B, D], not of length one.

    maps: as `models.networks.build_network` makes it: gives a tuple, the maps [B, C, h, w] first.
    map_shape: [C, h, w] of those at the size that it is trained at.
    """

    def __init__(self, maps: nn.Module, map_shape: tuple[int, int, int], top: TopSettings) -> None:
        super().__init__()
        self.maps = maps
        self.top = Top(map_shape, top)

    def forward(self, pixels: Tensor) -> Tensor:
        """The descriptors; the pooling and what follows are computed in float32."""
        maps = self.maps(pixels)[0]
        with torch.autocast(pixels.device.type, enabled=False):
            descriptors: Tensor = self.top(maps.float())
        return descriptors

    @property
    def width(self) -> int:
        """How many numbers a descriptor has."""
        return self.top.width


class Top(nn.Module):
    """Maps [B, C, h, w] to descriptors [B, D]: a convolution or none, a pooling, then a neck or dense layers, or neither.

    Sources: Radenović, Tolias, Chum, arXiv:1711.02512 (GeM); the neck is that of the landmark contests' winners.
    """

    def __init__(self, map_shape: tuple[int, int, int], settings: TopSettings) -> None:
        super().__init__()
        self.convolution = _convolution(map_shape[0], settings.convolution)
        n_channels, height, width = _seen_through(self.convolution, map_shape)
        self.pooling = settings.top_pooling
        self.power = nn.Parameter(torch.tensor(_START_POWER))
        self.power.requires_grad_(settings.top_pooling == "gem")
        pooled = n_channels * height * width if settings.top_pooling == "flatten" else n_channels
        layers: list[nn.Module] = []
        for dense in settings.dense:
            layers += [nn.Linear(pooled, dense), nn.ReLU()]
            pooled = dense
        if settings.neck_width:
            neck = settings.neck_width
            layers += [nn.Linear(pooled, neck), nn.BatchNorm1d(neck), nn.PReLU()]
            pooled = neck
        self.layers = nn.Sequential(*layers)
        self.width = pooled

    def forward(self, maps: Tensor) -> Tensor:
        """The descriptors."""
        maps = self.convolution(maps)
        if self.pooling == "flatten":
            pooled = maps.flatten(1)
        elif self.pooling == "avg":
            pooled = maps.mean(dim=(2, 3))
        else:
            pooled = gem(maps, self.power)
        descriptors: Tensor = self.layers(pooled)
        return descriptors


def _convolution(n_channels: int, n_maps: int) -> nn.Sequential:
    """What the old VGG16 had in front of its layers: a convolution of `n_maps`, and a pooling; nothing for 0."""
    if not n_maps:
        return nn.Sequential()
    return nn.Sequential(
        nn.Conv2d(n_channels, n_maps, 3), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)
    )


def _seen_through(
    convolution: nn.Sequential, map_shape: tuple[int, int, int]
) -> tuple[int, int, int]:
    """The shape [C, h, w] that maps have behind the convolution.

    Raises InputError where they are too small for one.
    """
    if len(convolution) and min(map_shape[1:]) < 3:
        raise InputError(
            f"the maps have {map_shape[1]} × {map_shape[2]} places; 3 × 3 or more were expected for a convolution; choose "
            "a larger --side-px, or --convolution 0"
        )
    with torch.inference_mode():
        n_channels, height, width = convolution(torch.zeros(map_shape)).shape
    return n_channels, height, width


def gem(maps: Tensor, power: Tensor) -> Tensor:
    """The generalised mean [B, C] over the places of maps [B, C, h, w]; values below 1e-6 count as 1e-6.

    Source: Radenović, Tolias, Chum, arXiv:1711.02512.
    """
    values = maps.clamp(min=GEM_FLOOR)
    return values.pow(power).mean(dim=(2, 3)).pow(1 / power)


@dataclass(frozen=True)
class Layers:
    """The parameters of a network in groups from the image on, as timm groups them; those behind the maps left out."""

    groups: tuple[tuple[str, ...], ...]

    @staticmethod
    # Any: timm's networks have many types; what is used of them is asked for by name.
    def of(model: Any) -> "Layers":
        """The groups of one of timm's networks; one group of all where it cannot tell."""
        from timm.models import group_parameters

        known = [name for name, _ in model.named_parameters() if _is_before_maps(name)]
        if not hasattr(model, "group_matcher"):
            return Layers((tuple(known),))
        found = group_parameters(model, model.group_matcher(coarse=False))
        groups = (tuple(name for name in found[key] if name in set(known)) for key in sorted(found))
        return Layers(tuple(group for group in groups if group))

    def n_frozen(self, share: float) -> int:
        """How many groups, from the image on, the share comes to."""
        return round(share * len(self.groups))


def _is_before_maps(name: str) -> bool:
    return not name.startswith(_BEHIND_MAPS)


# Any: timm's networks have many types.
def freeze(model: Any, layers: Layers, n_frozen: int) -> None:
    """The first groups and what lies behind the maps stay as they are from now on; the others are trained.

    A batch norm of frozen layers keeps its statistics too, see `hold_still`.
    """
    parameters = dict(model.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    for group in layers.groups[n_frozen:]:
        for name in group:
            parameters[name].requires_grad_(True)


def hold_still(model: nn.Module, *, norms_too: bool) -> None:
    """Modules whose own parameters are all frozen are put into the mode of answering, so that nothing in them moves.

    norms_too: all batch norms as well. Some weights come with norms that were worked into the layers before them; the
    statistics of a batch would undo those.
    """
    for module in _frozen_modules(model):
        module.eval()
    for module in model.modules():
        if norms_too and isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def _frozen_modules(model: nn.Module) -> Iterator[nn.Module]:
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own):
            yield module


def map_shape_of(maps: nn.Module, side_px: int) -> tuple[int, int, int]:
    """[C, h, w] of a network's maps for a square image of `side_px`.

    Raises InputError where the network cannot see an image so small.
    """
    was_training = maps.training
    maps.eval()
    try:
        with torch.inference_mode():
            found = maps(torch.zeros(1, 3, side_px, side_px))[0]
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"the network cannot see images of {side_px} px ({error}); a side that it was made for was expected; "
            "choose another with --side-px"
        ) from error
    finally:
        maps.train(was_training)
    _, n_channels, height, width = found.shape
    return n_channels, height, width


def pixel_scale(settings: TopSettings, config: Any) -> tuple[Tensor, Tensor]:
    """Mean and deviation [3] that pixels of 0 to 1 are normalised with.

    config: the network's `pretrained_cfg`.
    """
    if settings.pixel_scale == "old":
        return torch.zeros(3), torch.ones(3)
    return torch.tensor(config.mean), torch.tensor(config.std)


def normalised(pixels: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Pixels uint8 [B, H, W, 3] as a network takes them: [B, 3, H, W], channels last in memory."""
    scaled = pixels.permute(0, 3, 1, 2).float().div_(255)
    return scaled.sub_(mean[:, None, None]).div_(deviation[:, None, None])


def unit(descriptors: Tensor) -> Tensor:
    """Descriptors [B, D] of length one."""
    return functional.normalize(descriptors, dim=1)
