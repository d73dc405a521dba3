"""What a contest file scores: the published values, part by part, and ids that do not fit."""

from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.records.contest_scores import ContestTruth, read_truth
from cairn.records.submissions import ContestAnswer, Submission
from cairn.stages.score import score

FIRST_TRUTH = {
    "0123456789abcdef": "0 12", "0223456789abcdef": "100 200 300", "0323456789abcdef": "1",
    "0423456789abcdef": "", "0523456789abcdef": "",
}  # fmt: skip
FIRST = {
    "0123456789abcdef": None,
    "0223456789abcdef": ContestAnswer("0", 0.01),
    "0323456789abcdef": ContestAnswer("1", 10.0),
    "0423456789abcdef": ContestAnswer("150", 15.0),
    "0523456789abcdef": None,
}


def truth_of(shown: dict[str, str], usage: str = "Public") -> dict[str, ContestTruth]:
    return {image: ContestTruth(frozenset(ids.split()), usage) for image, ids in shown.items()}


def test_the_first_published_example_has_its_gap_and_top_1() -> None:
    (part,) = score(Submission(FIRST), truth_of(FIRST_TRUTH)).parts
    assert (part.usage, part.n_photos, part.n_with_landmark, part.n_answered) == ("Public", 5, 3, 3)
    assert part.gap == pytest.approx(0.166667, abs=1e-6)
    assert part.top_1 == pytest.approx(1 / 3)


def test_of_equal_scores_the_smaller_image_id_goes_first() -> None:
    for none, gap in (("b", 1.0), ("0", 0.5)):
        answers = {"a": ContestAnswer("1", 0.3), none: ContestAnswer("9", 0.3)}
        (part,) = score(Submission(answers), truth_of({"a": "1", none: ""})).parts
        assert part.gap == gap


def test_parts_are_scored_apart_and_ignored_photos_nowhere() -> None:
    truth = {
        **truth_of({"a": "1"}), **truth_of({"b": "2 3", "c": ""}, "Private"),
        **truth_of({"d": "None"}, "Ignored"),
    }  # fmt: skip
    answers = {
        "a": ContestAnswer("7", 9.0), "b": ContestAnswer("3", 1.0), "c": ContestAnswer("3", 2.0),
        "d": ContestAnswer("3", 99.0),
    }  # fmt: skip
    found = score(Submission(answers), truth)
    assert [(p.usage, p.gap, p.top_1) for p in found.parts] == [
        ("Public", 0.0, 0.0),
        ("Private", 0.5, 1.0),
    ]
    assert sum(p.n_photos for p in found.parts) + found.n_ignored == len(truth)


def test_a_part_without_landmarks_has_no_gap_and_a_truth_without_any_is_told() -> None:
    empty = {"a": None, "b": None}
    both = {**truth_of({"a": "1"}), **truth_of({"b": ""}, "Private")}
    assert [p.gap for p in score(Submission(empty), both).parts] == [0.0, None]
    with pytest.raises(InputError, match="none of the 2 photos that the truth scores"):
        score(Submission(empty), truth_of({"a": "", "b": ""}))


def test_photos_that_do_not_fit_the_truth_are_told() -> None:
    with pytest.raises(InputError, match=r"that the truth does not name .* 1 photo missing"):
        score(Submission({"x": None}), truth_of({"a": "1"}))


def test_the_published_list_is_read_whatever_its_ends_and_quotes(tmp_path: Path) -> None:
    path = tmp_path / "truth.csv"
    path.write_bytes(
        b'\xef\xbb\xbfid,landmarks,Usage\r\na,"1 2",Private\r\nb,,Public\r\nc,None,Ignored\r\n'
    )
    assert read_truth(path) == {
        "a": ContestTruth(frozenset({"1", "2"}), "Private"),
        "b": ContestTruth(frozenset(), "Public"),
        "c": ContestTruth(frozenset({"None"}), "Ignored"),
    }


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("", "has no rows"),
        ("a,1,public\n", "line 2 .* the Usage 'public'; Public, Private or Ignored was expected"),
        ("a,1,Public\na,1,Public\n", "line 3 .* names a again"),
        ("a,None,Public\n", "line 2 .* says 'None'"),
    ],
)
def test_what_is_wrong_in_a_truth_is_told(tmp_path: Path, rows: str, words: str) -> None:
    (tmp_path / "truth.csv").write_text("id,landmarks,Usage\n" + rows)
    with pytest.raises(InputError, match=words):
        read_truth(tmp_path / "truth.csv")
