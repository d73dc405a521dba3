"""Rows that repeat an earlier one, found by 64-bit hashes in bounded memory and compared as text."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.int64]
Positions = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
# So many hashes are looked up at once.
SLICE = 1 << 20


def repeats(
    hashes: Hashes, among: Mask, text_at: Callable[[int], str]
) -> tuple[Positions, Positions]:
    """The positions of the rows of `among` whose text an earlier one has, and of the first that has it.

    hashes: [N], equal for equal texts.
    Both [R], by position.
    """
    later, firsts = array("q"), array("q")
    for group in _alike(hashes, among):
        first_of: dict[str, int] = {}
        for position in map(int, group):
            first = first_of.setdefault(text_at(position), position)
            if first != position:
                later.append(position)
                firsts.append(first)
    order = np.argsort(np.frombuffer(later, np.int64) if later else np.empty(0, np.int64))
    if not len(order):
        return order, order
    return np.frombuffer(later, np.int64)[order], np.frombuffer(firsts, np.int64)[order]


def clashes(
    hashes: Hashes, among: Mask, text_at: Callable[[int], str], fold: Callable[[str], str]
) -> Positions:
    """The positions of the rows of `among` whose text another row has after folding, but not before.

    hashes: [N], equal where the folded texts are.
    Returns [R], by position.
    """
    found = array("q")
    for group in _alike(hashes, among):
        texts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position in map(int, group):
            text = text_at(position)
            texts[fold(text)][text].append(position)
        for same in texts.values():
            if len(same) > 1:
                found.extend(position for positions in same.values() for position in positions)
    return np.sort(np.frombuffer(found, np.int64)) if found else np.empty(0, np.int64)


def _alike(hashes: Hashes, among: Mask) -> Iterator[Positions]:
    """The positions that share a hash with others, hash by hash, each by position."""
    ordered = hashes[among]
    ordered.sort()
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    if not shared.size:
        return
    is_shared = among.copy()
    for start in range(0, len(hashes), SLICE):
        part = hashes[start : start + SLICE]
        nearest = shared[np.searchsorted(shared[:-1], part)]
        is_shared[start : start + SLICE] &= nearest == part
    positions = np.flatnonzero(is_shared)
    positions = positions[np.argsort(hashes[positions], kind="stable")]
    of_each = hashes[positions]
    ends = np.flatnonzero(of_each[1:] != of_each[:-1]) + 1
    del of_each, is_shared
    start = 0
    for end in map(int, ends):
        yield positions[start:end]
        start = end
    yield positions[start:]
