"""What training tells while it runs: a line of JSON for each step and epoch, and the same for TensorBoard."""

import json
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from cairn.base.files import disk_errors, write_text
from cairn.training.events import Events

# What is told lies on the disk after so long, for those who look on.
_FLUSH_S = 10.0


class Log:
    """A file of JSON lines, each about one step or epoch, and their curves; a broken run cuts both back to where it goes on."""

    def __init__(self, path: Path, events: Path) -> None:
        self.path = path
        self._events = Events(events)
        self._waiting: list[str] = []
        self._flushed = time.monotonic()

    def tell(self, what: Literal["train", "val"], *, step: int, **values: float) -> None:
        """Another line about `step`; a value that is no number is null, and in no curve.

        what: of a step, or of an epoch, judged on val. It lies on the disk after `flush`, or a few seconds.
        """
        known = {name: value for name, value in values.items() if math.isfinite(value)}
        told = {"step": step} | {name: known.get(name) for name in values}
        self._waiting.append(json.dumps(told))
        curves = {f"{what}/{name}": value for name, value in known.items() if name != "epoch"}
        self._events.tell(step, curves)
        if time.monotonic() - self._flushed > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """All that was told lies on the disk.

        Raises DiskError where it is full.
        """
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in self._waiting))
        self._waiting.clear()
        self._events.flush()

    def keep_until(self, step: int) -> None:
        """Lines about later steps, and a half one at the end, are taken away."""
        self._waiting.clear()
        self._events.begin(step)
        if self.path.exists():
            kept = [
                line
                for line in read_log(self.path)
                if line["step"] is not None and line["step"] <= step
            ]
            write_text(self.path, "".join(f"{json.dumps(line)}\n" for line in kept))


def read_log(path: Path) -> Iterator[dict[str, float | None]]:
    """The lines of a log; one that is not whole is passed over."""
    lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
