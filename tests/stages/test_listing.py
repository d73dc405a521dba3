from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.stages.listing import Note, list_files, read_landmarks, read_notes
from tests.make import jpeg, photo_folder


def test_files_come_sorted_with_their_landmarks_folder(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path, {"b": 1, "a": 1})
    (folder / "a" / "deep").mkdir()
    (folder / "a" / "deep" / "x.jpg").write_bytes(jpeg(9))
    found = [(file.row, file.source, file.landmark_id) for file in list_files(folder)]
    assert found == [(1, "a/000.jpg", "a"), (2, "a/deep/x.jpg", "a"), (3, "b/000.jpg", "b")]


def test_an_empty_folder_is_answered_with_the_layout(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is empty; a folder for each landmark was expected"):
        list_files(tmp_path)


def test_a_flat_folder_is_answered_with_the_layout_and_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(jpeg(1))
    with pytest.raises(InputError, match=r"holds 1 photo in no landmark's folder(.|\n)*--group"):
        list_files(tmp_path)
    assert [file.source for file in list_files(tmp_path, flat=True)] == ["one.jpg"]


def test_a_tree_of_parts_is_not_taken_for_landmarks(tmp_path: Path) -> None:
    photo_folder(tmp_path, {"train/tower": 1, "test/tower": 1})
    with pytest.raises(InputError, match="holds the parts test, train and not landmarks"):
        list_files(tmp_path)


def test_a_folder_that_is_not_there_or_is_a_file_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        list_files(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        list_files(tmp_path / "file")


def test_landmarks_need_only_an_id(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("landmark_id,name,latitude\nb,Big Ben,51.5\na,,\n")
    rows = read_landmarks(path).table.rows()
    nothing = (None,) * 4
    assert rows == [("a", "a", None, None, *nothing), ("b", "Big Ben", None, 51.5, *nothing)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("landmark,name\na,b\n", r"landmark_id was expected .*did you mean landmark\?"),
        ("landmark_id,latitude\na,north\n", "no number"),
        ("landmark_id,latitude\na,91\n", "-90 to 90"),
        ("landmark_id\na\na\n", "listed twice"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_wrong_list_of_landmarks_says_what_is_wrong(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "l.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_landmarks(path)


def test_notes_are_found_by_path_name_or_stem_and_add_up(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text(
        "photo,also_shows,licence,author,note\n"
        "a/1.jpg,x y,,,\n2.jpg,,CC0-1.0,Ann,\n3,,,,also shows z\n3,,,,also shows w\n4,,,,near copy of 3\n"
    )
    notes = read_notes(path)
    assert notes.of("a/1.jpg") == Note(also_shows=("x", "y"))
    assert notes.of("b/2.jpg") == Note(licence="CC0-1.0", author="Ann")
    assert notes.of("c/3.png").also_shows == ("z", "w")
    assert notes.of("c/4.png") == notes.of("c/5.png") == Note()


def test_a_note_with_a_landmark_is_on_that_landmarks_photo_only(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text("photo,landmark_id,also_shows\n000.jpg,eiffel,arc\n000,louvre,pont\n")
    notes = read_notes(path)
    assert notes.of("eiffel/000.jpg").also_shows == ("arc",)
    assert notes.of("louvre/000.jpg").also_shows == ("pont",)
    assert notes.of("arc/000.jpg") == Note()


def test_a_bare_name_that_several_photos_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "n.csv"
    path.write_text("photo,also_shows\n000.jpg,arc\n")
    with pytest.raises(InputError, match=r"name 000\.jpg, which 2 photos are called"):
        read_notes(path).require_clear(["eiffel/000.jpg", "louvre/000.jpg"])
