"""Features in four bits: half of a byte a number, near enough to match by."""

import numpy as np
import pytest

from cairn.algorithms.point_codes import from_codes, to_codes
from cairn.base.errors import InputError


def features(n: int, width: int = 128, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).exponential(size=(n, width)).astype(np.float32)
    roots = np.sqrt(drawn)
    lengths: np.ndarray = np.linalg.norm(roots, axis=1, keepdims=True)
    return np.asarray(roots / lengths, np.float32)


def test_a_feature_takes_half_a_byte_a_number_and_comes_back_nearly_the_same() -> None:
    given = features(50)
    codes = to_codes(given)
    assert codes.shape == (50, 64)
    assert codes.dtype == np.uint8
    back = from_codes(codes)
    assert back.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(back, axis=1), 1, atol=1e-6)
    assert (given * back).sum(axis=1).min() > 0.995


def test_each_number_is_rounded_to_the_nearest_of_sixteen_steps_and_large_ones_are_cut() -> None:
    step = 0.35 / 15
    row = np.array([[0.0, step, 1.4 * step, 1.6 * step, 0.35, 0.9]], np.float32)
    assert to_codes(row).tolist() == [[0x01, 0x12, 0xFF]]


def test_what_was_coded_once_is_coded_the_same_again() -> None:
    codes = np.random.default_rng(0).integers(0, 256, (20, 64)).astype(np.uint8)
    lengths = np.sqrt(sum((part.astype(float) ** 2).sum(axis=1) for part in (codes >> 4, codes & 15)))  # fmt: skip
    whole = from_codes(codes) * lengths[:, None].astype(np.float32) * np.float32(0.35 / 15)
    assert np.array_equal(to_codes(whole), codes)


def test_no_points_and_empty_features_stay_so() -> None:
    assert from_codes(to_codes(np.empty((0, 128), np.float32))).shape == (0, 128)
    assert not from_codes(to_codes(np.zeros((2, 128), np.float32))).any()


def test_an_odd_width_is_refused() -> None:
    with pytest.raises(InputError, match="two in a byte"):
        to_codes(np.zeros((2, 5), np.float32))
