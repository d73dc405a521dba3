from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.stages.gld.attribution import NOBODY, Attribution, Credit, attribution_of

IDS = [f"{n:016x}" for n in (7, 0, 3)]
LIST = (
    "id,url,author,license,title\n"
    f'{IDS[0]},http://x/1.jpg,"Ann, of ""X""",https://cc/by/4.0,File:1.jpg\n'
    f"{IDS[1]},http://x/2.jpg,Bö,https://cc/by/3.0,\n"
    f"{IDS[2]},http://x/3.jpg,Cy,too,many,commas\n"
)


@pytest.fixture
def credits_of(tmp_path: Path) -> Attribution:
    (tmp_path / "a.csv").write_text(LIST)
    return attribution_of(tmp_path / "a.csv")


def test_a_credit_is_found_by_id(credits_of: Attribution) -> None:
    with credits_of:
        assert credits_of.of(IDS[0]) == ('Ann, of "X"', "https://cc/by/4.0", "File:1.jpg")
        assert credits_of.of(IDS[1]) == Credit("Bö", "https://cc/by/3.0", None)
        assert len(credits_of) == 3


def test_a_row_that_could_be_read_in_two_ways_says_nothing(credits_of: Attribution) -> None:
    with credits_of:
        assert credits_of.of(IDS[2]) == NOBODY


def test_many_at_once_are_the_same_as_one_by_one(credits_of: Attribution) -> None:
    asked = [*IDS, "f" * 16, "no id", IDS[0]]
    with credits_of:
        assert credits_of.of_all(asked) == [credits_of.of(image_id) for image_id in asked]
        assert credits_of.of_all([]) == []


def test_a_list_with_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,author\n")
    with pytest.raises(InputError, match="the columns id,url,author,license,title were expected"):
        attribution_of(tmp_path / "a.csv")
