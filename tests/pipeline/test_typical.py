"""Typical photos, by descriptors that a whole run has made of made-up photos."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cairn.base.settings import ReviewSettings
from cairn.pipeline.described import DescribedWay, described_way
from cairn.pipeline.reviewing import open_desk
from cairn.pipeline.typical import MOST_LOOKED_AT, N_TYPICAL, TypicalPhotos
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.findings import BLURRED, NO_LANDMARK, Findings
from tests.cleaning import finding
from tests.reviews import review_work


@pytest.fixture
def work(finished: Path, tmp_path: Path) -> WorkFolder:
    return WorkFolder(Path(shutil.copytree(finished / "work", tmp_path / "work")))


def images_of(work: WorkFolder, *landmark_ids: str) -> pl.DataFrame:
    """The images of these landmarks, by id."""
    shown = work.catalog().images.filter(pl.col("landmark_ids").list.first().is_in(landmark_ids))
    return shown.select("image_id", "kept_digest", "landmark_ids").sort("image_id")


def way_of(work: WorkFolder) -> DescribedWay:
    way = described_way(work, work.catalog().images, source=None)
    assert way is not None
    return way


def by_loops(images: pl.DataFrame, way: DescribedWay) -> list[str]:
    """The image_ids, nearest to the mean of their descriptors first."""
    vectors = {
        image_id: way.vectors([digest])[0] / np.linalg.norm(way.vectors([digest])[0])
        for image_id, digest in images.select("image_id", "kept_digest").iter_rows()
    }
    mean = sum(vectors.values()) / len(vectors)
    return sorted(vectors, key=lambda image_id: -float(vectors[image_id] @ mean))


def without(work: WorkFolder, image_ids: Sequence[str], kind: str = BLURRED) -> None:
    """The work folder's findings are one about each of these images."""
    Findings.of(finding(kind, image_id) for image_id in image_ids).write(work.findings_path)


def test_those_nearest_to_the_mean_come_first(work: WorkFolder) -> None:
    images, way = images_of(work, "landmark_2"), way_of(work)
    found = TypicalPhotos(images, images, way=lambda: way).of("landmark_2")
    assert found == by_loops(images, way)[:N_TYPICAL]
    assert found != images["image_id"].to_list()[:N_TYPICAL]


def test_photos_of_something_else_in_its_folder_are_not_typical(work: WorkFolder) -> None:
    own, strange = images_of(work, "landmark_0"), images_of(work, "landmark_1").head(3)
    said = pl.concat([own, strange]).with_columns(landmark_ids=pl.lit(["landmark_0"]))
    typical = TypicalPhotos(said.sort("image_id"), said, way=lambda: way_of(work))
    assert set(typical.of("landmark_0")) <= set(own["image_id"])


def test_a_review_shows_none_that_has_a_finding_where_there_are_others(work: WorkFolder) -> None:
    images = images_of(work, "landmark_3")
    doubtful, clear = images["image_id"].to_list()[:7], images["image_id"].to_list()[7:]
    without(work, doubtful, NO_LANDMARK)
    found = open_desk(work.root, ReviewSettings()).rows.typical("landmark_3")
    wanted = images.filter(pl.col("image_id").is_in(clear))
    assert found == by_loops(wanted, way_of(work))


def test_where_all_have_findings_they_are_shown_all_the_same(work: WorkFolder) -> None:
    images = images_of(work, "landmark_3")
    without(work, images["image_id"].to_list())
    found = open_desk(work.root, ReviewSettings()).rows.typical("landmark_3")
    assert found == by_loops(images, way_of(work))[:N_TYPICAL]


def test_without_descriptors_the_first_ids_are_shown(work: WorkFolder) -> None:
    shutil.rmtree(work.root / "descriptors")
    without(work, [])
    found = open_desk(work.root, ReviewSettings()).rows.typical("landmark_1")
    assert found == images_of(work, "landmark_1")["image_id"].to_list()[:N_TYPICAL]


def test_images_without_descriptor_come_after_those_that_have_one(work: WorkFolder) -> None:
    images, way = images_of(work, "landmark_1"), way_of(work)
    last = images["kept_digest"].to_list()[-2:]
    few = DescribedWay(way.folder, way.files, {digest: way.places[digest] for digest in last})
    found = TypicalPhotos(images, images, way=lambda: few).of("landmark_1")
    assert set(found[:2]) == set(images["image_id"].to_list()[-2:])
    assert found[2:] == images["image_id"].to_list()[: N_TYPICAL - 2]


def test_damaged_descriptors_count_as_not_there(work: WorkFolder) -> None:
    images, way = images_of(work, "landmark_1"), way_of(work)
    for path in way.files:
        path.write_bytes(b"nothing")
    found = TypicalPhotos(images, images, way=lambda: way).of("landmark_1")
    assert found == images["image_id"].to_list()[:N_TYPICAL]
    assert way_is_gone(work)


def way_is_gone(work: WorkFolder) -> bool:
    return described_way(work, work.catalog().images, source=None) is None


def test_descriptors_are_opened_once_and_only_when_asked_for(work: WorkFolder) -> None:
    images, opened = images_of(work, "landmark_0", "landmark_1"), 0

    def way() -> DescribedWay:
        nonlocal opened
        opened += 1
        return way_of(work)

    typical = TypicalPhotos(images, images, way=way)
    assert opened == 0
    assert typical.of("nowhere") == []
    for landmark_id in ("landmark_0", "landmark_1", "landmark_0"):
        assert len(typical.of(landmark_id)) == N_TYPICAL
    assert opened == 1


def test_of_the_largest_landmark_no_more_is_looked_at_than_of_others(work: WorkFolder) -> None:
    one = images_of(work, "landmark_0").head(1)
    ids = [f"{number:05}" for number in range(MOST_LOOKED_AT + 5)]
    many = pl.concat([one.with_columns(image_id=pl.lit(name)) for name in ids]).with_columns(
        kept_digest=pl.when(pl.col("image_id") >= ids[MOST_LOOKED_AT]).then("kept_digest")
    )
    typical = TypicalPhotos(many, many, way=lambda: way_of(work)).of("landmark_0")
    assert typical == ids[:N_TYPICAL]


def test_an_image_that_shows_none_is_typical_of_none(tmp_path: Path) -> None:
    desk = open_desk(review_work(tmp_path / "work"), ReviewSettings())
    assert desk.rows.typical("") == []
    assert len(desk.rows.typical("belfry")) > 0
