"""Which process of how many this one is, where several train together; nothing of how they speak to each other."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Seat:
    """One process of `world` that train together: its rank, counted from 0, on all machines and on its own.

    The one of rank 0 leads: it alone writes, and tells.
    local_world: how many of them there are on this machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return self.rank == 0


ALONE = Seat()
