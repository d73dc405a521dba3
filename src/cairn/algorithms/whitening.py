"""PCA whitening: descriptors in, descriptors of length one with evened-out spread out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.checks import require_vectors
from cairn.base.errors import InputError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# A direction with less than this share of the widest one's variance is noise of the arithmetic.
_SMALLEST_VARIANCE_SHARE = 1e-6
_MOST_ROWS = 20_000
_ROWS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Whitening:
    """`mean` [D], `basis` [D, d] orthonormal, `gains` [d] for its columns, `rest_gain` [1] for the rest."""

    mean: Floats
    basis: Floats
    gains: Floats
    rest_gain: Floats

    def __post_init__(self) -> None:
        if self.basis.shape != (len(self.mean), len(self.gains)) or self.rest_gain.shape != (1,):
            raise InputError(
                f"a whitening has a basis of shape {self.basis.shape}, a mean of {len(self.mean)} and "
                f"{len(self.gains)} gains; [D, d], D and d were expected; fit the whitening again"
            )

    @property
    def width(self) -> int:
        """The numbers in one whitened descriptor."""
        return len(self.gains)

    def apply(self, vectors: Floats) -> Floats:
        """The whitened descriptors [N, d], in the order of `vectors` [N, D].

        They have length one, counted over all D directions: what lies outside the basis is not
        kept but counts in the length, so that an image unlike all that was fitted is near to none.
        """
        require_vectors(vectors, what="descriptors")
        if vectors.shape[1] != len(self.mean):
            raise InputError(
                f"descriptors have {vectors.shape[1]} numbers per image, the whitening expects "
                f"{len(self.mean)}; describe the images with the model that the whitening was fitted on"
            )
        # In blocks, so that of a million rows nothing but the result is held twice.
        white = np.empty((len(vectors), self.width), np.float32)
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            white[rows] = self._block(vectors[rows].astype(np.float32, copy=False))
        return white

    def apply_to(self, vectors: Floats, rows: Ints) -> Floats:
        """`apply(vectors[rows])`, without a copy of all those rows."""
        white = np.empty((len(rows), self.width), np.float32)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            block = slice(first, first + _ROWS_AT_ONCE)
            white[block] = self.apply(vectors[rows[block]])
        return white

    def _block(self, vectors: Floats) -> Floats:
        centred = vectors - self.mean
        inside = centred @ self.basis
        rest = np.maximum((centred**2).sum(axis=1) - (inside**2).sum(axis=1), 0)
        white = inside * self.gains
        length = np.sqrt((white**2).sum(axis=1) + rest * self.rest_gain[0] ** 2)
        return np.asarray(white / np.maximum(length, 1e-12)[:, None], np.float32)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Everything fitted, by name; `from_arrays` reads it back."""
        return {
            "mean": self.mean,
            "basis": self.basis,
            "gains": self.gains,
            "rest_gain": self.rest_gain,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[np.generic]]) -> "Whitening":
        """The whitening that `arrays()` took apart."""
        names = ("mean", "basis", "gains", "rest_gain")
        return cls(*(np.asarray(arrays[name], np.float32) for name in names))


def fit_whitening(
    vectors: Floats, *, rows: Ints | None = None, power: float = 0.5, n_dims: int = 1024
) -> Whitening:
    """The whitening of `vectors` [N, D]: their widest directions, evened out.

    rows: the ones that it is fitted on; all, where none are given.
    power: variances λ become λ^(1 − power); 0 only turns, 1 is full whitening.
    n_dims: at most so many directions are kept, the widest first.
    Above 20,000 rows, evenly spaced ones are taken.
    Raises InputError where there is no row, or `power` or `n_dims` is out of range.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    if not len(rows) or not 0 <= power <= 1 or n_dims < 1:
        raise InputError(
            f"whitening was asked of {len(rows)} descriptors with power {power} and {n_dims} "
            "directions; at least 1 descriptor, a power from 0 to 1 and at least 1 direction were "
            "expected; give it train images, or leave the settings at their defaults"
        )
    if len(rows) > _MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_ROWS).astype(np.int64)]
    vectors = vectors[rows]
    require_vectors(vectors, what="descriptors")
    mean = vectors.mean(axis=0, dtype=np.float64)
    basis, variances = _principal_directions(vectors - mean)
    if not len(variances):
        # All images are alike: there is no spread to even out, and no direction to choose.
        n_dims = min(n_dims, len(mean))
        basis, variances, mean = np.eye(len(mean), n_dims), np.ones(n_dims), np.zeros_like(mean)
    basis, variances = _same_signs(basis[:, :n_dims]), variances[:n_dims]
    gains = (variances / variances[0]) ** (-power / 2)
    parts = (mean, basis, gains, np.median(gains)[None])
    return Whitening(*(part.astype(np.float32) for part in parts))


def _principal_directions(
    centred: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Orthonormal directions [D, d] and the variance along each [d], widest first, none empty."""
    n_rows, width = centred.shape
    is_wide = n_rows < width
    products = centred @ centred.T if is_wide else centred.T @ centred
    values, vectors = np.linalg.eigh(products / n_rows)
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > max(values[0] * _SMALLEST_VARIANCE_SHARE, 1e-12)
    values, vectors = values[kept], vectors[:, kept]
    if is_wide:
        vectors = centred.T @ vectors / np.sqrt(values * n_rows)
    return vectors, values


def _same_signs(basis: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`basis` with the largest number of each column positive, so that machines agree."""
    if not basis.shape[1]:
        return basis
    largest = basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])]
    return basis * np.where(largest < 0, -1.0, 1.0)
