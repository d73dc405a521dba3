"""What a crew is told to do, what it works with, and how it may end."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cairn.base.errors import DiskError
from cairn.images.fetch.client import Reply
from cairn.images.keeping import KeptImage
from cairn.stages.download.backlog import Backlog
from cairn.stages.download.journal import Outcome
from cairn.stages.download.progress import Counts
from cairn.stages.download.schedule import Schedule
from cairn.stages.download.space import Room


class Hosts(Protocol):
    """What answers requests; in the end it is `images.fetch.client.Client`."""

    async def hop(self, url: str, /, *, spent_s: float) -> Reply:
        """What is answered at a checked address; raises FetchError or PixelError where that is no photo.

        spent_s: seconds that the try has taken at hosts that led here.
        """
        ...


class Decoding(Protocol):
    """What makes images of bytes; in the end it is `images.decoders.Decoders`."""

    async def keep(self, content: bytes, /) -> KeptImage:
        """What is kept of a photo; raises PixelError with its cause where it cannot be kept."""
        ...


class Output(Protocol):
    """Where kept images go."""

    @property
    def n_writers(self) -> int:
        """How many threads may write at once."""
        ...

    def write(self, images: Sequence[tuple[int, KeptImage]], /) -> list[str | DiskError]:
        """Where the image of each row of the plan now lies whole, relative to the work folder, or why it does not."""
        ...

    def flush(self) -> None:
        """All that was written so far is on the disk."""
        ...


class Record(Protocol):
    """What remembers how rows ended."""

    def record(self, outcomes: Sequence[Outcome]) -> None:
        """All of `outcomes` are remembered, or none."""
        ...


@dataclass(frozen=True)
class Orders:
    """What a crew is to do and how far it may go.

    key_of: the journal's key of a row of the plan.
    refusal: why a host is not to be asked at all, in words; None where it may be.
    is_too_much: whether a run that has ended so many rows, so many of them failed, is to stop.
    """

    schedule: Schedule
    key_of: Callable[[int], int]
    n_rows: int
    attempts: int
    concurrency: int
    refusal: Callable[[str], str | None] = lambda host: None
    is_too_much: Callable[[int, int], bool] = lambda n_done, n_failed: False
    rng: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True)
class Hands:
    """What a crew works with; tests give it others.

    counts: what has happened so far; whoever fetches adds the bytes that came.
    """

    client: Hosts
    decoders: Decoding
    output: Output
    journal: Record
    room: Room
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    counts: Counts = field(default_factory=Counts)
    backlog: Backlog = field(default_factory=Backlog)


@dataclass(frozen=True)
class Ended:
    """How a run ended: all rows done, asked to stop, or stopped because too much failed.

    was_cut: it was asked twice, and what was under way was left: files may lie there that nothing names.
    """

    counts: Counts
    was_stopped: bool
    failed_too_often: bool
    was_cut: bool = False
