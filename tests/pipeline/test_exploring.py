"""Explore over a work folder: what it leaves, what it uses again, and what it refuses."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import DescribeSettings, ExploreSettings
from cairn.pipeline.exploring import explore
from cairn.pipeline.importing import Lists
from cairn.pipeline.steps import import_photos
from cairn.records.catalog import Catalog
from tests.make import photo_folder


class Watcher:
    """A watch that remembers which stretches of work there were, and what was noted."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.notes: list[str] = []

    def phase(self, name: str, total: int) -> "Watcher":
        self.names.append(name)
        return self

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, steps: int) -> None:
        return None

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def work(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "work", tmp_path / "work"))


def test_it_leaves_a_page_and_the_same_numbers_as_tables(work: Path) -> None:
    done = explore(work)
    folder = work / "reports/explore"
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "explore.json", "explore.parquet", "landmarks.parquet", "map.parquet",
    }  # fmt: skip
    told = json.loads((folder / "explore.json").read_text())
    assert told["totals"]["n_images"] == 52
    assert told["totals"] == done.exploration.counts.totals.model_dump()
    table = pl.read_parquet(folder / "explore.parquet")
    assert table.filter(what="totals", name="n_images")["n"].item() == 52
    landmarks = pl.read_parquet(folder / "landmarks.parquet")
    assert landmarks["n_images"].to_list() == [10, 10, 10, 10]
    assert len(list((work / "thumbnails").rglob("*.jpg"))) == 52


def test_the_map_is_drawn_of_the_descriptors_that_are_there_and_not_twice(work: Path) -> None:
    first, again = Watcher(), Watcher()
    one = explore(work, watch=first).image_map
    other = explore(work, watch=again).image_map
    assert one is not None
    assert other is not None
    assert len(one.table) == 52
    assert one.table.equals(other.table)
    assert "map" in first.names
    assert "map" not in again.names


def test_another_seed_draws_another_lot(work: Path) -> None:
    drawn = [
        explore(work, settings=ExploreSettings(map_images=20, seed=seed)).image_map
        for seed in (0, 1)
    ]
    ids = [image_map.table["image_id"].to_list() for image_map in drawn if image_map is not None]
    assert [len(lot) for lot in ids] == [20, 20]
    assert ids[0] != ids[1]


def test_other_labels_change_the_map_without_drawing_it_anew(work: Path) -> None:
    explore(work)
    catalog = Catalog.read(work / "catalog.parquet")
    nothing = pl.lit(None, catalog.table.schema["landmark_ids"]).alias("landmark_ids")
    Catalog(catalog.table.with_columns(nothing)).write(work / "catalog.parquet")
    watcher = Watcher()
    found = explore(work, watch=watcher).image_map
    assert found is not None
    assert found.table["landmark_id"].null_count() == 52
    assert found.nearest_same is None
    assert "map" not in watcher.names


def test_without_descriptors_there_is_no_map_until_it_is_asked_for(
    work: Path, tiny_backbone: Path
) -> None:
    shutil.rmtree(work / "descriptors")
    assert explore(work).image_map is None
    assert "--map" in (work / "reports/explore/report.html").read_text()
    describing = DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,))
    settings = ExploreSettings(map_images=30)
    found = explore(work, settings=settings, describing=describing, with_map=True).image_map
    assert found is not None
    assert len(found.table) == found.n_described == 30


def test_no_sheets_and_no_map_need_no_photo(work: Path) -> None:
    shutil.rmtree(work / "images")
    watcher = Watcher()
    done = explore(work, settings=ExploreSettings(sheets=False, map_images=0), watch=watcher)
    assert done.image_map is None
    assert "thumbnails" not in watcher.names


def test_photos_that_have_gone_are_told_and_leave_gaps(work: Path) -> None:
    shutil.rmtree(work / "images")
    watcher = Watcher()
    explore(work, settings=ExploreSettings(map_images=0), watch=watcher)
    assert "no thumbnail" in (work / "reports/explore/report.html").read_text()
    assert "cannot be shown" in watcher.notes[0]


def test_a_landmark_that_is_asked_for_comes_first(work: Path) -> None:
    settings = ExploreSettings(landmark=("landmark_3",), sheets=False, map_images=0)
    explore(work, settings=settings)
    page = (work / "reports/explore/report.html").read_text()
    assert page.count('class="sheet"') == 1
    assert 'id="sheet-1"><h3><bdi>landmark 3</bdi>' in page


def test_a_landmark_that_is_not_there_is_refused_with_the_nearest_name(work: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean landmark_3\?"):
        explore(work, settings=ExploreSettings(landmark=("landmark_33",)))


def test_a_folder_without_a_catalog_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no catalog\.parquet"):
        explore(tmp_path)


def test_a_catalog_without_its_columns_is_refused(work: Path) -> None:
    pl.DataFrame({"image_id": ["a"]}).write_parquet(work / "catalog.parquet")
    with pytest.raises(InputError, match="has no column list"):
        explore(work)


def test_a_catalog_before_its_split_is_explored_too(tmp_path: Path) -> None:
    import_photos(
        tmp_path / "w", lists=Lists(photo_folder(tmp_path / "p", {"a": 2, "_unknown": 1}))
    )
    counts = explore(tmp_path / "w").exploration.counts
    assert counts.totals.n_unlabelled == 1
    assert counts.parts == ()


def test_damaged_descriptors_count_as_not_there(work: Path) -> None:
    for path in (work / "descriptors").rglob("*.safetensors"):
        path.write_bytes(b"no tensors")
    assert explore(work).image_map is None
