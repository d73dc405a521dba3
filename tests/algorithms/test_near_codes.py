"""Near codes against a loop over all pairs, plain and mirrored."""

import numpy as np
import pytest

from cairn.algorithms.near_codes import near_codes

RNG = np.random.default_rng(0)


def codes_with_copies(n: int) -> np.ndarray:
    """`n` codes [n, 64], each third a copy of the one before with some bits turned."""
    codes = RNG.integers(0, 256, (n, 64), dtype=np.uint8)
    for row in range(2, n, 3):
        codes[row] = codes[row - 1] ^ np.packbits(RNG.random(512) < 0.1)
    return codes


def slowly(codes: np.ndarray, others: np.ndarray, max_bits: int) -> set[tuple[int, int]]:
    return {
        (min(i, j), max(i, j))
        for i in range(len(codes))
        for j in range(len(codes))
        if i != j and int(np.bitwise_count(codes[i] ^ others[j]).sum()) <= max_bits
    }


@pytest.mark.parametrize("max_bits", [0, 60, 150])
def test_the_pairs_are_those_of_a_loop(max_bits: int) -> None:
    codes = codes_with_copies(60)
    found = near_codes(codes, codes, max_bits=max_bits)
    assert set(map(tuple, found.tolist())) == slowly(codes, codes, max_bits)


def test_codes_of_mirror_images_are_compared_with_those_of_the_images() -> None:
    codes = codes_with_copies(40)
    others = codes[np.r_[1, 0, 2:40]]
    found = near_codes(codes, others, max_bits=60)
    assert set(map(tuple, found.tolist())) == slowly(codes, others, 60)
    assert (0, 1) in slowly(codes, others, 60)


def test_lists_find_copies_too() -> None:
    codes = codes_with_copies(3_000)
    exact = near_codes(codes, codes, max_bits=100)
    listed = near_codes(codes, codes, max_bits=100, exact_up_to=100)
    assert len(exact) == 1_000
    assert len(set(map(tuple, listed.tolist())) & set(map(tuple, exact.tolist()))) > 900


def test_many_equal_codes_give_few_pairs_that_connect_them() -> None:
    codes = np.zeros((500, 64), np.uint8)
    assert 0 < len(near_codes(codes, codes, max_bits=10)) <= 500 * 33


@pytest.mark.parametrize("n", [0, 1])
def test_one_code_or_none_has_no_pair(n: int) -> None:
    codes = np.zeros((n, 64), np.uint8)
    assert near_codes(codes, codes, max_bits=10).shape == (0, 2)
