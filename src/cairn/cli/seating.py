"""What torchrun says in the environment: which process of how many this one is."""

from collections.abc import Mapping

from cairn.base.errors import InputError
from cairn.base.seats import ALONE, Seat

_TOLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_WHERE_TO_MEET = ("MASTER_ADDR", "MASTER_PORT")


def seat_of(environment: Mapping[str, str]) -> Seat:
    """The seat that the environment tells of; alone where it tells of none.

    Raises InputError where it tells half of it, or what cannot be.
    """
    if "RANK" not in environment and "WORLD_SIZE" not in environment:
        return ALONE
    missing = [name for name in (*_TOLD, *_WHERE_TO_MEET) if name not in environment]
    numbers = [environment.get(name, "") for name in _TOLD]
    if missing or not all(number.isdecimal() for number in numbers):
        raise _unclear(environment)
    seat = Seat(*map(int, numbers))
    if seat.rank >= seat.world or seat.local_rank >= seat.local_world:
        raise _unclear(environment)
    return seat


def _unclear(environment: Mapping[str, str]) -> InputError:
    told = ", ".join(
        f"{name}={environment.get(name, '(not set)')}" for name in (*_TOLD, *_WHERE_TO_MEET)
    )
    return InputError(
        f"the environment says that several processes train together, but not clearly: {told}; what torchrun sets was "
        "expected; start them with: torchrun --nproc-per-node 8 -m cairn train WORK …, or unset RANK and WORLD_SIZE"
    )
