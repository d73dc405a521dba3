"""Every odd row of a list written to a CSV, as it is found."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from cairn.base.files import write_whole
from cairn.stages.download.plan import Plan
from cairn.stages.download.problems import ProblemKind, Problems

COLUMNS = ("kind", "line", "words")


def with_odd_rows(path: Path, make: Callable[..., Plan]) -> Plan:
    """The plan that `make` gives, which takes `problems`; `path` then holds every odd row of its list."""
    plans: list[Plan] = []

    def write(file: BinaryIO) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(COLUMNS)

        def hear(kind: ProblemKind, line: int, words: str) -> None:
            rows.writerow((str(kind), line, words))

        plans.append(make(problems=Problems(hear=hear)))
        text.detach()

    write_whole(path, write)
    return plans[0]
