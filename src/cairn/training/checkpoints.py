"""Checkpoints: all that a run needs to go on to the bit, in one safetensors file that is whole or not there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from cairn.base.errors import InputError
from cairn.base.files import write_bytes

_PROGRESS = "progress"


@dataclass(frozen=True)
class Kept:
    """What the checkpoint at `path` holds: tensors by name, and what else there is to know, as JSON."""

    path: Path
    tensors: Mapping[str, Tensor]
    progress: Mapping[str, JsonValue]

    def of(self, part: str) -> dict[str, Tensor]:
        """The tensors of one part, by their names in it."""
        prefix = f"{part}."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write_checkpoint(
    path: Path, parts: Mapping[str, Mapping[str, Tensor]], progress: Mapping[str, JsonValue]
) -> None:
    """`path` holds the tensors of all parts and the progress, or what it held before.

    Raises DiskError where the disk is full or refuses.
    """
    tensors = {
        f"{part}.{name}": tensor.detach().cpu().contiguous()
        for part, of_part in parts.items()
        for name, tensor in of_part.items()
    }
    # Tensors that share memory are written once for each name.
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    write_bytes(
        path, save(tensors, metadata={_PROGRESS: json.dumps(dict(progress), allow_nan=False)})
    )


def read_checkpoint(path: Path) -> Kept | None:
    """What lies at `path`, or None where there is nothing.

    Raises InputError where it cannot be read.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            progress = json.loads((file.metadata() or {})[_PROGRESS])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); a checkpoint of cairn train was expected; remove it to begin anew, or "
            "bring back the whole file"
        ) from error
    return Kept(path, tensors, progress)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimiser remembers, by parameter and slot."""
    return {
        f"{number}.{slot}": value
        for number, slots in optimizer.state_dict()["state"].items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """The optimiser remembers what `optimizer_tensors` took from one of the same parameters."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, slot = name.split(".")
        slots.setdefault(int(number), {})[slot] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": slots, "param_groups": groups})


def restore(module: nn.Module, tensors: Mapping[str, Tensor], *, path: Path) -> None:
    """The module has these tensors.

    Raises InputError where they are those of another network or head.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise InputError(
            f"{path} is a checkpoint of another network or head ({str(error).splitlines()[-1].strip()}); one of the "
            "same recipe, backbone and landmarks was expected; give the training another --name, or remove the file"
        ) from error
