import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.surprise import SURE_MATCH
from cairn.images.pixels import Decoded
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.proofs import proof
from cairn.stages.verifying import verified_counts
from tests.make import views


def looks_at(photos: Sequence[bytes]) -> Looks:
    """Looks at photos of which one may be no photo."""
    shown = [np.asarray(Image.open(io.BytesIO(photo)).convert("RGB")) for photo in photos]

    def pixels_of(row: int) -> Decoded:
        height, width = shown[row].shape[:2]
        return Decoded(shown[row], True, "JPEG", (width, height))

    return Looks(pixels_of, None)


def vectors(n: int) -> npt.NDArray[np.float32]:
    made = np.random.default_rng(3).normal(size=(n, 8)).astype(np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


def counted(photos: Sequence[bytes], *, enough: int = 2, most_tried: int = 100) -> list[int]:
    rows = np.arange(len(photos), dtype=np.int64)
    found = verified_counts(
        rows, vectors(len(photos)), looks=looks_at(photos), enough=enough, most_tried=most_tried
    )
    return [int(n) for n in found]


def test_views_of_one_thing_verify_each_other_and_a_stranger_nobody() -> None:
    assert counted([*views(1, 3), *views(2, 1)]) == [2, 2, 2, 0]


def test_two_views_are_one_each_and_one_alone_none() -> None:
    assert counted(views(1, 2)) == [1, 1]
    assert counted(views(1, 1)) == [0]
    assert counted([]) == []


def test_the_counts_are_those_of_every_pair_up_to_enough() -> None:
    photos = [*views(1, 3), *views(2, 2), *views(3, 1)]
    looks = looks_at(photos)
    slow = [0] * len(photos)
    for a in range(len(photos)):
        for b in range(a + 1, len(photos)):
            if proof(a, np.array([b]), looks=looks, seed=0).best >= SURE_MATCH:
                slow[a] += 1
                slow[b] += 1
    for enough in (1, 2, 5):
        assert counted(photos, enough=enough) == [min(n, enough) for n in slow]


def test_no_more_than_so_many_of_the_nearest_are_tried() -> None:
    photos = [*views(1, 2), *views(2, 3)]
    assert counted(photos, most_tried=0) == [0] * 5
    assert sum(counted(photos, most_tried=1)) <= 8
