"""The stage that answers a contest: every photo once, in order; photos found by their ids."""

from pathlib import Path

import pytest

from cairn.base.settings import SubmitSettings
from cairn.records.submissions import ContestAnswer
from cairn.stages.submit import UNREADABLE, Answered, PhotoAnswer, photo_path, submit
from tests.watching import Memory

SCORES = {"a": 3.0, "b": 1.0, "c": 2.0}


def ask(image_id: str) -> PhotoAnswer:
    if image_id not in SCORES:
        return PhotoAnswer(image_id, None, UNREADABLE, "no photo")
    landmark_id = "often" if image_id in "ab" else "once"
    return PhotoAnswer(image_id, ContestAnswer(landmark_id, SCORES[image_id]))


def submitted(*image_ids: str, transductive: bool = False, watch: Memory | None = None) -> Answered:
    return submit(
        image_ids, ask=ask, known={"k": ContestAnswer("once", 9.0)}, keep=lambda found: None,
        settings=SubmitSettings(transductive=transductive), watch=watch or Memory(),
    )  # fmt: skip


def test_each_photo_has_its_row_in_order_and_what_is_known_is_not_asked_again() -> None:
    watch = Memory()
    found = submitted("c", "bad", "k", "a", watch=watch)
    assert list(found.submission.answers) == ["c", "bad", "k", "a"]
    assert found.submission.answers["k"] == ContestAnswer("once", 9.0)
    assert found.submission.answers["bad"] is None
    assert [(one.image_id, one.cause) for one in found.unanswered] == [("bad", UNREADABLE)]
    assert watch.steps == {"recognise photos": 3}


def test_the_transductive_rule_is_off_unless_asked_for_and_changes_scores_alone() -> None:
    plain = submitted("a", "b", "c", "bad").submission.answers
    lowered = submitted("a", "b", "c", "bad", transductive=True).submission.answers
    assert [one and one.score for one in plain.values()] == [3.0, 1.0, 2.0, None]
    assert [one and one.landmark_id for one in lowered.values()] == [
        one and one.landmark_id for one in plain.values()
    ]
    assert [one and round(one.score, 4) for one in lowered.values()] == [2.3069, 0.3069, 2.0, None]


@pytest.mark.parametrize("place", ["abcdef.jpg", "a/b/c/abcdef.jpg", "abcdef.png"])
def test_a_photo_is_found_by_its_id(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(b"")
    assert photo_path(tmp_path, "abcdef") == tmp_path / place
    assert photo_path(tmp_path, "abcde") is None


@pytest.mark.parametrize("image_id", ["../x", "/x", "..\\x", "..", ".", "é" * 200, "..x", "C:x"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, image_id: str) -> None:
    (tmp_path / "x.jpg").write_bytes(b"")
    (tmp_path / "in").mkdir()
    assert photo_path(tmp_path / "in", image_id) is None
