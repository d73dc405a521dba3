import polars as pl
import pytest

from cairn.records.findings import (
    BLURRED,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.verdicts import BAD, COPY, KEEP, SEVERAL, UNSURE, WRONG, Verdict
from cairn.records.verdicts import NO_LANDMARK as SHOWS_NONE
from cairn.stages.hearing import Heard, hear
from tests.cleaning import finding, said, verdict

IMAGES = pl.DataFrame(
    {"image_id": ["i0", "i1"], "landmark_ids": [["a"], None]},
    schema={"image_id": pl.String, "landmark_ids": pl.List(pl.String)},
)
FINDINGS = Findings.of(
    [
        finding(NEAR_COPY, "i0", "i1"),
        finding(BLURRED, "i0"),
        finding(WRONG_LANDMARK, "i0", suggested=["b"]),
        finding(SEVERAL_LANDMARKS, "i0", suggested=["a", "b"]),
        finding(NO_LANDMARK, "i0", suggested=[]),
    ]
)
DOUBT, BLUR, COPIED = (WRONG_LANDMARK, "i0"), (BLURRED, "i0"), (NEAR_COPY, "i0", "i1")


def heard(*verdicts: Verdict) -> Heard:
    return hear(said(*verdicts), FINDINGS, IMAGES)


@pytest.mark.parametrize(
    ("told", "excluded", "shown", "because"),
    [
        (verdict(COPIED, COPY), NEAR_COPY, None, "Ann said: copy"),
        (verdict(DOUBT, COPY), "copy", None, "Ann said: copy"),
        (verdict(BLUR, BAD), BLURRED, None, "Ann said: bad"),
        (verdict(DOUBT, BAD), "bad", None, "Ann said: bad"),
        (verdict(DOUBT, WRONG), WRONG_LANDMARK, None, "Ann said: wrong"),
        (verdict(DOUBT, WRONG, ["b"]), None, ["b"], "Ann said that it shows b"),
        (verdict(DOUBT, SHOWS_NONE, []), None, [], "Ann said that it shows no landmark"),
        (verdict(DOUBT, SEVERAL, ["b", "a"]), None, ["b", "a"], "Ann said that it shows b and a"),
        (
            verdict((SEVERAL_LANDMARKS, "i0"), SEVERAL), None, ["a", "b"],
            "Ann said that it shows a and b",
        ),
    ],
)  # fmt: skip
def test_each_verdict_does_what_it_says(
    told: Verdict, excluded: str | None, shown: list[str] | None, because: str
) -> None:
    found = heard(told)
    assert found.rows.rows() == [("i0", excluded, shown, because, "Ann")]
    assert found.image_ids == {"i0"}
    assert (found.n_disputed, found.n_protected) == (0, 0)


def test_keep_protects_and_is_no_decision() -> None:
    found = heard(verdict(BLUR, KEEP))
    assert (len(found.rows), set(found.image_ids), found.n_protected) == (0, {"i0"}, 1)


def test_a_verdict_that_says_what_the_catalog_says_protects() -> None:
    found = heard(verdict(DOUBT, WRONG, ["a"]))
    assert (len(found.rows), found.n_protected) == (0, 1)


def test_unsure_and_several_without_names_decide_nothing_and_stay_open() -> None:
    found = heard(verdict(DOUBT, UNSURE), verdict(BLUR, SEVERAL))
    assert (len(found.rows), set(found.image_ids), len(found.open_findings)) == (0, set(), 2)


def test_reviewers_who_differ_decide_nothing_and_are_counted() -> None:
    found = heard(verdict(DOUBT, WRONG, ["b"]), verdict(DOUBT, KEEP, reviewer="Bob"))
    assert (len(found.rows), set(found.image_ids), found.n_disputed) == (0, set(), 1)
    assert found.open_findings == {verdict(DOUBT, KEEP).finding_id}


def test_reviewers_who_agree_are_both_named() -> None:
    found = heard(verdict(DOUBT, WRONG, ["b"]), verdict(DOUBT, WRONG, ["b"], reviewer="Bob"))
    assert found.rows.row(0, named=True)["by"] == "Ann, Bob"


def test_verdicts_about_several_findings_of_one_image_are_joined() -> None:
    found = heard(verdict(DOUBT, WRONG, ["b"]), verdict(COPIED, COPY), verdict(BLUR, KEEP))
    row = found.rows.row(0, named=True)
    assert (row["excluded"], row["landmark_ids"]) == (NEAR_COPY, ["b"])
    assert row["because"] == "Ann said: copy; Ann said that it shows b"


def test_an_image_that_is_said_to_show_different_things_is_disputed() -> None:
    found = heard(verdict(DOUBT, WRONG, ["b"]), verdict(BLUR, SHOWS_NONE, []))
    assert (len(found.rows), set(found.image_ids), found.n_disputed) == (0, {"i0"}, 1)


def test_the_first_truth_of_an_unlabelled_image_is_a_change() -> None:
    found = heard(verdict((WRONG_LANDMARK, "i1"), WRONG, ["b"]))
    assert found.rows["landmark_ids"].to_list() == [["b"]]


def test_a_verdict_about_an_image_that_is_not_kept_counts_for_nothing() -> None:
    found = heard(verdict((BLURRED, "gone"), BAD))
    assert (len(found.rows), set(found.image_ids)) == (0, set())
