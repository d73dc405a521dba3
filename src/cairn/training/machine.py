"""What this machine trains with: its numbers, its processes."""

import platform

import torch

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.seats import ALONE, Seat
from cairn.engines.local import processors


def arithmetic_of(name: str, device: torch.device) -> torch.dtype:
    """What is computed with: as named, or bf16 where `device` has it in hardware.

    Raises InputError where fp16 is asked for on a processor.
    """
    if name == "fp16" and device.type == "cpu":
        raise InputError(
            "fp16 was asked for on a processor, which computes it many times slower; bf16 or fp32 was expected there; "
            "use --arithmetic auto"
        )
    if name != "auto":
        return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]
    has_bf16 = torch.cuda.is_bf16_supported() if device.type == "cuda" else _processor_has_bf16()
    return torch.bfloat16 if has_bf16 else torch.float32


def _processor_has_bf16() -> bool:
    return (
        bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()
    )


def workers_of(asked: int, seat: Seat = ALONE) -> int:
    """How many processes decode for one that trains; -1: one for each processor but one, where there are more than two.

    Where several train on this machine, each has its share of the processors.
    """
    own = processors() // seat.local_world
    return asked if asked >= 0 else max(0, own - 1 if own > 2 else 0)


def machine_words(arithmetic: str) -> str:
    """What this machine is and computes with, in words; `arithmetic` as asked for."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = str(arithmetic_of(arithmetic, device)).removeprefix("torch.")
    if device.type == "cuda":
        return f"{torch.cuda.device_count()} × {torch.cuda.get_device_name()}, {kind}"
    threads = counted(torch.get_num_threads(), "thread")
    return f"{counted(processors(), 'processor')} ({platform.machine()}), {threads}, {kind}"
