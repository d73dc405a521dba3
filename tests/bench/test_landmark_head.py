"""The measurement of large landmark heads: each way keeps to the memory it promises."""

import pytest

pytest.importorskip("torch")

from cairn.base.settings import LandmarkHeadBenchSettings
from cairn.base.watching import Silent
from cairn.bench.landmark_head import bench_landmark_head

# What a process needs beside: threads, the allocator.
OWN_BYTES = 24 * 2**20


@pytest.mark.slow
def test_each_way_keeps_to_its_promise_and_a_sample_takes_less() -> None:
    settings = LandmarkHeadBenchSettings(
        n_landmarks=30_000, centres=3, width=256, batch_images=32, sampled=2_000, steps=3
    )
    whole, sampled = bench_landmark_head(settings, watch=Silent())
    assert (whole.n_sampled, sampled.n_sampled) == (0, 2_000)
    assert 3 * sampled.peak_bytes < whole.peak_bytes < whole.bound_bytes + OWN_BYTES
    # The centres themselves have to be there in any case.
    assert 4 * 30_000 * 3 * 256 < sampled.peak_bytes < sampled.bound_bytes + OWN_BYTES
    assert len(sampled.seconds) == 3
