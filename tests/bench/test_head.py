"""The bench of heads: a row for each way, and descriptors on which a trained head is worth its training."""

import numpy as np

from cairn.base.settings import HeadBenchSettings
from cairn.base.watching import Silent
from cairn.bench.head import ALL_COLUMNS, CENTROID, FIT, WAYS, bench_head, made_up

SMALL = HeadBenchSettings(n_images=600, n_landmarks=40, width=32, n_queries=300, fit=True)


def test_each_way_has_a_row_and_trained_heads_are_above_centroids_and_closed_form() -> None:
    rows = {row.name: row for row in bench_head(SMALL, watch=Silent())}
    assert list(rows) == [CENTROID, *WAYS, FIT]
    for way in ("sampled steps", ALL_COLUMNS, "whole passes", FIT):
        assert rows[way].gap > max(rows[CENTROID].gap, rows["closed form"].gap) + 0.05
        assert rows[way].top1 > rows[CENTROID].top1


def test_made_up_descriptors_have_length_one_a_long_tail_and_distractors() -> None:
    found = made_up(5_000, 50, 32, seed=1)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, rtol=1e-5)
    assert 0.17 < (found.landmarks < 0).mean() < 0.23
    sizes = np.bincount(found.landmarks[found.landmarks >= 0], minlength=50)
    assert sizes[:5].mean() > 4 * sizes[-20:].mean()
    np.testing.assert_array_equal(found.vectors, made_up(5_000, 50, 32, seed=1).vectors)
