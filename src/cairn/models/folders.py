"""Backbone folders: timm's `config.json` with `model.onnx` or `model.safetensors`, read and checked."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PositiveInt, ValidationError

from cairn.base.errors import BundleError
from cairn.base.files import digest_file, digest_json, require_folder
from cairn.models.runtimes.openvino import output_shapes

CONFIG, NETWORK, WEIGHTS = "config.json", "model.onnx", "model.safetensors"
INT8 = "model.int8.onnx"
# A key of a config.
OWN_DESCRIPTOR = "own_descriptor"
FORM = f"a backbone folder holds timm's {CONFIG} and {NETWORK} or {WEIGHTS} or both"


class Preprocessing(BaseModel):
    """How a network wants its images: timm's `pretrained_cfg`; keys that Cairn does not use are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)
    input_size: tuple[Literal[3], PositiveInt, PositiveInt]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bicubic"
    fixed_input_size: bool = False
    license: str | None = None


class BackboneConfig(BaseModel):
    """A network's `config.json` in timm's form; keys that Cairn does not use are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())
    architecture: str = Field(min_length=1)
    num_features: PositiveInt
    model_args: dict[str, JsonValue] = {}
    pretrained_cfg: Preprocessing

    @property
    def has_own_descriptor(self) -> bool:
        """Whether its `cls` is a trained descriptor, as `cairn train --recipe` leaves it."""
        # No field: written where it is true alone, or the configs of all other networks would have another digest.
        return (self.model_extra or {}).get(OWN_DESCRIPTOR) is True


@dataclass(frozen=True)
class Backbone:
    """A network that is ready to be run: `network` is its ONNX file.

    weights: its tensors for torch, where they are known.
    digest: of its config and weights, so that another network has another digest.
    stride: pixels from one place of the feature maps to the next.
    outputs: the number of channels of `maps` and, where there is one, `cls`.
    """

    name: str
    config: BackboneConfig
    network: Path
    weights: Path | None
    digest: str
    stride: int
    outputs: dict[str, int]

    @property
    def folder(self) -> Path:
        """The folder in which the network lies."""
        return self.network.parent

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """The only [H, W] that the network takes, or None where it takes many."""
        cfg = self.config.pretrained_cfg
        return cfg.input_size[1:] if cfg.fixed_input_size else None


def read_config(folder: Path) -> BackboneConfig:
    """The checked config of a backbone folder.

    Raises InputError if there is no such folder, and BundleError if its config is missing or wrong.
    """
    require_folder(
        folder, what="a backbone folder", then=f"{FORM}; name one with --backbone FOLDER"
    )
    path = folder / CONFIG
    try:
        return BackboneConfig.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} has no {CONFIG}; {FORM}; copy it from the weights' source"
        ) from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        )
        raise BundleError(
            f"{path} is not a config that can be used ({problems}); timm's form was expected; "
            "copy it again from the weights' source"
        ) from error


def open_network(folder: Path, *, name: str, digest: str) -> Backbone:
    """The backbone of a folder that holds an ONNX network.

    Raises BundleError if the network cannot be read or does not fit its config.
    """
    config, weights = read_config(folder), folder / WEIGHTS
    backbone = backbone_of(folder / NETWORK, config, name=name, digest=digest)
    return replace(backbone, weights=weights) if weights.is_file() else backbone


def quantised(backbone: Backbone) -> Backbone:
    """The int8 twin that lies beside a backbone's network; its digest is its own.

    Raises BundleError where there is none, or it does not fit the config.
    """
    network = backbone.folder / INT8
    if not network.is_file():
        raise BundleError(
            f"the backbone {backbone.name} has no {INT8} in {backbone.folder}; a network that was calibrated on photos was "
            "expected for --describe-in int8; make one with cairn export BACKBONE OUT --photos DIR, then name OUT with "
            "--backbone"
        )
    digest = digest_json({"backbone": backbone.digest, INT8: digest_file(network)})
    return backbone_of(network, backbone.config, name=backbone.name, digest=digest)


def backbone_of(network: Path, config: BackboneConfig, *, name: str, digest: str) -> Backbone:
    """The backbone of one ONNX file, wherever it lies, with the config that belongs to it.

    Raises BundleError if the network cannot be read or does not fit its config.
    """
    if not network.is_file():
        raise BundleError(
            f"there is no {network}; a network in ONNX was expected there; copy its folder again, "
            "or export the backbone again"
        )
    input_size = config.pretrained_cfg.input_size
    shapes = output_shapes(network, input_size)
    return Backbone(
        name=name,
        config=config,
        network=network,
        weights=None,
        digest=digest,
        stride=stride_of(input_size[1], shapes["maps"][2]),
        outputs={output: shape[1] for output, shape in shapes.items() if output in ("maps", "cls")},
    )


def digest_folder(folder: Path) -> str:
    """The digest of a backbone folder: of its config and of what it holds of network and weights."""
    found = (folder / name for name in (CONFIG, NETWORK, WEIGHTS))
    return digest_json({path.name: digest_file(path) for path in found if path.is_file()})


def stride_of(side_px: int, map_side: int) -> int:
    """Pixels from one place of the feature maps to the next."""
    # A network without padding loses places at the edge (299 px become 8 places, not 9); the strides
    # of such networks are powers of two.
    exact, rest = divmod(side_px, map_side)
    return exact if rest == 0 else int(2 ** round(math.log2(side_px / map_side)))
