"""What training tells while it runs: a line of JSON for each step and epoch, and the same for TensorBoard."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from cairn.base.files import disk_errors, write_text


class Log:
    """A file of JSON lines, each about one step, that a broken run cuts back to where it goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[str] = []

    def tell(self, **values: float) -> None:
        """Another line; a value that is no number is null. It lies on the disk after `flush`."""
        known = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self._waiting.append(json.dumps(known))

    def flush(self) -> None:
        """All that was told lies on the disk.

        Raises DiskError where it is full.
        """
        if not self._waiting:
            return
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in self._waiting))
        self._waiting.clear()

    def keep_until(self, step: int) -> None:
        """Lines about later steps, and a half one at the end, are taken away."""
        self._waiting.clear()
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
