"""Where copies put new rows: beside old ones, nowhere where these lie apart, and never across parts."""

from collections.abc import Set

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.placing import FREE, Placed, place_copies


def placed(
    parts: list[int], pairs: list[tuple[int, int]], *, unused: Set[int] = frozenset()
) -> Placed:
    in_use = np.array([row not in unused for row in range(len(parts))])
    rows = np.array([sorted(pair) for pair in pairs], np.int64).reshape(-1, 2)
    return place_copies(rows, np.array(parts), in_use)


def test_a_new_row_goes_where_its_copies_are() -> None:
    assert placed([2, FREE, FREE, FREE], [(0, 1), (1, 2)]).parts.tolist() == [2, 2, 2, FREE]


def test_a_new_row_between_parts_is_torn_and_links_nothing() -> None:
    found = placed([0, 2, FREE], [(0, 2), (1, 2)])
    assert found.torn.tolist() == [False, False, True]
    assert 2 not in found.links


def test_rows_that_are_not_in_use_tear_nothing_and_hold_the_first_of_their_parts() -> None:
    found = placed([0, 2, FREE], [(0, 2), (1, 2)], unused={0, 1})
    assert found.parts.tolist() == [0, 2, 0]
    assert not found.torn.any()
    assert [2, 2] in found.links.tolist()
    assert {1, 2} not in map(set, found.links.tolist())


def test_a_row_in_use_counts_more_than_one_that_is_not() -> None:
    found = placed([0, 2, FREE], [(0, 2), (1, 2)], unused={0})
    assert found.parts.tolist() == [0, 2, 2]


def test_a_row_that_is_not_in_use_connects_its_copies_across_parts() -> None:
    found = placed([0, 2, FREE], [(0, 2), (0, 1)], unused={0})
    assert found.parts.tolist() == [0, 2, 2]
    assert {1, 2} in map(set, found.links.tolist())


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_it_is_what_walking_from_each_new_row_finds(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 7))
    parts = data.draw(st.lists(st.sampled_from([FREE, 0, 1, 2]), min_size=n, max_size=n))
    rows = st.integers(0, n - 1)
    pairs = [p for p in data.draw(st.lists(st.tuples(rows, rows), max_size=9)) if p[0] != p[1]]
    unused = data.draw(st.sets(rows))
    found = placed(parts, pairs, unused=unused)
    for row in [row for row in range(n) if parts[row] == FREE]:
        wanted, is_torn = _walked(row, parts, pairs, unused)
        assert bool(found.torn[row]) == is_torn
        assert found.parts[row] == (FREE if is_torn else wanted)
    for a, b in found.links.tolist():
        assert found.parts[a] == found.parts[b]


def _walked(
    start: int, parts: list[int], pairs: list[tuple[int, int]], unused: set[int]
) -> tuple[int, bool]:
    """The part of a new row, and whether it lies between parts: step by step from copy to copy."""
    seen, left, held, waiting = {start}, [start], set(), set()
    while left:
        row = left.pop()
        if parts[row] != FREE and row not in unused:
            held.add(parts[row])
            continue
        if parts[row] != FREE:
            waiting.add(parts[row])
        near = {b if a == row else a for a, b in pairs if row in (a, b)} - seen
        seen |= near
        left += near
    return min(held or waiting, default=FREE), len(held) > 1
