"""Networks of timm written as ONNX, and checked against torch.

Torch's tracing exporter writes the ONNX. The newer one (torch.export) gives the same answers, takes
several times as long, needs onnxscript, and writes stack traces with paths into the file: see
docs/decisions/0006-networks.md.
Tracing bakes in whatever a network computes outside of tensors, so every export is compared with torch
at two shapes that it was not traced at; one that fails keeps the size it was trained at.
"""

import contextlib
import logging
import math
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import JsonValue

from cairn.base.errors import BundleError, InputError
from cairn.base.files import disk_errors, write_json
from cairn.models.folders import CONFIG, NETWORK, WEIGHTS, BackboneConfig, stride_of
from cairn.models.networks import build_network
from cairn.models.runtimes.openvino import OpenVinoRuntime

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

ORIGIN = "export.json"
PARITY = 1e-3
OPSET = 18


def export_backbone(
    config: BackboneConfig, weights: Path | None, folder: Path, *, origin: dict[str, JsonValue]
) -> None:
    """`folder` is a backbone folder with config, weights and ONNX network, whole or not there.

    weights: a safetensors file, or None for random weights from a fixed seed.
    origin: what the network was made from, written beside it.
    Raises InputError if `folder` exists, BundleError if the weights do not fit or the network cannot be
    exported, MissingExtra without torch, and DiskError if the disk is full.
    """
    if folder.exists():
        raise InputError(
            f"{folder} exists already; a new folder was expected; remove it or name another"
        )
    network = build_network(config, weights)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as made:
            whole = Path(made) / "whole"
            whole.mkdir()
            is_fixed = write_network(network, config, whole / NETWORK)
            _write_weights(network, weights, whole / WEIGHTS)
            write_json(whole / CONFIG, _sized(config, network, is_fixed=is_fixed))
            write_json(whole / ORIGIN, origin)
            whole.rename(folder)


def write_network(network: "nn.Module", config: BackboneConfig, path: Path) -> bool:
    """Writes the network as ONNX to `path`; whether it takes one size only. It agrees with torch within PARITY.

    network: gives (maps,) or (maps, cls), and has `model`, which timm built.
    Raises BundleError where it cannot be exported or differs.
    """
    native = config.pretrained_cfg.input_size[1:]
    unit = _unit(network, native)
    near, far = (6 * unit, 8 * unit), (11 * unit, 7 * unit)
    try:
        trace_network(network, path, size=(7 * unit, 9 * unit), is_fixed=False)
        wrong = max(_largest_error(network, path, n, size) for n, size in ((1, near), (3, far)))
    except (RuntimeError, AssertionError, InputError, BundleError) as error:
        log.info("%s takes one size only: %s", config.architecture, error)
        wrong = math.inf
    if wrong <= PARITY:
        return False
    try:
        trace_network(network, path, size=native, is_fixed=True)
        wrong = max(_largest_error(network, path, n, native) for n in (1, 3))
    except (RuntimeError, AssertionError, InputError) as error:
        raise _not_exported(config, str(error)) from error
    if wrong > PARITY:
        raise _not_exported(config, f"it differs from torch by {wrong:.1g} of the largest value")
    return True


def _not_exported(config: BackboneConfig, reason: str) -> BundleError:
    return BundleError(
        f"{config.architecture} cannot be exported to ONNX: {reason}; a network that gives feature maps "
        f"and agrees with torch within {PARITY} was expected; choose another backbone"
    )


def _unit(network: "nn.Module", native: tuple[int, int]) -> int:
    import torch

    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, *native))[0]
    stride = stride_of(native[0], maps.shape[2])
    return stride * math.ceil(32 / stride)


def trace_network(
    network: "nn.Module", path: Path, *, size: tuple[int, int], is_fixed: bool
) -> None:
    """`path` holds the network as ONNX: `pixels` to `maps` and, where it gives two, `cls`.

    network: gives a tuple of one or two tensors. size: [H, W] px of the example that it is traced with,
    and the only one it will take where `is_fixed`.
    """
    import torch
    from torch.jit._trace import TracerWarning

    pixels = torch.zeros(2, 3, *size)
    names = ["maps", "cls"][: len(network(pixels))]
    places = {0: "batch"} if is_fixed else {0: "batch", 2: "height", 3: "width"}
    axes = {"pixels": places, "maps": {0: "batch"} if is_fixed else {0: "batch", 2: "h", 3: "w"}}
    with warnings.catch_warnings(), _plain_positions(), torch.inference_mode():
        # The exporter is old on purpose (see above), and tracing warns of each shape that it reads.
        warnings.filterwarnings("ignore", category=TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"torch\.")
        warnings.filterwarnings("ignore", message=".*legacy TorchScript-based ONNX export.*")
        torch.onnx.export(
            network, (pixels,), path, dynamo=False, opset_version=OPSET, input_names=["pixels"],
            output_names=names, dynamic_axes={**axes, **({"cls": {0: "batch"}} if names[1:] else {})},
        )  # fmt: skip


