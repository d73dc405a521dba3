import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cairn.algorithms.geometry import matches, verified
from cairn.algorithms.opencv import opencv
from cairn.base.errors import InputError
from cairn.images.render.landmarks import invent_landmarks
from cairn.images.render.scene import render_scene
from cairn.models.keypoints import (
    CONTRAST,
    Keypoints,
    PackedKeypoints,
    SiftDetector,
    root_normalised,
)

Pixels = npt.NDArray[np.uint8]


def scene(number: int = 0, *, seed: int = 0) -> Pixels:
    landmark = invent_landmarks(number + 1, world="demo", seed=0)[number]
    return render_scene([landmark], seed=seed, size=(320, 240))


def resized(pixels: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))


def test_points_lie_in_the_image_and_features_have_length_one() -> None:
    found = SiftDetector(max_points=200).detect(scene())
    assert 50 < len(found) <= 200
    assert ((found.points > 0) & (found.points < [320, 240])).all()
    assert np.abs(np.linalg.norm(found.features, axis=1) - 1).max() < 1e-5
    assert (found.features >= 0).all()


def test_the_same_image_gives_the_same_points_twice() -> None:
    first, again = SiftDetector().detect(scene()), SiftDetector().detect(scene())
    for name in ("points", "sizes", "angles", "features"):
        assert np.array_equal(getattr(first, name), getattr(again, name))


def test_the_strongest_points_come_first() -> None:
    few, many = SiftDetector(max_points=40).detect(scene()), SiftDetector().detect(scene())
    assert np.array_equal(few.points, many.points[: len(few)])


def test_points_are_told_in_pixels_of_the_image_given_at_whatever_size_it_is_seen() -> None:
    small = scene()
    large = resized(small, 1280, 960)
    a, b = SiftDetector().detect(small), SiftDetector(side_px=320).detect(large)
    rows = matches(a.features, b.features)
    found = verified(a.points, b.points, rows, model="similarity")
    assert found is not None
    ends = a.points[rows[found.inliers, 0]], b.points[rows[found.inliers, 1]]
    assert np.abs((ends[0] + 0.5) * 4 - 0.5 - ends[1]).mean() < 2
    assert len(found.inliers) > 0.5 * len(a)


def test_packed_points_lose_nothing_and_take_little_more_than_a_quarter() -> None:
    packed = SiftDetector().detect_packed(scene())
    cv2 = opencv()
    grey = cv2.cvtColor(np.ascontiguousarray(scene()), cv2.COLOR_RGB2GRAY)
    _, counts = cv2.SIFT_create(nfeatures=1024, contrastThreshold=CONTRAST).detectAndCompute(
        grey, None
    )
    found = packed.unpacked()
    assert sorted(map(tuple, found.features)) == sorted(map(tuple, root_normalised(counts)))
    sizes = [
        sum(part.nbytes for part in (one.points, one.sizes, one.angles, features))
        for one, features in ((packed, packed.counts), (found, found.features))
    ]
    assert sizes[0] < 0.28 * sizes[1]


def test_packed_points_are_scaled_as_the_others_are() -> None:
    packed = SiftDetector().detect_packed(scene())
    larger, plain = packed.scaled(2, 3).unpacked(), packed.unpacked().scaled(2, 3)
    for name in ("points", "sizes", "angles", "features"):
        assert np.array_equal(getattr(larger, name), getattr(plain, name))
    assert len(PackedKeypoints.none().unpacked()) == 0


def test_packed_points_of_another_form_are_told() -> None:
    packed = SiftDetector().detect_packed(scene())
    with pytest.raises(InputError, match="uint8"):
        PackedKeypoints(packed.points, packed.sizes, packed.angles, packed.counts[1:])


def test_another_view_of_a_landmark_matches_and_another_landmark_does_not() -> None:
    flat = scene(seed=3)
    points = [SiftDetector().detect(one) for one in (flat, flat[20:, 30:], scene(1, seed=3))]
    same, other = (
        verified(points[0].points, one.points, matches(points[0].features, one.features), model="homography")
        for one in points[1:]
    )  # fmt: skip
    assert same is not None
    assert same.surprise > 10
    assert other is None or other.surprise < 3


def test_scaled_points_lie_where_the_larger_image_has_them() -> None:
    found = SiftDetector().detect(scene())
    larger = found.scaled(2, 3)
    assert np.allclose(larger.points, found.points * [2, 3])
    assert np.allclose(larger.sizes, found.sizes * 6**0.5)
    assert larger.features is found.features


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_small_and_wild_images_have_points_inside_or_none(
    height: int, width: int, seed: int, is_flat: bool
) -> None:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = SiftDetector(max_points=64).detect(pixels // 255 if is_flat else pixels)
    assert ((found.points >= -1) & (found.points <= [width, height])).all()
    assert np.isfinite(found.features).all()


def test_an_array_that_is_no_image_is_told() -> None:
    with pytest.raises(InputError, match="uint8"):
        SiftDetector().detect(np.zeros((4, 4), np.uint8))


def test_a_detector_that_would_find_nothing_is_told() -> None:
    with pytest.raises(InputError, match="at least 1"):
        SiftDetector(max_points=0)


def test_keypoints_with_a_row_too_few_are_told() -> None:
    none = Keypoints.none()
    with pytest.raises(InputError, match="one row for each point"):
        Keypoints(none.points, none.sizes, none.angles, np.zeros((1, 128), np.float32))


def test_the_root_of_shares_has_length_one_and_zeros_stay() -> None:
    rooted = root_normalised(np.array([[4.0, 0.0, 12.0], [0.0, 0.0, 0.0]], np.float32))
    assert np.allclose(rooted, [[0.5, 0, 0.75**0.5], [0, 0, 0]])
