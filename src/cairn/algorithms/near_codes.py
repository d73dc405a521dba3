"""Pairs of binary codes that differ in few bits, however many codes there are."""

from typing import Any

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

EXACT_UP_TO = 100_000
# So many nearest are looked at: of a thousand copies of one photo, each needs to find some only.
N_NEAREST = 32
_LISTS_LOOKED_THROUGH = 64
_ROWS_AT_ONCE = 16_384


def near_codes(
    codes: Codes, others: Codes, *, max_bits: int, exact_up_to: int = EXACT_UP_TO
) -> Ints:
    """Pairs [P, 2] of different rows i < j where `codes[i]` and `others[j]`, or the other way round, differ in few bits.

    codes, others: [N, B] bytes, row i of both of the same image; equal, or `others` those of the mirror images.
    max_bits: so many bits may differ. Of each row the 32 nearest are looked at.
    Up to `exact_up_to` rows none of those is missed; above, lists of near codes are searched.
    """
    import faiss  # late, because `cairn --help` needs none of it

    n_rows, n_bytes = codes.shape
    if n_rows < 2:
        return np.empty((0, 2), np.int64)
    index = _index(faiss, codes, n_rows > exact_up_to, 8 * n_bytes)
    found = []
    for first in range(0, n_rows, _ROWS_AT_ONCE):
        asked = np.ascontiguousarray(others[first : first + _ROWS_AT_ONCE])
        bits, rows = index.search(asked, min(N_NEAREST + 1, n_rows))
        own = np.repeat(np.arange(first, first + len(asked)), rows.shape[1])
        pairs = np.stack([rows.ravel().astype(np.int64), own], axis=1)
        is_near = (bits.ravel() <= max_bits) & (pairs[:, 0] >= 0) & (pairs[:, 0] != own)
        found.append(np.sort(pairs[is_near], axis=1))
    return np.unique(np.concatenate(found), axis=0)


def _index(faiss: Any, codes: Codes, has_lists: bool, n_bits: int) -> Any:  # FAISS ships no types
    flat = faiss.IndexBinaryFlat(n_bits)
    if not has_lists:
        flat.add(np.ascontiguousarray(codes))
        return flat
    n_lists = round(4 * len(codes) ** 0.5)
    index = faiss.IndexBinaryIVF(flat, n_bits, n_lists)
    index.cp.min_points_per_centroid = 1
    index.train(np.ascontiguousarray(codes[:: max(1, len(codes) // (40 * n_lists))]))
    index.add(np.ascontiguousarray(codes))
    index.nprobe = _LISTS_LOOKED_THROUGH
    # The lists go on using it.
    index.keeps = flat
    return index
