"""Features of the mirror image, turned from those of the image, against SIFT on the mirrored pixels."""

import numpy as np
import pytest

from cairn.algorithms.geometry import matches
from cairn.algorithms.mirroring import mirrored_features, mirrored_points
from cairn.models.keypoints import SiftDetector
from tests.stages.scrub.scenes import scene


@pytest.mark.slow
def test_turned_features_match_those_that_sift_finds_in_the_mirror_image() -> None:
    pixels = scene(0)
    own = SiftDetector(max_points=300).detect(pixels)
    seen = SiftDetector(max_points=300).detect(np.ascontiguousarray(pixels[:, ::-1]))
    pairs = matches(mirrored_features(own.features), seen.features)
    places = mirrored_points(own.points, width_px=pixels.shape[1])[pairs[:, 0]]
    is_there = np.linalg.norm(places - seen.points[pairs[:, 1]], axis=1) < 2
    assert is_there.sum() > 100
    assert is_there.mean() > 0.9
    assert len(matches(own.features, seen.features)) < len(pairs) / 3


def test_mirrored_twice_is_as_before() -> None:
    rng = np.random.default_rng(0)
    features = rng.random((7, 128)).astype(np.float32)
    points = (rng.random((7, 2)) * 100).astype(np.float32)
    np.testing.assert_array_equal(mirrored_features(mirrored_features(features)), features)
    twice = mirrored_points(mirrored_points(points, width_px=100), width_px=100)
    np.testing.assert_allclose(twice, points, atol=1e-4)


def test_no_point_stays_no_point() -> None:
    assert mirrored_features(np.empty((0, 128), np.float32)).shape == (0, 128)
