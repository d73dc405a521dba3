"""The made-up catalog is a catalog, and exploring it is measured."""

from pathlib import Path

import pytest

from cairn.base.settings import ExploreBenchSettings
from cairn.base.watching import Silent
from cairn.bench.explore import bench_explore, make_up
from cairn.records.catalog import Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.split import Split


def test_what_is_made_up_passes_for_a_work_folder(tmp_path: Path) -> None:
    make_up(tmp_path, n_rows=2000, n_landmarks=50)
    catalog = Catalog.read(tmp_path / "catalog.parquet")
    assert len(catalog.table) == 2000
    assert 1500 < len(catalog.images) < 1700
    assert len(Landmarks.read(tmp_path / "landmarks.parquet").table) == 50
    counts = Split.read(tmp_path / "split.parquet").counts()
    assert sum(counts.values()) == len(catalog.images)


@pytest.mark.slow
def test_exploring_it_is_measured(tmp_path: Path) -> None:
    settings = ExploreBenchSettings(n_rows=500, n_landmarks=20)
    found = bench_explore(tmp_path, settings=settings, watch=Silent())
    assert found.cost.wall_s > 0
    assert (tmp_path / "made-up-500-20/reports/explore/explore.json").exists()
