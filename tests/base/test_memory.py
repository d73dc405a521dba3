"""A command that trains keeps the memory of its tensors; a process that calls Cairn's functions is left as it is."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from cairn.base import memory
from cairn.cli.main import main

FAULTS = """
import resource, sys
from cairn.base.memory import keep_memory
if sys.argv[1] == "kept" and not keep_memory():
    print("refused")
    sys.exit()
import numpy as np
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(16_000_000, np.float32).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(), faults()
print(min(faults() for _ in range(3)))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told to the C library of Linux")
def test_a_big_array_gets_its_pages_once() -> None:
    said = [
        subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout
        for how in ("plain", "kept")
    ]  # fmt: skip
    if said[1].strip() == "refused":
        pytest.skip("this C library takes no such threshold")
    plain, kept = map(int, said)
    assert kept < 50
    # Where the system hands out huge pages, 64 MB are 32 of them.
    assert plain > max(25, 2 * kept)


@pytest.mark.parametrize(
    ("typed", "called", "n_asked"),
    [
        (["train", "--help"], None, 1),
        (["run", "--recipe", "tiny", "--help"], None, 1),
        (["run", "--settings=x.toml", "--help"], None, 1),
        (["run", "--help"], None, 0),
        (["split", "--help"], None, 0),
        (["split"], ["train", "--help"], 0),
    ],
)
def test_only_the_door_of_a_command_that_trains_asks_for_it(
    typed: list[str], called: Sequence[str] | None, n_asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(memory, "keep_memory", lambda: asked.append(True))
    monkeypatch.setattr(sys, "argv", ["cairn", *typed])
    with pytest.raises(SystemExit):
        main(called)
    assert len(asked) == n_asked
