"""What a run cost: its children are counted, its failure is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.bench.measured import cpu_s_of, last_words, run_measured, tree_of

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
HOLD = "import time; held = bytearray(b'1') * 60_000_000; time.sleep(0.5)"
needs_proc = pytest.mark.skipif(not Path("/proc").is_dir(), reason="the system has no /proc")


def run_by_a_child(code: str) -> list[str]:
    return [
        sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    ]  # fmt: skip


def test_the_cpu_of_a_grandchild_counts(tmp_path: Path) -> None:
    cost = run_measured(run_by_a_child(BURN), cwd=tmp_path)
    assert 0.3 <= cost.cpu_s < 5
    assert cost.wall_s > 0.2


@needs_proc
def test_the_memory_of_a_grandchild_counts(tmp_path: Path) -> None:
    cost = run_measured(run_by_a_child(HOLD), cwd=tmp_path)
    assert cost.peak_bytes is not None
    assert 60_000_000 < cost.peak_bytes < 200_000_000


@needs_proc
def test_a_process_is_in_its_own_tree() -> None:
    assert os.getpid() in tree_of(os.getppid())


@needs_proc
def test_the_cpu_of_a_process_that_lives_is_told_with_that_of_its_children() -> None:
    hold = f"{BURN}print(flush=True)\nimport sys; sys.stdin.read()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    words = [sys.executable, "-c", code]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.29 <= cpu_s_of(process.pid) < 5
        process.communicate()


def test_a_failing_program_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ended with code 3; 0 was expected"):
        run_measured([sys.executable, "-c", "print('alas'); raise SystemExit(3)"], cwd=tmp_path)
    assert last_words(tmp_path) == "alas"


def test_the_environment_is_added_to_that_of_this_process(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import os; print(os.environ['GIVEN'])"]
    run_measured(words, cwd=tmp_path, environment={"GIVEN": "here"})
    assert last_words(tmp_path) == "here"
