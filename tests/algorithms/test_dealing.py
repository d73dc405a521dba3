"""Dealing as arrays: what each owner is promised, and how near the sums come to the shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.algorithms.dealing import UNDEALT, IntArray, Shares, deal

MOSTLY_TRAIN: Shares = (0.8, 0.1, 0.1)
SHARES: list[Shares] = [MOSTLY_TRAIN, (0.5, 0, 0.5), (0.6, 0.4, 0), (0.01, 0.01, 0.98), (1, 0, 0)]


def owned(n_groups: list[int]) -> IntArray:
    """The owner [G] of each group, for so many groups of each owner."""
    return np.repeat(np.arange(len(n_groups)), n_groups)


def dealt(
    n_groups: list[int],
    *,
    shares: Shares = MOSTLY_TRAIN,
    sizes: list[int] | None = None,
    fixed: list[int] | None = None,
    seed: int = 0,
) -> IntArray:
    """The part of each group; without `sizes` of one image, without `fixed` free."""
    owners = owned(n_groups)
    return deal(
        np.asarray(sizes or [1] * len(owners), np.int64),
        owners,
        np.asarray(fixed or [UNDEALT] * len(owners), np.int64),
        shares=shares,
        rng=np.random.default_rng(seed),
    )


def promised(n_groups: int, shares: Shares) -> list[int]:
    return [part for part in (0, 2, 1) if shares[part] > 0][:n_groups]


def deviation(sizes: IntArray, parts: IntArray, shares: Shares) -> float:
    """Images too many and too few, over the parts with a share."""
    has_share = np.asarray(shares) > 0
    held = np.bincount(parts, weights=sizes, minlength=3)
    return float(np.abs(held - np.asarray(shares) * sizes.sum())[has_share].sum())


def least_after_a_move(
    sizes: IntArray, owners: IntArray, fixed: IntArray, parts: IntArray, shares: Shares
) -> float:
    """The least deviation that moving one free group can lead to with all promises kept."""
    found = [deviation(sizes, parts, shares)]
    for group in np.flatnonzero(fixed == UNDEALT):
        mine, source = owners == owners[group], parts[group]
        must_stay = source in promised(int(mine.sum()), shares)
        if (parts[mine] == source).sum() > must_stay:
            for target in np.flatnonzero(shares):
                moved = parts.copy()
                moved[group] = target
                found.append(deviation(sizes, moved, shares))
    return min(found)


@pytest.mark.parametrize("shares", SHARES)
def test_each_owner_has_what_is_promised(shares: Shares) -> None:
    n_groups = [1, 2, 3, 4, 9, 1, 2, 30]
    parts, owners = dealt(n_groups, shares=shares), owned(n_groups)
    for owner, n in enumerate(n_groups):
        assert set(promised(n, shares)) <= set(parts[owners == owner].tolist())
    assert set(parts.tolist()) <= set(np.flatnonzero(shares).tolist())


@pytest.mark.parametrize(
    ("n_groups", "shares", "held"),
    [
        ([10] * 7, MOSTLY_TRAIN, [56, 7, 7]),
        ([7] * 100, MOSTLY_TRAIN, [500, 100, 100]),
        ([1] * 100 + [300], MOSTLY_TRAIN, [320, 40, 40]),
        ([1] * 50 + [2] * 20 + [12] * 60 + [70], MOSTLY_TRAIN, [704, 88, 88]),
        ([1] * 300 + [2] * 100 + [3] * 50, (0.5, 0.25, 0.25), [450, 50, 150]),
        # Test is full of what is promised there, but val can give to train what it has too much.
        ([2] * 100 + [15] * 100, MOSTLY_TRAIN, [1330, 170, 200]),
        ([2] * 100 + [15] * 100, (0.8, 0.2, 0), [1360, 340, 0]),
        ([5] * 3, (1, 0, 0), [15, 0, 0]),
        ([1], MOSTLY_TRAIN, [1, 0, 0]),
        ([], MOSTLY_TRAIN, [0, 0, 0]),
    ],
)
def test_the_sums_are_as_near_to_the_shares_as_the_promises_allow(
    n_groups: list[int], shares: Shares, held: list[int]
) -> None:
    assert np.bincount(dealt(n_groups, shares=shares), minlength=3).tolist() == held


def test_large_groups_are_whole_and_small_ones_make_up_for_them() -> None:
    sizes = [300, 150, 40, 7, 7] + [1] * 496
    parts = dealt([5, 496], sizes=sizes)
    assert np.bincount(parts, weights=sizes).tolist() == [800, 100, 100]


def test_groups_of_one_size_end_at_the_nearest_whole_number_of_them() -> None:
    sizes = [7] * 100
    parts = dealt([9, 91], sizes=sizes, shares=(0.505, 0, 0.495))
    assert np.bincount(parts, weights=sizes, minlength=3)[0] in (7 * 50, 7 * 51)


@pytest.mark.parametrize("shares", SHARES)
def test_fixed_groups_never_move_and_the_free_ones_make_up_for_them(shares: Shares) -> None:
    fixed = [1] * 6 + [UNDEALT] * 20 + [2] * 6 + [UNDEALT] * 400
    parts = dealt([26, 6, 400], fixed=fixed, shares=shares)
    is_fixed = np.asarray(fixed) != UNDEALT
    assert parts[is_fixed].tolist() == [1] * 6 + [2] * 6
    assert set(parts[~is_fixed].tolist()) <= set(np.flatnonzero(shares).tolist())
    if shares == MOSTLY_TRAIN:
        assert np.bincount(parts).tolist() == [346, 43, 43]


def test_the_same_numbers_deal_the_same_and_others_deal_otherwise() -> None:
    first, again, other = (dealt([20, 30, 9], seed=seed).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_was_given_is_not_changed() -> None:
    sizes, owners, fixed = np.arange(1, 31), owned([10, 20]), np.full(30, UNDEALT)
    deal(sizes, owners, fixed, shares=MOSTLY_TRAIN, rng=np.random.default_rng(0))
    assert sizes.tolist() == list(range(1, 31))
    assert set(fixed.tolist()) == {UNDEALT}


def test_thousands_of_locked_owners_leave_the_balance_to_the_one_that_is_free() -> None:
    parts = dealt([1] * 5000 + [5000])
    assert np.bincount(parts).tolist() == [8000, 1000, 1000]


def test_thousands_of_owners_share_the_balance() -> None:
    parts, owners = dealt([7] * 5000, shares=(0.7, 0.15, 0.15)), owned([7] * 5000)
    assert np.bincount(parts).tolist() == [24500, 5250, 5250]
    of_owner = np.bincount(owners * 3 + parts).reshape(-1, 3)
    assert (np.abs(of_owner - [4.9, 1.05, 1.05]) < 1).all()


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_single_move_that_keeps_the_promises_comes_nearer(data: st.DataObject) -> None:
    n_groups = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=8))
    n, owners = sum(n_groups), owned(n_groups)
    sizes = data.draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7]), min_size=n, max_size=n))
    where = st.sampled_from([UNDEALT] * 6 + [0, 1, 2])
    fixed = data.draw(st.lists(where, min_size=n, max_size=n))
    shares = data.draw(st.sampled_from([*SHARES, (0.34, 0.33, 0.33), (0, 0.5, 0.5)]))
    parts = dealt(
        n_groups, sizes=sizes, fixed=fixed, shares=shares, seed=data.draw(st.integers(0, 9))
    )
    held, stay = np.asarray(sizes), np.asarray(fixed)
    assert (parts[stay != UNDEALT] == stay[stay != UNDEALT]).all()
    least = least_after_a_move(held, owners, stay, parts, shares)
    assert deviation(held, parts, shares) <= least + 1e-5
