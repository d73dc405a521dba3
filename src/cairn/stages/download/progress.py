"""How a running download tells of itself, and how it is asked to end."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from cairn.stages.download.schedule import HostState


@dataclass(frozen=True)
class Snapshot:
    """A download at one moment: what is done, how fast, which hosts, and why it waits if it does.

    n_rows: rows that this run set out to fetch; n_kept and n_failed of them are done.
    causes: number of failed rows by cause. hosts: the busiest, busiest first.
    eta_s: seconds until all is done at the present rate, None while nobody knows.
    waits_for: why nothing new is begun, in words; None where all goes on.
    """

    n_rows: int
    n_kept: int
    n_failed: int
    n_running: int
    bytes_received: int
    elapsed_s: float
    rows_per_s: float
    eta_s: float | None
    causes: dict[str, int]
    hosts: tuple[HostState, ...]
    waits_for: str | None


Tell = Callable[[Snapshot], None]


@dataclass
class Counts:
    """What a run has done so far."""

    n_kept: int = 0
    bytes_received: int = 0
    causes: Counter[str] = field(default_factory=Counter)

    @property
    def n_failed(self) -> int:
        """Rows that ended without a photo."""
        return self.causes.total()

    @property
    def n_done(self) -> int:
        """Rows that ended."""
        return self.n_kept + self.n_failed


class Stopping:
    """How a running download is asked to end: asked once it drains, asked twice it stops at once."""

    def __init__(self) -> None:
        self._n_asked = 0
        self._listener: Callable[[], object] | None = None

    def ask(self) -> int:
        """The number of times that this was asked; may be called from a signal handler."""
        self._n_asked += 1
        if self._listener is not None:
            self._listener()
        return self._n_asked

    def listen(self, listener: Callable[[], object] | None) -> None:
        """From now on `listener` is called at each asking."""
        self._listener = listener

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is to be begun."""
        return self._n_asked >= 1

    @property
    def is_stopping(self) -> bool:
        """Whether what was begun is to be left too."""
        return self._n_asked >= 2


@dataclass(frozen=True)
class Attendance:
    """Who looks at a running download, and how it is asked to end."""

    tell: Tell = lambda now: None
    stopping: Stopping = field(default_factory=Stopping)


Attended = Callable[[], AbstractContextManager[Attendance]]


def unattended() -> AbstractContextManager[Attendance]:
    """A download that nobody looks at and nobody ends."""
    return nullcontext(Attendance())


class Rate:
    """Rows a second over the last half minute, and how long the rest will take at that rate."""

    WINDOW_S = 30.0

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def at(self, now: float, n_done: int) -> float:
        """Rows a second at `now`, when `n_done` rows have ended."""
        self._marks.append((now, n_done))
        while len(self._marks) > 2 and self._marks[0][0] < now - self.WINDOW_S:
            self._marks.pop(0)
        first_at, first_done = self._marks[0]
        return (n_done - first_done) / (now - first_at) if now > first_at else 0.0
