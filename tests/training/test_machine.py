"""What the machine trains with: arithmetic, processes, memory that is kept."""

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.training.machine import arithmetic_of, workers_of  # noqa: E402

FAULTS = """
import resource, sys, torch
from cairn.training.machine import keep_memory
if sys.argv[1] == "kept":
    assert keep_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(), faults()
print(min(faults() for _ in range(3)))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told to the C library of Linux")
def test_a_big_tensor_gets_its_pages_once() -> None:
    plain, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("plain", "kept")
    )  # fmt: skip
    assert kept < 50
    assert plain > 10 * max(kept, 1)


def test_arithmetic_is_as_named_and_fp16_is_refused_on_a_processor() -> None:
    cpu = torch.device("cpu")
    assert arithmetic_of("bf16", cpu) is torch.bfloat16
    assert arithmetic_of("auto", cpu) in (torch.bfloat16, torch.float32)
    with pytest.raises(InputError, match="fp16 was asked for on a processor"):
        arithmetic_of("fp16", cpu)


def test_the_number_of_workers_is_as_asked_for() -> None:
    assert workers_of(3) == 3
    assert workers_of(-1) >= 0
