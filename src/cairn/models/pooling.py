"""One vector from what a network saw: poolings in full precision, outside of the network."""

import numpy as np
import numpy.typing as npt

from cairn.base.errors import SettingsError
from cairn.models.runtimes.contract import Outputs

Vectors = npt.NDArray[np.float32]

GEM_FLOOR = 1e-6


def pooled(outputs: Outputs, pooling: str, *, gem_power: float) -> Vectors:
    """One vector of length one per image: `avg`, `gem` or `cls`, [B, C]."""
    if pooling == "cls":
        return length_one(outputs["cls"])
    maps = outputs["maps"]
    flat = maps.reshape(*maps.shape[:2], -1)
    return length_one(flat.mean(axis=2) if pooling == "avg" else gem(flat, power=gem_power))


def gem(flat: Vectors, *, power: float) -> Vectors:
    """The generalised mean over the places of feature maps.

    flat: [B, C, places]; values below 1e-6 count as 1e-6.
    Returns [B, C].
    Source: Radenović, Tolias, Chum, arXiv:1711.02512.
    """
    values = np.maximum(flat, np.float32(GEM_FLOOR))
    # Large values to a large power leave the range of float32, so each channel's largest is taken out.
    largest = values.max(axis=2, keepdims=True)
    values /= largest
    # Products are many times faster than np.power, and 3 is what nearly everybody uses.
    powers = values * values * values if power == 3 else values**power
    means = powers.mean(axis=2) ** (1 / power) * largest[:, :, 0]
    vectors: Vectors = means.astype(np.float32, copy=False)
    return vectors


def length_one(vectors: Vectors) -> Vectors:
    """`vectors` [N, D] with length one each; a row of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32, copy=False)
    return scaled


def require_poolings(poolings: tuple[str, ...], outputs: dict[str, int], *, backbone: str) -> None:
    """Nothing, where the backbone gives what the poolings need; otherwise raises SettingsError."""
    if "cls" in poolings and "cls" not in outputs:
        raise SettingsError(
            [
                f"pooling: 'cls' needs a network with a class token, and {backbone} has none; "
                "avg, gem or both were expected; choose --pooling avg,gem"
            ]
        )
