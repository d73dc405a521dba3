"""The hostile list as a file: every row of some cases, the malformed ones included."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.cases import Case
from tests.hostile.server import HostileServer

HEADER = b"id,url,landmark_id\r\n"


@dataclass(frozen=True)
class Placed:
    """Where a row of a case stands in the list: `row` counts from 1, as the catalog does; `number` within its case."""

    row: int
    case: Case
    number: int


def placed(cases: Iterable[Case]) -> list[Placed]:
    """Every row of `cases` in the order of the list."""
    each = [(case, number) for case in cases for number in range(1, len(case.rows) + 1)]
    return [Placed(row, case, number) for row, (case, number) in enumerate(each, start=1)]


def write_list(path: Path, server: HostileServer, cases: Iterable[Case]) -> Path:
    """`path`, which holds the list of `cases` with the addresses of `server`."""
    path.write_bytes(HEADER + b"".join(_lines(server, cases)))
    return path


def _lines(server: HostileServer, cases: Iterable[Case]) -> Iterator[bytes]:
    for place in placed(cases):
        row = place.case.rows[place.number - 1]
        if row.raw is not None:
            yield row.raw
            continue
        fields = (row.image_id, row.address, row.landmark_id)
        text = io.StringIO(newline="")
        csv.writer(text).writerow(
            server.filled(field, place.case.slug, place.number) for field in fields
        )
        yield text.getvalue().encode()
