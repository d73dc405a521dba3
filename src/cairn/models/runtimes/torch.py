"""Torch: runs a backbone's own weights, which pays on a GPU."""

import importlib.util
import threading
from pathlib import Path

from cairn.base.errors import InputError, MissingExtra
from cairn.models.folders import BackboneConfig
from cairn.models.networks import build_network
from cairn.models.runtimes.contract import Arithmetic, Outputs, Pixels, shape_refused


class TorchRuntime:
    """A timm network with a folder's weights, on `device`: the first GPU where there is one, else the CPU."""

    def __init__(
        self,
        config: BackboneConfig,
        weights: Path,
        *,
        device: str | None = None,
        arithmetic: Arithmetic = "fp32",
    ) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtra(
                "the runtime torch", extra="train",
                otherwise="or use --runtime openvino, which the base install brings",
            ) from error  # fmt: skip
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = build_network(config, weights).to(self._device)
        # On a GPU the tensor cores want channels last; on a CPU plain rows are what users of torch have.
        if self._device.type == "cuda":
            network = network.to(memory_format=torch.channels_last)
        self._network, self._is_bf16 = network, arithmetic == "bf16"
        self._one_at_a_time = threading.Lock()

    def run(self, pixels: Pixels) -> Outputs:
        """`maps`, and `cls` where there is one; see `Runtime.run`."""
        import torch

        try:
            with (
                self._one_at_a_time,
                torch.inference_mode(),
                torch.autocast(self._device.type, torch.bfloat16, enabled=self._is_bf16),
            ):
                found = self._network(torch.from_numpy(pixels).to(self._device))
                return {
                    name: output.float().cpu().numpy()
                    for name, output in zip(("maps", "cls"), found, strict=False)
                }
        except (RuntimeError, AssertionError) as error:
            raise InputError(shape_refused(pixels, str(error))) from error


def has_gpu() -> bool:
    """Whether torch is installed and sees a GPU."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