def _largest_error(network: "nn.Module", path: Path, n_images: int, size: tuple[int, int]) -> float:
    """The largest difference from torch, as a share of the largest value."""
    import torch

    pixels = np.random.default_rng(0).standard_normal((n_images, 3, *size), dtype=np.float32)
    with torch.inference_mode():
        expected = [output.numpy() for output in network(torch.from_numpy(pixels))]
    found = OpenVinoRuntime(path).run(pixels)
    return max(
        float(np.abs(found[name] - output).max() / max(np.abs(output).max(), 1e-12))
        for name, output in zip(("maps", "cls"), expected, strict=False)
    )


@contextlib.contextmanager
def _plain_positions() -> Iterator[None]:
    # timm resizes the position embedding by an operator that this exporter lacks and that OpenVINO
    # computes otherwise (3 % off); the same in plain products is exact everywhere.
    # Any: modules are patched, which no type can follow.
    modules: list[Any] = [
        module
        for name, module in sys.modules.items()
        if name.startswith("timm.models.") and hasattr(module, "resample_abs_pos_embed")
    ]
    kept = [module.resample_abs_pos_embed for module in modules]
    try:
        for module in modules:
            module.resample_abs_pos_embed = _resample_positions
        yield
    finally:
        for module, original in zip(modules, kept, strict=True):
            module.resample_abs_pos_embed = original


def _resample_positions(
    posemb: "Tensor",
    new_size: tuple[int, int],
    old_size: tuple[int, int],
    num_prefix_tokens: int = 1,
) -> "Tensor":
    """The position embedding [1, tokens, D] at another grid, as timm's bicubic with antialias gives it."""
    import torch

    prefix, grid = posemb[:, :num_prefix_tokens], posemb[:, num_prefix_tokens:]
    width = posemb.shape[2]
    rows = _bicubic(new_size[0], old_size[0]) @ grid.reshape(old_size[0], -1)
    rows = rows.reshape(-1, old_size[1], width)
    resampled = _bicubic(new_size[1], old_size[1]) @ rows
    return torch.cat([prefix, resampled.reshape(1, -1, width)], dim=1)


def _bicubic(n_new: Any, n_old: int) -> "Tensor":
    """[n_new, n_old]: how much each old place counts for each new one (cubic kernel, a = -0.5)."""
    import torch

    # n_new is a number that tracing follows, so the sums stay in tensors.
    scale = n_old / torch.as_tensor(n_new, dtype=torch.float32)
    centers = (torch.arange(n_new, dtype=torch.float32) + 0.5) * scale
    places = torch.arange(n_old, dtype=torch.float32) + 0.5
    x = (places[None] - centers[:, None]).abs() / scale.clamp(min=1.0)
    inner = (1.5 * x - 2.5) * x * x + 1
    outer = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = torch.where(x < 1, inner, torch.where(x < 2, outer, torch.zeros_like(x)))
    return weights / weights.sum(dim=1, keepdim=True)


def _write_weights(network: "nn.Module", weights: Path | None, path: Path) -> None:
    if weights is not None:
        shutil.copyfile(weights, path)
        return
    from safetensors.torch import save

    tensors = {name.removeprefix("model."): value for name, value in network.state_dict().items()}
    path.write_bytes(save(tensors))


def _sized(config: BackboneConfig, network: "nn.Module", *, is_fixed: bool) -> dict[str, JsonValue]:
    written = config.model_dump(mode="json")
    # Any: what timm creates has many types.
    model: Any = network.model
    written["num_features"] = int(model.num_features)
    written["pretrained_cfg"]["fixed_input_size"] = is_fixed
    # Whoever builds the network from this config gets one that takes many sizes, as the ONNX does.
    if config.pretrained_cfg.fixed_input_size and getattr(model, "dynamic_img_size", False):
        written["model_args"]["dynamic_img_size"] = True
    return written
