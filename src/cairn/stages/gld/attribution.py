"""Who made each image of a data set, and under which licence: looked up in the list, never held in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Self

from cairn.stages.gld.datasets import DATASETS
from cairn.stages.gld.id_table import IdTable

COLUMNS = DATASETS["gld-v2"].list_file("train_attribution.csv").columns
_AUTHOR, _LICENCE, _TITLE = (COLUMNS.index(name) for name in ("author", "license", "title"))


class Credit(NamedTuple):
    """What the list says of one image; None where it says nothing, or nothing that can be read."""

    author: str | None
    licence: str | None
    title: str | None


NOBODY = Credit(None, None, None)


class Attribution:
    """The credits of a list `id,url,author,license,title`; close it, or use it as a context."""

    def __init__(self, table: IdTable) -> None:
        self._table = table

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The list is let go."""
        self._table.close()

    def __len__(self) -> int:
        return len(self._table)

    def of(self, image_id: str) -> Credit:
        """The credit of one image; `NOBODY` where the list has no such id."""
        return _credit(self._table.row_of(image_id))

    def of_all(self, image_ids: Sequence[str]) -> list[Credit]:
        """The credit of each image, in the order given; several times faster than one by one."""
        return [_credit(row) for row in self._table.rows_of(image_ids)]


def attribution_of(path: Path) -> Attribution:
    """The credits that the list at `path` holds; raises InputError where it has other columns."""
    return Attribution(IdTable(path, columns=COLUMNS))


def _credit(row: Sequence[str] | None) -> Credit:
    # A row with a comma too many names perhaps another licence: nothing is then better than that.
    if row is None:
        return NOBODY
    return Credit(row[_AUTHOR] or None, row[_LICENCE] or None, row[_TITLE] or None)
