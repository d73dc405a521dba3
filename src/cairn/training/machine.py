"""What this machine trains with: its numbers, its processes, its memory."""

import contextlib
import logging
import os
import platform
import resource
import shutil
import sys
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.seats import ALONE, Seat
from cairn.engines.local import processors

log = logging.getLogger(__name__)

_COMPILERS = ("g++", "clang++")


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


def memory(*, on_gpu: bool) -> tuple[int, int]:
    """The most bytes that were in use at once, of the GPU or else of this process, and how many there are."""
    if on_gpu:
        peak_bytes = torch.cuda.max_memory_reserved()
        return peak_bytes, torch.cuda.get_device_properties().total_memory
    # Linux tells kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return peak_bytes, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@contextlib.contextmanager
def repeatable(*, is_asked: bool) -> Iterator[None]:
    """Inside it, where it is asked for, torch takes only operations that give the same numbers each time.

    An operation that has no such form raises RuntimeError, which names it.
    """
    if not is_asked:
        yield
        return
    # cuBLAS reads this when it first computes.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]


# Callable: torch gives a compiled network the type of any function.
def compiled(network: nn.Module, device: torch.device) -> Callable[..., Tensor]:
    """The network, compiled when it is first called, with the same weights; itself where nothing here can compile."""
    if device.type == "cpu" and not any(map(shutil.which, _COMPILERS)):
        log.warning(
            "--compile: there is no C++ compiler (%s), so the network runs as it is; install one, or leave --compile",
            ", ".join(_COMPILERS),
        )
        return network
    found: Callable[..., Tensor] = torch.compile(network)
    return found
