import numpy as np
import pytest

from cairn.algorithms.clustering import _average_linkage, alike_groups, silhouette
from cairn.base.errors import InputError


def of_length_one(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_clear_groups_are_found_and_numbered_by_size() -> None:
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], [20, 12, 5])
    vectors = of_length_one(rng.normal(size=(3, 32))[truth] + 0.1 * rng.normal(size=(37, 32)))
    np.testing.assert_array_equal(alike_groups(vectors), truth)


def test_one_row_or_none_is_its_own_group() -> None:
    assert alike_groups(np.ones((1, 4), np.float32)).tolist() == [0]
    assert alike_groups(np.ones((0, 4), np.float32)).tolist() == []


def test_merges_are_those_of_the_slow_version() -> None:
    rng = np.random.default_rng(3)
    vectors = of_length_one(rng.normal(size=(14, 6)))
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)
    groups, heights = [[i] for i in range(14)], []
    while len(groups) > 1:
        pairs = [
            (distances[np.ix_(a, b)].mean(), i, j)
            for i, a in enumerate(groups)
            for j, b in enumerate(groups)
            if i < j
        ]
        height, i, j = min(pairs)
        heights.append(height)
        groups[i] += groups.pop(j)
    found = np.sort(_average_linkage(distances)[:, 2])
    np.testing.assert_allclose(found, np.sort(heights), atol=1e-5)


def test_the_silhouette_is_that_of_the_loop() -> None:
    rng = np.random.default_rng(4)
    points, labels = rng.random((12, 3)), np.array([0] * 5 + [1] * 4 + [2] * 2 + [3])
    distances = np.linalg.norm(points[:, None] - points[None], axis=2).astype(np.float32)
    wanted = []
    for i in range(12):
        mates = [j for j in range(12) if labels[j] == labels[i] and j != i]
        if not mates:
            wanted.append(0.0)
            continue
        own = distances[i, mates].mean()
        other = min(distances[i, labels == k].mean() for k in range(4) if k != labels[i])
        wanted.append((other - own) / max(own, other))
    assert silhouette(distances, labels) == pytest.approx(np.mean(wanted), abs=1e-6)


def test_too_many_images_are_refused_before_the_table_is_made() -> None:
    with pytest.raises(InputError, match="10,001 images are too many"):
        alike_groups(np.zeros((10_001, 1), np.float32))
