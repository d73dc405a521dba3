"""A trained network as a backbone folder: ONNX that gives maps and the descriptor, its config, its landmark head."""

from pathlib import Path
from typing import Any

import torch
from pydantic import JsonValue
from safetensors.torch import save
from torch import Tensor, nn

from cairn.base.files import write_bytes, write_json
from cairn.base.settings import TopSettings
from cairn.models.exporting import write_network
from cairn.models.folders import CONFIG, NETWORK, OWN_DESCRIPTOR, BackboneConfig
from cairn.training.descriptor_net import DescriptorNet

HEAD = "landmark_head.safetensors"


class MapsAndDescriptor(nn.Module):
    """Pixels [B, 3, H, W] to maps and, as `cls`, the descriptor [B, D]: the form that backbones are run in."""

    def __init__(self, net: DescriptorNet) -> None:
        super().__init__()
        self.net = net
        # Any: what timm builds has many types; the exporter asks it for its width.
        self.model: Any = net.maps.model

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(maps, descriptor)."""
        maps = self.net.maps(pixels)[0]
        return maps, self.net.top(maps)


def write_backbone(
    net: DescriptorNet,
    head: nn.Module,
    folder: Path,
    *,
    config: BackboneConfig,
    top: TopSettings,
    side_px: int,
) -> None:
    """`folder` holds the network as Cairn runs it, checked against torch, and its head.

    Raises BundleError where it cannot be exported.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = config.pretrained_cfg.model_copy(update=_preprocessing(config, top, side_px))
    known = config.model_copy(update={"pretrained_cfg": told})
    network = MapsAndDescriptor(net).cpu().eval().to(memory_format=torch.contiguous_format)
    network.requires_grad_(False)
    is_fixed = write_network(network, known, folder / NETWORK)
    written: dict[str, JsonValue] = known.model_dump(mode="json")
    written["num_features"] = net.width
    written[OWN_DESCRIPTOR] = True
    written["pretrained_cfg"] = told.model_copy(update={"fixed_input_size": is_fixed}).model_dump(
        mode="json"
    )
    write_json(folder / CONFIG, written)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in head.state_dict().items()}
    write_bytes(folder / HEAD, save(tensors))


def _preprocessing(config: BackboneConfig, top: TopSettings, side_px: int) -> dict[str, object]:
    is_old = top.pixel_scale == "old"
    return {
        "input_size": (3, side_px, side_px),
        "fixed_input_size": top.top_pooling == "flatten" or config.pretrained_cfg.fixed_input_size,
        "mean": (0.0, 0.0, 0.0) if is_old else config.pretrained_cfg.mean,
        "std": (1.0, 1.0, 1.0) if is_old else config.pretrained_cfg.std,
    }
