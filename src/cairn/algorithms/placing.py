"""Where copies put new rows: beside the old rows that they are copies of, and nowhere where these lie apart."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.duplicates import groups_of

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
# What has no part yet.
FREE = -1


@dataclass(frozen=True)
class Placed:
    """What copies say of N rows.

    parts: [N] the part of each: of an old row its own, of a new one that of its copies, or FREE.
    torn: [N] new rows that are copies of old rows in different parts. links: [P, 2] rows that share a group, which
    never lie in different parts.
    """

    parts: IntArray
    torn: BoolArray
    links: IntArray


def place_copies(pairs: IntArray, old_parts: IntArray, in_use: BoolArray) -> Placed:
    """Where `pairs` [P, 2] of copies put the rows that are FREE in `old_parts` [N].

    Copies of copies are copies. Old rows in use hold their part. Those that are not in use go on connecting their
    copies, also across parts, and hold a part for these only where no row in use does: the first of several.
    """
    is_new = old_parts == FREE
    holds = ~is_new & in_use
    first_of = groups_of(len(old_parts), pairs[~holds[pairs].any(axis=1)])
    mixed = pairs[holds[pairs].sum(axis=1) == 1]
    held = np.where(holds[mixed[:, 0]], mixed[:, 0], mixed[:, 1])
    beside = first_of[mixed.sum(axis=1) - held]
    part_of = np.full(len(old_parts), FREE, dtype=np.int64)
    waiting = np.flatnonzero(~is_new & ~in_use)
    _set_first(part_of, first_of[waiting], old_parts[waiting])
    touched: dict[int, set[int]] = defaultdict(set)
    for first, part in zip(beside.tolist(), old_parts[held].tolist(), strict=True):
        touched[first].add(part)
    for first, held_parts in touched.items():
        part_of[first] = min(held_parts)
    torn_firsts = [first for first, held_parts in touched.items() if len(held_parts) > 1]
    torn = is_new & np.asarray(np.isin(first_of, torn_firsts), dtype=np.bool_)
    parts = np.where(is_new & ~torn, part_of[first_of], old_parts)
    # A new row may be connected only through one that is not in use and lies elsewhere: they are linked all the same.
    lead = np.full(len(old_parts), FREE, dtype=np.int64)
    new = np.flatnonzero(is_new & ~torn)
    _set_first(lead, first_of[new], new)
    links = np.concatenate(
        [pairs, np.stack([new, lead[first_of[new]]], axis=1), np.stack([held, lead[beside]], axis=1)]
    )  # fmt: skip
    links = links[(links >= 0).all(axis=1) & ~torn[links].any(axis=1)]
    return Placed(parts, torn, links[parts[links[:, 0]] == parts[links[:, 1]]])


def _set_first(values: IntArray, places: IntArray, given: IntArray) -> None:
    """Each of `places` of `values` becomes the smallest that is given for it."""
    order = np.lexsort((-given, places))
    values[places[order]] = given[order]
