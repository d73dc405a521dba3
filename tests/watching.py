"""A watch for tests: it remembers what it was told, and may break off work in the middle."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cairn.base.watching import Advance


@dataclass
class Memory:
    """A watch that remembers how many steps each phase took, and may break one off."""

    steps: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    break_at: tuple[str, int] | None = None

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        self.steps[name] = self.steps.get(name, 0)

        def advance(steps: int) -> None:
            self.steps[name] += steps
            if self.break_at and self.break_at[0] == name and self.steps[name] >= self.break_at[1]:
                raise KeyboardInterrupt

        yield advance

    def note(self, text: str) -> None:
        self.notes.append(text)
