"""Export: the formats of one network are compared on photos, and what they do to a bundle's answers is told."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.watching import Watch
from cairn.models.embedder import Embedder
from cairn.records.parity import FormatParity

Pixels8 = npt.NDArray[np.uint8]
Vectors = npt.NDArray[np.float32]
# One photo in a hundred falls below this.
_LOW = 1


@dataclass(frozen=True)
class Written:
    """One format on the disk, and the embedder that runs it."""

    embedder: Embedder
    files: tuple[str, ...]
    size_bytes: int


def compare_formats(
    formats: Mapping[str, Written],
    images: Sequence[Pixels8],
    *,
    reference: Vectors,
    rounds: int,
    clock: Callable[[], float],
    watch: Watch,
) -> list[FormatParity]:
    """How near each format comes to the reference on the images, and how quick it is, in rounds that take turns.

    reference: [N, D] the descriptors of the images by the network itself.
    """
    # The first pass is not timed: a runtime prepares itself for each shape that it has not seen.
    found = {
        name: np.concatenate(list(one.embedder.describe(images))) for name, one in formats.items()
    }
    rates: dict[str, list[float]] = {name: [] for name in formats}
    with watch.phase("compare", rounds * len(formats)) as advance:
        for i in range(rounds):
            names = list(formats)
            for name in names[i % len(names) :] + names[: i % len(names)]:
                started = clock()
                for _ in formats[name].embedder.describe(images):
                    pass
                rates[name].append(len(images) / (clock() - started))
                advance(1)
    return [
        _parity(name, one, cosines(found[name], reference), tuple(rates[name]))
        for name, one in formats.items()
    ]


def _parity(name: str, one: Written, near: Vectors, rates: tuple[float, ...]) -> FormatParity:
    return FormatParity(
        name, one.files, one.size_bytes, float(np.median(near)), float(np.percentile(near, _LOW)),
        float(near.min()), rates,
    )  # fmt: skip


def cosines(vectors: Vectors, reference: Vectors) -> Vectors:
    """The cosine [N] of each row to the row of the reference; both of length one."""
    found: Vectors = np.minimum((vectors * reference).sum(axis=1), np.float32(1))
    return found
