"""Whitening against its definition: even spread, length one, nothing lost that could be kept."""

import numpy as np
import pytest

from cairn.algorithms.whitening import Whitening, fit_whitening
from cairn.base.errors import InputError

RNG = np.random.default_rng(0)
MANY = (RNG.normal(size=(400, 6)) * [5, 4, 3, 2, 1, 0.5] + 1).astype(np.float32)
FEW = RNG.normal(size=(6, 64)).astype(np.float32)


@pytest.mark.parametrize("vectors", [MANY, FEW], ids=["more rows than numbers", "fewer rows"])
def test_whitened_descriptors_are_of_length_one(vectors: np.ndarray) -> None:
    white = fit_whitening(vectors).apply(vectors)
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), 1, atol=1e-4)


def test_a_power_of_one_gives_every_direction_the_same_spread() -> None:
    whitening = fit_whitening(MANY, power=1)
    spread = ((MANY - whitening.mean) @ whitening.basis * whitening.gains).std(axis=0)
    np.testing.assert_allclose(spread, spread[0], rtol=1e-3)


def test_a_power_of_zero_keeps_every_distance_to_the_mean() -> None:
    whitening = fit_whitening(MANY, power=0)
    inside = (MANY - whitening.mean) @ whitening.basis * whitening.gains
    lengths = np.linalg.norm(MANY - MANY.mean(axis=0), axis=1)
    np.testing.assert_allclose(np.linalg.norm(inside, axis=1), lengths, rtol=1e-3)


def test_it_is_the_eigenvectors_of_the_covariance() -> None:
    whitening = fit_whitening(MANY, power=0.5, n_dims=3)
    values, vectors = np.linalg.eigh(np.cov(MANY.T, bias=True))
    slow = np.abs((MANY - MANY.mean(axis=0)) @ vectors[:, ::-1][:, :3])
    slow *= (values[::-1][:3] / values[-1]) ** -0.25
    fast = np.abs((MANY - whitening.mean) @ whitening.basis * whitening.gains)
    np.testing.assert_allclose(fast, slow, atol=1e-3)


def test_an_image_unlike_all_that_was_fitted_is_near_to_none() -> None:
    whitening = fit_whitening(FEW)
    stranger = whitening.apply(20 * RNG.normal(size=(1, 64)).astype(np.float32))
    assert np.abs(stranger @ whitening.apply(FEW).T).max() < 0.7
    assert np.linalg.norm(stranger) < 0.7


def test_images_that_are_all_alike_are_only_brought_to_length_one() -> None:
    alike = np.tile(np.asarray([[3, 4, 0]], np.float32), (5, 1))
    np.testing.assert_allclose(fit_whitening(alike).apply(alike), alike / 5, atol=1e-6)


def test_in_blocks_it_is_what_it_is_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = fit_whitening(MANY)
    whole = fitted.apply(MANY)
    monkeypatch.setattr("cairn.algorithms.whitening._ROWS_AT_ONCE", 7)
    np.testing.assert_allclose(fitted.apply(MANY), whole, atol=1e-6)
    assert fitted.apply(MANY[:0]).shape == (0, fitted.width)


def test_it_comes_back_from_its_arrays() -> None:
    whitening = fit_whitening(FEW)
    again = Whitening.from_arrays(whitening.arrays())
    np.testing.assert_array_equal(again.apply(FEW), whitening.apply(FEW))


def test_what_cannot_be_whitened_is_told() -> None:
    with pytest.raises(InputError, match="0 descriptors with power"):
        fit_whitening(np.empty((0, 4), np.float32))
    with pytest.raises(InputError, match="have 5 numbers per image, the whitening expects 64"):
        fit_whitening(FEW).apply(np.zeros((1, 5), np.float32))


def test_rows_are_whitened_as_if_they_had_been_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.asarray([5, 0, 7, 5])
    whitening = fit_whitening(MANY, rows=np.arange(0, len(MANY), 2))
    np.testing.assert_array_equal(whitening.mean, fit_whitening(MANY[::2]).mean)
    np.testing.assert_array_equal(whitening.apply_to(MANY, rows), whitening.apply(MANY[rows]))
    monkeypatch.setattr("cairn.algorithms.whitening._ROWS_AT_ONCE", 3)
    blocks = whitening.apply_to(MANY, rows)
    np.testing.assert_allclose(blocks, whitening.apply(MANY[rows]), atol=1e-6)
