from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest

from cairn.base.errors import InputError
from cairn.images.pixels import Decoded
from cairn.models.keypoints import SiftDetector
from cairn.stages.scrub.looks import Looks, part_of
from tests.stages.scrub.drawn import SIZE, embedder, photo

Pixels = npt.NDArray[np.uint8]


class Album:
    """Two photos, the second at half its size, the third not to be read; counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, row: int) -> Decoded:
        self.asked.append(row)
        if row == 2:
            raise InputError("it is gone; a photo was expected; bring it back")
        pixels = photo(0, row)
        full = (SIZE[0] * (row + 1), SIZE[1] * (row + 1))
        return Decoded(pixels, True, "JPEG", full)


def test_points_are_made_once_and_lie_in_the_whole_image() -> None:
    album = Album()
    looks = Looks(album, None)
    first, again = looks.keypoints(0), looks.keypoints(0)
    assert np.array_equal(first.features, again.features)
    assert album.asked == [0]
    assert first.points[:, 0].max() < SIZE[0]
    assert SIZE[0] < looks.keypoints(1).points[:, 0].max() < 2 * SIZE[0]


def test_only_the_last_points_are_kept() -> None:
    album = Album()
    looks = Looks(album, None, n_kept=1)
    for row in (0, 1, 0):
        looks.keypoints(row)
    assert album.asked == [0, 1, 0]


def test_threads_that_ask_at_once_get_the_same_points_and_each_image_is_read_once() -> None:
    album = Album()
    looks, alone = Looks(album, None), Looks(Album(), None)
    rows = [0, 1] * 20
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(looks.keypoints, rows))
    assert sorted(album.asked) == [0, 1]
    for row, one in zip(rows, found, strict=True):
        assert np.array_equal(one.features, alone.keypoints(row).features)
        assert np.array_equal(one.points, alone.keypoints(row).points)


def test_threads_that_crowd_each_other_out_get_the_same_points() -> None:
    looks, alone = Looks(Album(), None, n_kept=1), Looks(Album(), None)
    rows = [0, 1, 2] * 6
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(looks.keypoints, rows))
    assert [len(one) for one in found] == [len(alone.keypoints(row)) for row in rows]


def test_an_image_that_cannot_be_read_has_no_points() -> None:
    looks = Looks(Album(), None)
    assert len(looks.keypoints(2)) == 0
    assert looks.pixels(2) is None


def test_parts_are_described_in_order_and_the_whole_is_a_part() -> None:
    album = Album()
    boxes = [(0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)]
    found = Looks(album, embedder()).describe([0, 0, 1], boxes)
    assert album.asked == [0, 1]
    assert np.allclose(found[0], embedder().describe_one(photo(0, 0)), atol=1e-5)
    assert np.allclose(found[1], embedder().describe_one(photo(0, 0)[:, : SIZE[0] // 2]), atol=1e-5)
    assert Looks(album, embedder()).describe([], []).shape == (0, embedder().width)


def test_parts_are_changed_as_the_descriptors_were() -> None:
    looks = Looks(Album(), embedder(), to_vectors=lambda vectors: vectors[:, :3])
    assert looks.describe([0], [(0.0, 0.0, 1.0, 1.0)]).shape == (1, 3)
    assert looks.describe([], []).shape == (0, 3)


def test_describing_without_an_embedder_is_told() -> None:
    with pytest.raises(InputError, match="without an embedder"):
        Looks(Album(), None).describe([0], [(0.0, 0.0, 1.0, 1.0)])


@pytest.mark.parametrize(
    ("box", "shape"),
    [((0.0, 0.0, 1.0, 1.0), (4, 6)), ((0.5, 0.25, 1.0, 1.0), (3, 3)), ((1.0, 1.0, 1.0, 1.0), (1, 1)),
     ((-1.0, -1.0, 2.0, 2.0), (4, 6)), ((0.5, 0.5, 0.5, 0.5), (1, 1))],
)  # fmt: skip
def test_a_part_has_at_least_one_pixel(
    box: tuple[float, float, float, float], shape: tuple[int, int]
) -> None:
    assert part_of(np.zeros((4, 6, 3), np.uint8), box).shape[:2] == shape


def test_points_of_a_part_lie_in_that_part_of_the_whole_image_and_more_are_found_there() -> None:
    looks = Looks(Album(), None, detector=SiftDetector(max_points=150))
    whole, part = looks.keypoints(1), looks.part_keypoints(1, (0.5, 0.0, 1.0, 1.0))
    assert part.points[:, 0].min() >= SIZE[0]
    assert part.points[:, 0].max() < 2 * SIZE[0]
    assert len(part) > (whole.points[:, 0] >= SIZE[0]).sum()
    assert not len(looks.part_keypoints(2, (0.0, 0.0, 0.5, 0.5)))
