from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.stages.gld.datasets import DATASETS, find_lists, md5_place

V1, V2 = DATASETS["gld-v1"], DATASETS["gld-v2"]


def test_every_list_and_tar_of_gld_v2_has_its_published_address() -> None:
    tars = [tar for part in V2.parts for tar in part.tars]
    assert (len(tars), tars[0], tars[499], tars[-1]) == (
        620, "train/images_000.tar", "train/images_499.tar", "test/images_019.tar",
    )  # fmt: skip
    assert V2.address(tars[500]) == (
        "https://s3.amazonaws.com/google-landmark/index/images_000.tar"
    )
    assert md5_place(tars[0]) == "md5sum/train/md5.images_000.txt"
    assert V2.list_file("recognition_solution_v2.1.csv").place.startswith("ground_truth/")


def test_a_mirror_takes_the_place_of_the_base_address() -> None:
    assert V2.address("a/b.csv", base="http://mirror/x/") == "http://mirror/x/a/b.csv"


def test_lists_without_an_address_have_to_be_brought() -> None:
    with pytest.raises(InputError, match=r"have no address any more(.|\n)*--lists DIR"):
        V1.address("train.csv")


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
def test_parts_speak_of_lists_that_are_there_once(dataset) -> None:  # type: ignore[no-untyped-def]
    names = [file.name for file in dataset.lists]
    assert len(set(names)) == len(names)
    assert {name for part in dataset.parts for name in part.lists} <= set(names)
    assert set(dataset.wrong_md5) <= {tar for part in dataset.parts for tar in part.tars}


def test_an_unknown_part_is_answered_with_those_there_are() -> None:
    assert V2.part("index").landmark_prefix == "index_"
    with pytest.raises(InputError, match="no part 'val'; one of train, index, test was expected"):
        V2.part("val")


def test_lists_in_a_folder_are_found_with_their_columns_quoted_or_not(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text('\ufeff"id","url","landmark_id"\r\n')
    (tmp_path / "test.csv").write_text("id,url\n")
    found = find_lists(V1, tmp_path, ["train.csv", "test.csv"])
    assert found == {name: tmp_path / name for name in ("train.csv", "test.csv")}


def test_all_that_is_wrong_with_lists_in_a_folder_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("id;url\n")
    with pytest.raises(InputError) as caught:
        find_lists(V1, tmp_path, ["train.csv", "test.csv"])
    assert "train.csv: No such file" in str(caught.value)
    assert "test.csv: its first line is 'id;url', not 'id,url'" in str(caught.value)
