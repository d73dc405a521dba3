"""Every case of docs/hostile.md: its line of the table, which is the specification, with what it does."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from tests.hostile.contents import NO_PHOTOS, PHOTOS, REPEATED
from tests.hostile.deeds import Deed, Row
from tests.hostile.exchanges import Answer
from tests.hostile.hosts import BODIES, CONNECTIONS, GUARDED, REDIRECTS, STATUSES
from tests.hostile.photos import Photo
from tests.hostile.rows import ADDRESSES, IDS, LANDMARKS, LINES

TABLE = Path(__file__).parents[2] / "docs" / "hostile.md"
HEADING = ["case", "what happens", "status", "cause", "img2dataset"]
NOTHING = "–"
GROUPS: Mapping[str, Mapping[str, Deed]] = {
    "Statuses": STATUSES,
    "Redirects": REDIRECTS,
    "Names, connections and time": CONNECTIONS,
    "Bodies": BODIES,
    "Photos": PHOTOS,
    "What is no photo": NO_PHOTOS,
    "The same again": REPEATED,
    "Addresses": ADDRESSES,
    "Ids": IDS,
    "Landmarks": LANDMARKS,
    "Lines": LINES,
    "Inside the network": {name: replace(deed, is_guarded=True) for name, deed in GUARDED.items()},
}


@dataclass(frozen=True)
class Told:
    """A line of the table; status and cause have a value for each row of the case, or one for all."""

    group: str
    name: str
    words: str
    status: str
    cause: str
    img2dataset: str


@dataclass(frozen=True)
class Case:
    """A line of the table with what it does."""

    told: Told
    deed: Deed

    @property
    def name(self) -> str:
        """What the table calls it."""
        return self.told.name

    @property
    def slug(self) -> str:
        """Its name as a part of hosts and paths, no other case's."""
        group = self.told.group.split(",", 1)[0].split(" ", 1)[0]
        return re.sub(r"[^a-z0-9]+", "-", f"{group} {self.name}".lower()).strip("-")

    @property
    def rows(self) -> tuple[Row, ...]:
        """Its rows of the list."""
        return self.deed.rows

    @property
    def answer(self) -> Answer:
        """How the server answers."""
        return self.deed.answer

    def status(self, number: int) -> str:
        """The status expected of its row of this number, from 1."""
        return _of_row(self.told.status, number)

    def cause(self, number: int) -> str | None:
        """The cause expected of its row of this number, from 1."""
        cause = _of_row(self.told.cause, number)
        return None if cause == NOTHING else cause

    def photo(self, number: int) -> Photo:
        """What the server sends for the row of this number."""
        own = "" if self.deed.same_bytes else f" {number}"
        return _made(self.deed.photo, f"{self.slug}{own}")

    def number_of(self, path: str) -> int:
        """The number of the row that a request for `path` is about."""
        stem = path.rsplit("/", 1)[-1].partition(".")[0]
        return int(stem) if len(self.rows) > 1 and stem.isdecimal() else 1


@cache
def cases() -> dict[str, Case]:
    """Every case by its group and name, in the order of the table.

    Raises ValueError where the table tells a case that does nothing, or does not tell one that does.
    """
    told = {f"{line.group}: {line.name}": line for line in read_table(TABLE.read_text())}
    deeds = {
        f"{group}: {name}": deed for group, some in GROUPS.items() for name, deed in some.items()
    }
    apart = sorted(told.keys() ^ deeds.keys())
    if apart:
        raise ValueError(f"{apart} stand in only one of {TABLE.name} and tests/hostile")
    return {name: Case(line, deeds[name]) for name, line in told.items()}


@cache
def by_slug(slug: str) -> Case | None:
    """The case of a path's first part, None where it is none's."""
    return {case.slug: case for case in cases().values()}.get(slug)


def read_table(page: str) -> Iterator[Told]:
    """The lines of the page's table, each with the group that it stands in.

    Raises ValueError where a line has other columns, or a case stands there twice in a group.
    """
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    heading, _, *rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]
    if heading != HEADING:
        raise ValueError(f"the table has the columns {heading}; {HEADING} were expected")
    group, seen = "", set()
    for cells in rows:
        if cells[0].startswith("**"):
            group = cells[0].strip("*")
            continue
        if len(cells) != len(HEADING) or (group, cells[0]) in seen:
            raise ValueError(f"{cells}: a case of {len(HEADING)} cells, each once, was expected")
        seen.add((group, cells[0]))
        yield Told(group, *(cell.replace("`", "") for cell in cells))


def make_photos() -> None:
    """Every photo is made and remembered, so that no answer has to wait for that."""
    for case in cases().values():
        for number in range(1, len(case.rows) + 1):
            case.photo(number)


@cache
def _made(photo: Callable[[str], Photo], name: str) -> Photo:
    return photo(name)


def _of_row(values: str, number: int) -> str:
    each = values.split(", ")
    return each[number - 1] if len(each) > 1 else each[0]
