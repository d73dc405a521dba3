"""Networks that timm builds: with weights from a safetensors file, and one form of answer for all."""

import contextlib
import importlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from cairn.base.checks import counted
from cairn.base.errors import BundleError, MissingExtra
from cairn.models.folders import NETWORK, BackboneConfig

if TYPE_CHECKING:
    from torch import Tensor, nn

RANDOM_SEED = 0
OTHERWISE = (
    "or name a backbone folder that has model.onnx with --backbone FOLDER, or use the small one "
    "shipped with Cairn: --backbone embedded"
)


def build_network(config: BackboneConfig, weights: Path | None) -> "nn.Module":
    """timm's network as a module that gives (maps,) or (maps, cls), ready to be run or exported.

    weights: a safetensors file, or None for random weights from a fixed seed.
    Raises BundleError if timm does not know the architecture or the weights do not fit it.
    """
    require_torch(config.architecture)
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(RANDOM_SEED)
        model = _create(config)
    known = model.state_dict().keys()
    model.reset_classifier(0)
    if weights is not None:
        _load(model, weights, known=set(known), architecture=config.architecture)
    return _network(model.eval().requires_grad_(False))


def torch_versions() -> dict[str, JsonValue] | None:
    """The versions of torch and timm, found without importing them, or None where one is missing."""
    try:
        return {package: metadata.version(package) for package in ("torch", "timm")}
    except metadata.PackageNotFoundError:
        return None


def require_torch(name: str) -> None:
    """Nothing, where torch and timm are installed; otherwise raises MissingExtra for backbone `name`."""
    if torch_versions() is None:
        raise MissingExtra(
            f"the backbone {name}, which is no folder with {NETWORK},",
            extra="train",
            otherwise=OTHERWISE,
        )


# Any: what timm creates has many types; those used here are asked for by name.
def _create(config: BackboneConfig) -> Any:
    import timm

    # Any: each architecture has arguments of its own.
    arguments: dict[str, Any] = dict(config.model_args)
    classes = (config.model_extra or {}).get("num_classes")
    if classes:
        arguments["num_classes"] = classes
    try:
        if config.pretrained_cfg.fixed_input_size and "dynamic_img_size" not in arguments:
            # Vision transformers of one size can be asked to take many; others do not know the word.
            with contextlib.suppress(TypeError):
                return timm.create_model(config.architecture, **arguments, dynamic_img_size=True)
        return timm.create_model(config.architecture, **arguments)
    except (RuntimeError, TypeError) as error:
        raise BundleError(
            f"timm {metadata.version('timm')} cannot make {config.architecture} ({error}); an architecture "
            "of timm was expected; check architecture and model_args in config.json, or install a newer timm"
        ) from error


def _load(model: "nn.Module", weights: Path, *, known: set[str], architecture: str) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(weights)
    except SafetensorError as error:
        raise BundleError(
            f"{weights} cannot be read ({error}); a whole safetensors file was expected; copy it again"
        ) from error
    if _misfits(model, tensors, known):
        # Older weights have other names for some tensors; timm keeps the renaming beside the network.
        rename = getattr(
            importlib.import_module(type(model).__module__), "checkpoint_filter_fn", None
        )
        tensors = rename(tensors, model) if rename else tensors
    misfits = _misfits(model, tensors, known)
    if misfits:
        raise BundleError(
            f"{weights} does not fit the architecture {architecture}: "
            f"{counted(len(misfits), 'tensor')} differ ({'; '.join(misfits[:3])}); "
            f"weights of {architecture} were expected; name the folder that has them, or the backbone they are of"
        )
    kept = model.state_dict().keys()
    model.load_state_dict({name: tensor for name, tensor in tensors.items() if name in kept})


def _misfits(model: "nn.Module", tensors: "dict[str, Tensor]", known: set[str]) -> list[str]:
    wanted = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    given = {name: list(tensor.shape) for name, tensor in tensors.items()}
    # The classifier, which is known but no longer wanted, may be missing or of another size.
    wrong = [
        f"{name} is missing"
        for name in wanted
        if name not in given and not name.endswith("num_batches_tracked")
    ]
    wrong += [
        f"{name} is {given[name]}, not {shape}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape
    ]
    return wrong + [f"{name} is not a tensor of it" for name in given if name not in known]


def _network(model: Any) -> "nn.Module":
    from torch import nn

    class Maps(nn.Module):
        """(maps,) of a convolutional network."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.has_channels_last = str(getattr(model, "output_fmt", "NCHW")).endswith("NHWC")

        def forward(self, pixels: "Tensor") -> "tuple[Tensor, ...]":
            # Its own, and not the one that was given: a copy of this has a copy of it.
            own: Any = self.model
            maps = own.forward_features(pixels)
            return (maps.permute(0, 3, 1, 2) if self.has_channels_last else maps,)

    class Tokens(nn.Module):
        """(maps, cls) of a vision transformer; (maps,) of one without a class token."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model
            self.patch_height, self.patch_width = model.patch_embed.patch_size
            self.n_prefix = model.num_prefix_tokens
            self.has_cls = getattr(model, "cls_token", None) is not None

        def forward(self, pixels: "Tensor") -> "tuple[Tensor, ...]":
            own: Any = self.model
            tokens = own.forward_features(pixels)
            height = pixels.shape[2] // self.patch_height
            width = pixels.shape[3] // self.patch_width
            patches = tokens[:, self.n_prefix :].transpose(1, 2)
            maps = patches.reshape(pixels.shape[0], tokens.shape[2], height, width)
            return (maps, tokens[:, 0]) if self.has_cls else (maps,)

    has_tokens = hasattr(model, "num_prefix_tokens") and hasattr(model, "patch_embed")
    return (Tokens() if has_tokens else Maps()).eval()
