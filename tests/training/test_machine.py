"""What the machine trains with: arithmetic, processes, memory, compiled networks, operations that give the same each time."""

import shutil

import pytest

torch = pytest.importorskip("torch")

from cairn.base.errors import InputError  # noqa: E402 - torch has to be there first
from cairn.training.machine import (  # noqa: E402
    arithmetic_of,
    compiled,
    memory,
    repeatable,
    workers_of,
)

CPU = torch.device("cpu")


def test_arithmetic_is_as_named_and_fp16_is_refused_on_a_processor() -> None:
    assert arithmetic_of("bf16", CPU) is torch.bfloat16
    assert arithmetic_of("auto", CPU) in (torch.bfloat16, torch.float32)
    with pytest.raises(InputError, match="fp16 was asked for on a processor"):
        arithmetic_of("fp16", CPU)


def test_the_number_of_workers_is_as_asked_for() -> None:
    assert workers_of(3) == 3
    assert workers_of(-1) >= 0


def test_the_most_memory_of_this_process_is_part_of_the_machines() -> None:
    peak_bytes, memory_bytes = memory(on_gpu=False)
    assert 10**7 < peak_bytes < memory_bytes


def test_operations_are_the_same_each_time_only_where_that_is_asked_for_and_only_inside() -> None:
    with repeatable(is_asked=False):
        assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(is_asked=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()


def test_where_nothing_can_compile_the_network_runs_as_it_is_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    network = torch.nn.Linear(2, 2)
    assert compiled(network, CPU) is network
    assert "there is no C++ compiler (g++, clang++)" in caplog.text


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_network_gives_the_same_with_the_same_weights() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
    quick = compiled(network, CPU)
    pixels = torch.randn(3, 4)
    torch.testing.assert_close(quick(pixels), network(pixels))
    with torch.no_grad():
        network[0].weight.mul_(2)
    torch.testing.assert_close(quick(pixels), network(pixels))
