from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.stages.gld.small_lists import (
    LandmarkWords,
    Shown,
    clean_ids,
    landmark_names,
    name_of_category,
    solution,
)

EIFFEL = "http://commons.wikimedia.org/wiki/Category:Tour_Eiffel"
IDS = [f"{n:016x}" for n in (9, 1, 5)]


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (EIFFEL, "Tour Eiffel"),
        ("http://commons.wikimedia.org/wiki/Category:Ch%C3%A2teau_de_Chambord", "Château de Chambord"),
        ("https://commons.wikimedia.org/w/index.php?title=Category:A_%26_B", "A & B"),
        ("http://commons.wikimedia.org/wiki/Category:AC/DC_Lane?x=1#y", "AC/DC Lane"),
        ("http://commons.wikimedia.org/wiki/Category:e%CC%81__x%00%0a", "é x"),
        ("Category:Plain", "Plain"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_landmark_is_named_by_its_category(address: str, name: str) -> None:
    assert name_of_category(address) == name


def test_landmarks_get_their_words_from_both_lists(tmp_path: Path) -> None:
    categories = written(tmp_path / "c", f'landmark_id,category\n5,"{EIFFEL}"\n1,\n')
    kinds = written(
        tmp_path / "h",
        "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made\n"
        f"5,{EIFFEL},tower,tower,human-made\n7,x/wiki/Category:Rock,rock,mountain,natural\n",
    )
    assert landmark_names(categories, kinds) == {
        "5": LandmarkWords("Tour Eiffel", EIFFEL, "tower", "tower", "human-made"),
        "1": LandmarkWords("1", ""),
        "7": LandmarkWords("Rock", "x/wiki/Category:Rock", "rock", "mountain", "natural"),
    }


def test_rows_of_names_that_are_none_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ["x,y", "1", "1,2,3", "-1,y", "2," + "x" * 140_000, "3,Fine"]
    path = written(tmp_path / "c", "landmark_id,category\n" + "\n".join(rows))
    assert list(landmark_names(path)) == ["3"]
    assert "5 rows are no rows of landmark_id,category" in caplog.text


def test_clean_images_are_known_with_their_landmarks(tmp_path: Path) -> None:
    path = written(tmp_path / "c", f"landmark_id,images\n7,{IDS[0]} {IDS[1]}\r\n\n3,{IDS[2]}")
    clean = clean_ids(path)
    assert clean.landmarks[clean.positions_of(IDS)].tolist() == [7, 7, 3]
    assert len(clean) == 3
    assert "f" * 16 not in clean
    assert "no id" not in clean


def test_a_landmark_may_have_more_images_than_a_csv_field_holds(tmp_path: Path) -> None:
    ids = [f"{n:016x}" for n in range(20_000)]
    path = written(tmp_path / "c", f"landmark_id,images\n1,{' '.join(ids)}\n")
    assert len(clean_ids(path)) == 20_000


def test_an_empty_list_of_clean_images_names_none(tmp_path: Path) -> None:
    assert IDS[0] not in clean_ids(written(tmp_path / "c", "landmark_id,images\n"))


@pytest.mark.parametrize(
    "row", ["7,", f"7,{IDS[0]}  {IDS[1]}", f"x,{IDS[0]}", f"7,{IDS[0]}0", f"7;{IDS[0]}"]
)
def test_a_row_of_clean_images_that_is_none_is_told(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"line 2 of .* is no row of landmark_id,images"):
        clean_ids(written(tmp_path / "c", f"landmark_id,images\n{row}\n"))


def test_a_clean_image_that_comes_twice_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "c", f"landmark_id,images\n1,{IDS[0]}\n2,{IDS[0]}\n")
    with pytest.raises(InputError, match=f"names the image {IDS[0]} twice"):
        clean_ids(path)


def test_the_solution_tells_one_several_none_or_nobody_knows(tmp_path: Path) -> None:
    rows = [f"{IDS[0]},12 5,Public", f"{IDS[1]},,Private", f"{IDS[2]},None,Ignored"]
    path = written(tmp_path / "s", "id,landmarks,Usage\n" + "\n".join(rows))
    assert solution(path) == {
        IDS[0]: Shown(("12", "5"), "Public"),
        IDS[1]: Shown((), "Private"),
        IDS[2]: Shown(None, "Ignored"),
    }


@pytest.mark.parametrize(
    "row", [f"{IDS[0]},x,Public", "7,1,Public", f"{IDS[0]},1,public", f"{IDS[0]},1"]
)
def test_a_row_of_the_solution_that_is_none_is_told(tmp_path: Path, row: str) -> None:
    with pytest.raises(InputError, match=r"line 2 of .* is no row of id,landmarks,Usage"):
        solution(written(tmp_path / "s", f"id,landmarks,Usage\n{row}\n"))


def test_a_test_image_that_comes_twice_is_told(tmp_path: Path) -> None:
    path = written(tmp_path / "s", f"id,landmarks,Usage\n{IDS[0]},,Public\n{IDS[0]},,Public\n")
    with pytest.raises(InputError, match="twice"):
        solution(path)


def test_other_columns_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the columns landmark_id,images were expected"):
        clean_ids(written(tmp_path / "c", "id,images\n"))
    with pytest.raises(InputError, match="the columns landmark_id,category were expected"):
        landmark_names(written(tmp_path / "c", ""))
