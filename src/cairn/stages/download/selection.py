"""Which rows a small start is made of: those with the smallest hashes, so that a larger one adds to it."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from cairn.base.errors import SettingsError
from cairn.base.settings import SelectSettings

Mask = npt.NDArray[np.bool_]
Ranks = npt.NDArray[np.uint64]
UNKNOWN = -1


def ranks_of(names: Iterable[str], *, seed: int) -> Ranks:
    """A number [N] for each name that looks drawn by chance, and is the same for the same seed always."""
    salt = (seed % (1 << 64)).to_bytes(8, "little")
    joined = b"".join([blake2b(name.encode(), digest_size=8, salt=salt).digest() for name in names])
    return np.frombuffer(joined, "<u8").astype(np.uint64)


def needs_ranks(selecting: SelectSettings) -> bool:
    """Whether rows are chosen one by one, so that each needs a rank."""
    return bool(selecting.per_landmark or selecting.sample)


def chosen(
    good: Mask,
    landmark: npt.NDArray[np.int32],
    landmark_ids: Sequence[str],
    ranks: Ranks | None,
    *,
    selecting: SelectSettings,
) -> Mask:
    """Which of the rows `good` [N] are wanted: first landmarks are chosen, then rows of each, then of all.

    landmark: [N] the place of a row's landmark in `landmark_ids`, -1 for none; rows without one are dropped where
    landmarks are chosen, and count as one landmark where rows of each are.
    ranks: [N], needed where `needs_ranks`.
    Raises SettingsError where landmarks are wanted of a list that has none.
    """
    wanted = good.copy()
    if selecting.landmarks:
        wanted &= _of_landmarks(good, landmark, landmark_ids, selecting)
    if selecting.per_landmark and ranks is not None:
        wanted = _of_each(wanted, landmark, ranks, selecting.per_landmark)
    if selecting.sample and ranks is not None:
        wanted = _of_each(wanted, np.zeros_like(landmark), ranks, selecting.sample)
    return wanted


def _of_landmarks(
    good: Mask,
    landmark: npt.NDArray[np.int32],
    landmark_ids: Sequence[str],
    selecting: SelectSettings,
) -> Mask:
    if not landmark_ids:
        raise SettingsError(
            [
                f"landmarks: {selecting.landmarks} were asked for, and the list names no landmark; a column that does "
                "was expected; name it with --columns landmark=NAME, or ask for --sample"
            ]
        )
    there = np.zeros(len(landmark_ids) + 1, np.bool_)
    # The last place is that of -1: rows of no landmark.
    there[landmark[good]] = True
    there[UNKNOWN] = False
    places = np.flatnonzero(there)
    ranks = ranks_of([landmark_ids[place] for place in places.tolist()], seed=selecting.seed)
    first = places[np.argsort(ranks, kind="stable")[: selecting.landmarks]]
    is_chosen = np.zeros(len(landmark_ids) + 1, np.bool_)
    is_chosen[first] = True
    return np.asarray(is_chosen[landmark], np.bool_)


def _of_each(wanted: Mask, kind: npt.NDArray[np.int32], ranks: Ranks, most: int) -> Mask:
    """The `most` rows of each kind with the smallest ranks."""
    positions = np.flatnonzero(wanted)
    positions = positions[np.lexsort((ranks[positions], kind[positions]))]
    kinds = kind[positions]
    is_first = np.ones(len(kinds), np.bool_)
    is_first[1:] = kinds[1:] != kinds[:-1]
    starts = np.flatnonzero(is_first)
    place_in_kind = np.arange(len(kinds)) - np.repeat(starts, np.diff([*starts, len(kinds)]))
    kept = np.zeros_like(wanted)
    kept[positions[place_in_kind < most]] = True
    return kept
