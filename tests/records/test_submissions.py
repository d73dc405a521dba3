"""Contest files: what is written comes back exactly, and what is wrong in one is told with its line."""

import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.records.contest_rows import AskedPhotos
from cairn.records.submissions import ContestAnswer, Submission

GOOD = "id,landmarks\na,12 0.5\nb,\n"


def read(folder: Path, content: str | bytes) -> Submission:
    path = folder / "submission.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Submission.read(path)


def test_a_cell_is_one_landmark_and_its_score_or_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).answers == {"a": ContestAnswer("12", 0.5), "b": None}


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        b"\xef\xbb\xbf" + GOOD.encode(),
        'id,landmarks\n"a","12 0.5"\n"b",""\n',
        "id, landmarks\n a , 12   0.5 \nb , \n\n  \n",
        'id,landmarks\na, "12 5e-1"\nb,',
    ],
)
def test_line_ends_marks_quotes_and_spaces_change_nothing(
    tmp_path: Path, content: str | bytes
) -> None:
    assert read(tmp_path, content) == read(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "begins with ''; the header id,landmarks was expected"),
        ("id,landmark\na,1 2\n", "begins with 'id,landmark'"),
        ("id;landmarks\na;1 2\n", "begins with 'id;landmarks'"),
        ("landmarks,id\n1 2,a\n", "the header id,landmarks was expected; mend the header"),
        ("id,landmarks\na,1 2\na,1 2\n", "line 3 of .* names a again; each photo once"),
        ("id,landmarks\na,1 0.5 2 0.4\n", "line 2 .* the cell '1 0.5 2 0.4'; .* one landmark"),
        ("id,landmarks\na,1\n", "the cell '1'; 'landmark_id score'"),
        ("id,landmarks\na,1 nan\n", "the cell '1 nan'"),
        ("id,landmarks\na,1 -inf\n", "the cell '1 -inf'"),
        ("id,landmarks\na,1 1e999\n", "the cell '1 1e999'"),
        ("id,landmarks\na,1 1_0\n", "the cell '1 1_0'"),
        ("id,landmarks\na,1 ١\n", "the cell '1 ١'"),
        (
            "id,landmarks\na\n",
            "line 2 .* has 1 field; a field for each of the 2 columns was expected",
        ),
        ("id,landmarks\na,1 2,\n", "line 2 .* has 3 fields"),
        ("id,landmarks\n,1 2\n", "line 2 .* has no id"),
        ("id,landmarks\n" + "a" * 201 + ",1 2\n", "an id of 1 to 200 printable letters"),
        ("id,landmarks\na\0,1 2\n", "has the id 'a.x00'|is no CSV"),
        ('id,landmarks\na,"1 2\n', "is no CSV near line 2: unexpected end of data"),
        ("id,landmarks\na," + "1" * 200_000 + "\n", "is no CSV near line 2: field larger"),
        ("id,landmarks\na,1 2\n".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read(tmp_path, content)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Submission.read(tmp_path / "none.csv")


@settings(database=None, deadline=None, max_examples=60)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_scores_come_back_as_the_very_same_numbers(
    tmp_path_factory: pytest.TempPathFactory, scores: list[float]
) -> None:
    path = tmp_path_factory.mktemp("exact") / "submission.csv"
    meant = Submission({f"i{i}": ContestAnswer("1", score) for i, score in enumerate(scores)})
    meant.write(path)
    assert Submission.read(path) == meant


def test_ids_with_commas_and_quotes_come_back(tmp_path: Path) -> None:
    meant = Submission({'a,"b" c': ContestAnswer('x,"y', 1e-5), "é": None})
    meant.write(tmp_path / "s.csv")
    assert Submission.read(tmp_path / "s.csv") == meant


def test_a_landmark_of_two_words_and_a_score_that_is_no_number_cannot_be_written() -> None:
    with pytest.raises(InputError, match="'old town' cannot stand in a contest file"):
        Submission({"a": ContestAnswer("old town", 1.0)})
    with pytest.raises(InputError, match="a has the score inf"):
        Submission({"a": ContestAnswer("1", math.inf)})


def test_unknown_and_missing_photos_are_told_together() -> None:
    wrong = r"1 photo that the list does not name \(first: b\) and 2 photos missing \(first: c\)"
    with pytest.raises(InputError, match=wrong):
        Submission({"a": None, "b": None}).require_photos(["a", "c", "d"], of="the list")
    Submission({"a": None}).require_photos(["a"], of="the list")


def test_a_test_list_keeps_its_order_and_names_each_photo_once(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_bytes(b'\xef\xbb\xbfurl,id\r\nu,b\r\nu,"a"\r\nu, b \r\n')
    assert AskedPhotos.read(tmp_path / "test.csv") == AskedPhotos(("b", "a"), 1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("image\na\n", "a header with the column id was expected"),
        ("id,id\na,b\n", "a header with the column id was expected"),
        ("id\n", "names no photo"),
        ("id,url\n,u\n", "line 2 .* has no id"),
    ],
)
def test_a_list_that_is_none_is_told(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "test.csv").write_text(content)
    with pytest.raises(InputError, match=words):
        AskedPhotos.read(tmp_path / "test.csv")


@pytest.mark.slow
def test_as_many_rows_as_the_contest_of_2019_are_read_in_bounded_time(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    rows = [f"{number:016x},{number % 203_094} {number}e-9\n" for number in range(117_577)]
    path.write_text("id,landmarks\n" + "".join(rows))
    started = time.process_time()
    assert len(Submission.read(path).answers) == 117_577
    # It takes about half a second; a bound that only another order of growth can break.
    assert time.process_time() - started < 30
