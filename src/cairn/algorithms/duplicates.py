"""Which images are copies of one another: a 512-bit likeness of each, near pairs, and groups."""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

LIKENESS_BYTES = 64
WAVE_SIDE = 64
LOW_WAVES = 17
BLOCK_ROWS = 16
_QUERY_ROWS = 4096


@cache
def _low_waves() -> npt.NDArray[np.float64]:
    """The lowest waves [LOW_WAVES, WAVE_SIDE] of a cosine transform."""
    wave, place = np.arange(LOW_WAVES)[:, None], np.arange(WAVE_SIDE)[None, :]
    return np.asarray(np.cos(np.pi * (2 * place + 1) * wave / (2 * WAVE_SIDE)))


def likeness(pixels: npt.NDArray[np.uint8]) -> bytes:
    """64 bytes that change in few bits when the image is made smaller, recompressed or brightened.

    pixels: [H, W, 3] RGB. The first 256 bits compare the lowest 256 waves of the grey image (a cosine
    transform) with their median, the last 256 compare neighbours in a 16 × 17 block image.
    Two photos of one place differ in about 200 bits, a copy at a third of the size in 20 to 60.
    """
    grey = Image.fromarray(pixels).convert("L")
    waves_of = _low_waves()
    small = np.asarray(grey.resize((WAVE_SIDE, WAVE_SIDE), Image.Resampling.BOX), dtype=np.float64)
    waves = (waves_of @ small @ waves_of.T).ravel()[1:257]
    # The median, without the care that np.median takes for shapes and numbers that cannot come here.
    middle = np.partition(waves, (127, 128))[127:129].mean()
    blocks_size = (BLOCK_ROWS + 1, BLOCK_ROWS)
    blocks = np.asarray(grey.resize(blocks_size, Image.Resampling.BOX), dtype=np.int16)
    rises = blocks[:, 1:] > blocks[:, :-1]
    return np.packbits(np.concatenate([waves > middle, rises.ravel()])).tobytes()


def near_pairs(codes: npt.NDArray[np.uint8], *, max_bits: int) -> npt.NDArray[np.int64]:
    """All pairs of rows that differ in at most `max_bits` bits, exactly.

    codes: [N, 64], the bytes of `likeness`.
    Returns [P, 2], the smaller row first, sorted.
    """
    import faiss

    if len(codes) < 2:
        return np.empty((0, 2), dtype=np.int64)
    index = faiss.IndexBinaryFlat(codes.shape[1] * 8)
    index.add(np.ascontiguousarray(codes))
    found = []
    for start in range(0, len(codes), _QUERY_ROWS):
        queries = np.ascontiguousarray(codes[start : start + _QUERY_ROWS])
        # FAISS takes what is nearer than the radius, not what lies on it.
        found_at, _, rows = index.range_search(queries, max_bits + 1)
        limits = found_at.astype(np.int64)
        firsts = np.repeat(np.arange(len(queries)) + start, limits[1:] - limits[:-1])
        pairs = np.stack([firsts, rows.astype(np.int64)], axis=1)
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    joined = np.concatenate(found)
    return joined[np.lexsort((joined[:, 1], joined[:, 0]))]


def groups_of(n: int, pairs: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each of `n` rows the first row of its group, where rows of a pair share a group.

    pairs: [P, 2]. Returns [N]; a row without a pair is its own group.
    """
    first = list(range(n))

    def root(row: int) -> int:
        while first[row] != row:
            first[row] = first[first[row]]
            row = first[row]
        return row

    for a, b in pairs.tolist():
        low, high = sorted((root(a), root(b)))
        first[high] = low
    return np.array([root(row) for row in range(n)], dtype=np.int64)
