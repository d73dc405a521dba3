"""A program run to its end and what it cost: seconds, CPU seconds and memory of its whole process tree."""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.base.errors import InputError

SAID = "said.txt"
LOOK_EVERY_S, ASK_EVERY_S = 0.1, 2.0
_PROC = Path("/proc")
# Python keeps what it compiled, as it does for everybody who has not switched that off.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
_PAGE_BYTES = resource.getpagesize()


@dataclass(frozen=True)
class Cost:
    """What a run cost. peak_bytes: shared pages counted once (PSS); None where the system has no /proc."""

    wall_s: float
    cpu_s: float
    peak_bytes: int | None


def run_measured(
    words: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None
) -> Cost:
    """The cost of the program `words`, run in `cwd`, with all that it started and waited for.

    What it says goes into the file SAID there.
    One at a time: children of this process that end meanwhile would be counted with it.
    Raises InputError with the end of what it said where it fails.
    """
    log = cwd / SAID
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("wb") as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            env={**os.environ, **_COMPILED, **(environment or {})},
        )  # fmt: skip
        sampler = _Sampler(process.pid)
        try:
            code = process.wait()
        finally:
            wall_s = time.perf_counter() - started
            sampler.stop()
            if process.returncode is None:
                process.kill()
                process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        raise InputError(
            f"{' '.join(words[:3])} ... ended with code {code}; 0 was expected; see what it said last:\n{last_words(cwd)}"
        )
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s, sampler.peak_bytes)


def last_words(cwd: Path) -> str:
    """The end of what the program that was last run in `cwd` said."""
    return (cwd / SAID).read_text(errors="replace")[-1500:].strip()


class _Sampler:
    """Looks at the memory of a process and its descendants again and again, until stopped."""

    def __init__(self, root: int) -> None:
        self.peak_bytes: int | None = None
        self._root = root
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if _PROC.is_dir():
            self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        # The kernel walks all pages to tell PSS, which would slow down what is measured: it is asked
        # where RSS, which costs next to nothing, has grown, and now and then.
        most_resident, asked_at = 0, 0.0
        while not self._stopped.wait(LOOK_EVERY_S):
            tree = tree_of(self._root)
            resident, now = sum(map(_resident_bytes, tree)), time.monotonic()
            if resident > 1.01 * most_resident or now - asked_at > ASK_EVERY_S:
                most_resident, asked_at = max(resident, most_resident), now
                self.peak_bytes = max(self.peak_bytes or 0, sum(map(_proportional_bytes, tree)))


def tree_of(root: int) -> list[int]:
    """The process `root` and all that descend from it, as /proc has them now."""
    children: dict[int, list[int]] = {}
    for name in os.listdir(_PROC):  # noqa: PTH208 - a path for each of hundreds of processes costs more
        if name.isdigit():
            children.setdefault(_parent_of(name), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_s_of(root: int) -> float:
    """CPU seconds that the process `root` and all that descend from it and live have taken so far, in hundredths.

    Where the system has no /proc: those of this process alone.
    """
    if not _PROC.is_dir():
        return time.process_time()
    return sum(map(_ticks, tree_of(root))) / os.sysconf("SC_CLK_TCK")


def _ticks(pid: int) -> int:
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12]) if len(fields) > 12 else 0


def _parent_of(pid: str) -> int:
    # The name in brackets may itself hold brackets and spaces: what follows its end is fixed.
    fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _resident_bytes(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * _PAGE_BYTES if len(fields) > 1 else 0


def _proportional_bytes(pid: int) -> int:
    lines = _read(f"/proc/{pid}/smaps_rollup").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), 0)


def _read(path: str) -> bytes:
    """What a file of /proc holds; nothing where the process has ended meanwhile."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            return file.read()
    except OSError:
        return b""
