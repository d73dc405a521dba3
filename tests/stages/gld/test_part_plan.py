from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cairn.base.errors import SettingsError
from cairn.base.settings import SelectSettings
from cairn.records.catalog import CATALOG_SCHEMA
from cairn.stages.download.journal import OUTCOME_SCHEMA
from cairn.stages.download.lists import open_list
from cairn.stages.download.plan import make_plan
from cairn.stages.download.verdicts import Verdict
from cairn.stages.gld.datasets import DATASETS
from cairn.stages.gld.part_catalog import listed_part, part_catalog_rows
from cairn.stages.gld.part_plan import PartPlan, folder_of, make_part_plan
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.sought import Sought
from tests.stages.gld.published import Published

GLD = DATASETS["gld-v2"]


def opened(folder: Path, part: str, *, is_clean: bool = False, more: str = "") -> PartRows:
    for name, text in Published(6).lists().items():
        is_images = name == GLD.part(part).images
        (folder / name).write_text(text + (more if is_images else ""))
    paths = {file.name: folder / file.name for file in GLD.lists}
    return PartRows(GLD, GLD.part(part), paths, is_clean=is_clean)


def verdicts(plan: PartPlan) -> list[Verdict]:
    return [Verdict(verdict) for verdict in plan.verdict]


def test_keys_are_those_of_a_list_with_the_same_rows(tmp_path: Path) -> None:
    with opened(tmp_path, "train") as rows, open_list(tmp_path / "train.csv") as source:
        plan = make_part_plan(rows, list_name="gld-v2/train")
        assert np.array_equal(plan.key, make_plan(source).key)


def test_the_same_id_in_two_parts_has_two_keys(tmp_path: Path) -> None:
    with opened(tmp_path, "test") as rows:
        one, other = (make_part_plan(rows, list_name=name) for name in ("a", "b"))
        assert not set(one.key) & set(other.key)


def test_rows_of_a_selection_are_the_same_that_a_list_would_choose(tmp_path: Path) -> None:
    selecting = SelectSettings(landmarks=2, per_landmark=2, sample=3)
    with opened(tmp_path, "train") as rows, open_list(tmp_path / "train.csv") as source:
        plan = make_part_plan(rows, list_name="x", selecting=selecting)
        assert plan.counts()[Verdict.FETCH] == 3
        assert np.array_equal(plan.to_fetch, make_plan(source, selecting=selecting).to_fetch)


def test_of_a_part_without_landmarks_none_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("id\n0123456789abcdef\n")
    with (
        PartRows(GLD, GLD.part("test"), {"test.csv": tmp_path / "test.csv"}) as rows,
        pytest.raises(SettingsError, match="the list names no landmark"),
    ):
        make_part_plan(rows, list_name="x", selecting=SelectSettings(landmarks=1))


def test_clean_images_are_chosen_and_the_others_are_not(tmp_path: Path) -> None:
    with opened(tmp_path, "train", is_clean=True) as rows:
        assert make_part_plan(rows, list_name="x").counts()[Verdict.FETCH] == 4


def test_a_repeated_id_points_to_the_first_and_is_its_twin_in_the_catalog(tmp_path: Path) -> None:
    image = Published(6).train[2]
    with opened(tmp_path, "train", more=f"{image},http://else/x.jpg,9\n") as rows:
        plan = make_part_plan(rows, list_name="x")
        assert (verdicts(plan)[-1], plan.first_of) == (Verdict.SAME_ID, {12: 2})
        listed = listed_part(plan, [rows.at(12)])
        assert listed["twin_key"].to_list() == [plan.key[2]]
        assert listed["twin_id"].to_list() == [image]


def test_a_repeated_row_that_is_not_chosen_keeps_its_twin(tmp_path: Path) -> None:
    image = Published(6).train[2]
    with opened(tmp_path, "train", more=f"{image},http://else/x.jpg,9\n") as rows:
        plan = make_part_plan(rows, list_name="x")
        plan.verdict[[2, 12]] = Verdict.NOT_CHOSEN
        assert listed_part(plan, [rows.at(12)])["twin_key"].to_list() == [plan.key[2]]


def test_a_photo_is_taken_once(tmp_path: Path) -> None:
    with opened(tmp_path, "train") as rows:
        wanted = np.zeros(12, np.bool_)
        wanted[3] = True
        sought, image = Sought(rows, wanted), rows.at(3).image_id
        assert (image in sought, rows.at(4).image_id in sought, len(sought)) == (True, False, 1)
        assert sought.count_among(np.array([int(image, 16), 5], np.uint64)) == 1
        assert [sought.take(image), sought.take(image), len(sought)] == [3, None, 0]


def test_folders_are_called_by_the_main_landmark(tmp_path: Path) -> None:
    with opened(tmp_path, "test") as rows:
        folders = [folder_of(row) for row in rows.rows()][:4]
        assert folders == ["images/1", "images/_none", "images/_unknown", "images/0"]


def test_rows_of_the_catalog_say_all_that_is_shown_and_how_unfound_ones_end(tmp_path: Path) -> None:
    with opened(tmp_path, "test") as rows:
        plan = make_part_plan(rows, list_name="gld-v2/test")
        some = list(rows.rows())[:3]
        none = pl.DataFrame(schema=OUTCOME_SCHEMA)
        end = ("failed", "tar failed")
        table = part_catalog_rows(
            some, listed_part(plan, some), none, list_name="gld-v2/test", end_of_unfound=end
        )
        assert table.schema == CATALOG_SCHEMA
        assert table["landmark_ids"].to_list() == [["1", "2"], [], None]
        assert set(table.select("status", "cause").rows()) == {end}
