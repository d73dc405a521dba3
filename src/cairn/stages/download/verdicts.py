"""What a plan says of each row: whether it is fetched, and if not, why."""

from enum import IntEnum


class Verdict(IntEnum):
    """What the plan says of a row; the order is that of its numbers in memory only."""

    FETCH = 0
    SAME_ID = 1
    SAME_ADDRESS = 2
    MALFORMED = 3
    BLANK = 4
    NO_ADDRESS = 5
    BAD_ADDRESS = 6
    NOT_CHOSEN = 7
