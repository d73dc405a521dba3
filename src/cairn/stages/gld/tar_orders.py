"""What a crew of tars is told to do, and what it works with."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cairn.stages.download.orders import Decoding, Output, Record
from cairn.stages.download.progress import Counts
from cairn.stages.download.space import Room
from cairn.stages.gld.id_table import Numbers
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tars import TarError, TarReader


class Tars(Protocol):
    """What fetches tars and remembers what became of each."""

    async def tar(self, tar: str) -> Path:
        """The path of a tar that is here and checked; raises FetchError or TarError where it cannot be had."""
        ...

    def done(self, tar: str, reader: TarReader, *, ids: Numbers) -> None:
        """The tar is read to its end, what was wanted of it is safe, and it is removed."""
        ...

    def failed(self, tar: str, error: TarError) -> None:
        """The tar turned out to be no good."""
        ...


@dataclass(frozen=True)
class TarOrders:
    """What a crew is to do and how far it may go.

    tars: their places, in the order in which they are read. n_rows: about how many photos they should bring.
    key_of: the journal's key of a row. address_of: where a tar comes from.
    n_at_once: photos that may be decoded and written at once. max_bytes: a larger photo is refused.
    is_too_much: whether a run that has ended so many rows, so many of them failed, is to stop.
    """

    tars: Sequence[str]
    sought: Sought
    key_of: Callable[[int], int]
    address_of: Callable[[str], str]
    n_rows: int
    n_at_once: int
    max_bytes: int
    is_too_much: Callable[[int, int], bool] = lambda n_done, n_failed: False


@dataclass(frozen=True)
class TarHands:
    """What a crew works with; tests give it others.

    counts: what has happened so far; whoever fetches adds the bytes that came. note: tells people a line.
    """

    tars: Tars
    decoders: Decoding
    output: Output
    journal: Record
    room: Room
    counts: Counts
    note: Callable[[str], None] = lambda text: None
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
