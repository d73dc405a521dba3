from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.stages.gld.attribution import NOBODY, Credit
from cairn.stages.gld.datasets import DATASETS
from cairn.stages.gld.part_rows import PartRow, PartRows

GLD = DATASETS["gld-v2"]
IDS = [f"{n:016x}" for n in (9, 1, 5)]


def lists(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {name: folder / name for name in texts}


def rows(part: str, paths: dict[str, Path], *, is_clean: bool = False) -> list[PartRow]:
    with PartRows(GLD, GLD.part(part), paths, is_clean=is_clean) as found:
        found.open_credits()
        streamed = list(found.rows())
        assert streamed == [found.of(row.image_id) for row in streamed]
        assert found.of("f" * 16) is None
        assert [found.position_of(row.image_id) for row in streamed] == list(range(len(found)))
        return streamed


def test_train_rows_are_joined_with_credits_and_the_clean_list(tmp_path: Path) -> None:
    paths = lists(
        tmp_path,
        {
            "train.csv": f"id,url,landmark_id\n{IDS[0]},http://a,7\n{IDS[1]},http://b,3\n",
            "train_attribution.csv": f"id,url,author,license,title\n{IDS[1]},http://b,Ann,CC,File:b\n",
            "train_clean.csv": f"landmark_id,images\n7,{IDS[0]}\n",
        },
    )
    assert rows("train", paths, is_clean=True) == [
        PartRow(1, IDS[0], "http://a", ("7",), NOBODY, True),
        PartRow(2, IDS[1], "http://b", ("3",), Credit("Ann", "CC", "File:b"), False),
    ]
    assert all(row.is_wanted for row in rows("train", paths))


def test_index_rows_have_landmarks_of_their_own_numbers(tmp_path: Path) -> None:
    paths = lists(
        tmp_path,
        {
            "index.csv": f"id\n{IDS[0]}\n{IDS[1]}\n",
            "index_image_to_landmark.csv": f"id,landmark_id\n{IDS[1]},7\n",
        },
    )
    assert [(row.url, row.landmark_ids) for row in rows("index", paths)] == [
        ("", None), ("", ("index_7",)),
    ]  # fmt: skip


def test_test_rows_show_what_the_solution_says(tmp_path: Path) -> None:
    paths = lists(
        tmp_path,
        {
            "test.csv": "id\n" + "\n".join(IDS) + "\n",
            "recognition_solution_v2.1.csv": f"id,landmarks,Usage\n{IDS[0]},3 4,Public\n{IDS[1]},,Private\n",
        },
    )
    assert [row.landmark_ids for row in rows("test", paths)] == [("3", "4"), (), None]
    assert [
        row.landmark_ids for row in rows("test", lists(tmp_path, {"test.csv": f"id\n{IDS[0]}"}))
    ] == [None]


def test_a_row_without_its_fields_is_malformed_and_costs_no_other(tmp_path: Path) -> None:
    text = f"id,url,landmark_id\n{IDS[0]},http://a,7\nodd\n{IDS[1]},http://b\n{IDS[2]},http://c,8\n"
    first, second, third = rows("train", lists(tmp_path, {"train.csv": text}))
    assert (first.landmark_ids, first.is_malformed) == (("7",), False)
    assert (second.image_id, second.url, second.landmark_ids) == (IDS[1], "", None)
    assert (second.is_malformed, second.is_wanted, third.row) == (True, False, 3)


def test_an_odd_line_among_the_truths_costs_one_truth_at_most(tmp_path: Path) -> None:
    truths = f"id,landmark_id\n{IDS[0]},3\nodd\n{IDS[1]}\n"
    texts = {"index.csv": "id\n" + "\n".join(IDS) + "\n", "index_image_to_landmark.csv": truths}
    found = rows("index", lists(tmp_path, texts))
    assert [row.landmark_ids for row in found][:2] == [("index_3",), None]


def test_only_train_has_clean_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the part index of gld-v2 has no list of clean images"):
        rows("index", lists(tmp_path, {"index.csv": "id\n"}), is_clean=True)


def test_an_empty_clean_list_wants_nothing(tmp_path: Path) -> None:
    texts = {"train.csv": f"id,url,landmark_id\n{IDS[0]},http://a,7\n", "train_clean.csv": "landmark_id,images\n"}  # fmt: skip
    assert [row.is_wanted for row in rows("train", lists(tmp_path, texts), is_clean=True)] == [
        False
    ]
