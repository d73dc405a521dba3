"""How long work tells of itself: a `Watch` is given to it, and what shows it is up to the giver."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class Watch(Protocol):
    """What a stage reports its progress to."""

    def phase(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """A stretch of work of `total` steps; call the result with the number of steps just done."""
        ...

    def note(self, text: str) -> None:
        """One line that a person should see while the work goes on."""
        ...


class Silent:
    """A watch that shows nothing."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """A stretch of work that nobody looks at."""
        yield lambda steps: None

    def note(self, text: str) -> None:
        """Nothing."""
