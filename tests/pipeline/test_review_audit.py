"""The audit: what counts as saying otherwise, and the intervals of kinds."""

import pytest

from cairn.pipeline.review_audit import AGREEING, NO_FINDING, Accepted, audit_of, says_otherwise
from cairn.records.findings import (
    BLURRED,
    KINDS,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    TWO_LANDMARKS,
    WRONG_LANDMARK,
)
from cairn.records.verdicts import BAD, COPY, KEEP, SEVERAL, UNSURE, WRONG
from cairn.records.verdicts import NO_LANDMARK as NONE
from tests.cleaning import verdict


@pytest.mark.parametrize(
    ("accepted", "word", "named", "is_otherwise"),
    [
        (Accepted(WRONG_LANDMARK, ("a", "b")), WRONG, ["a"], False),
        (Accepted(WRONG_LANDMARK, ("a",)), WRONG, ["b"], True),
        (Accepted(WRONG_LANDMARK, ("a",)), WRONG, None, True),
        (Accepted(WRONG_LANDMARK, ("a",)), NONE, [], True),
        (Accepted(WRONG_LANDMARK, ("a",)), KEEP, None, True),
        (Accepted(NO_LANDMARK), NONE, [], False),
        (Accepted(NO_LANDMARK), WRONG, ["a"], True),
        (Accepted(SEVERAL_LANDMARKS, ("a", "b")), SEVERAL, ["b", "a"], False),
        (Accepted(SEVERAL_LANDMARKS, ("a", "b")), SEVERAL, None, False),
        (Accepted(SEVERAL_LANDMARKS, ("a", "b")), SEVERAL, ["a", "c"], True),
        (Accepted(NEAR_COPY), COPY, None, False),
        (Accepted(NEAR_COPY), BAD, None, True),
        (Accepted(BLURRED), BAD, None, False),
        (Accepted(NO_FINDING), KEEP, None, False),
        (Accepted(NO_FINDING), WRONG, ["a"], True),
    ],
)
def test_other_words_and_other_landmarks_are_otherwise(
    accepted: Accepted, word: str, named: list[str] | None, is_otherwise: bool
) -> None:
    held = verdict((accepted.kind, "i0"), word, named)
    assert says_otherwise(accepted, held) == is_otherwise


def test_every_kind_but_one_that_is_never_sure_has_a_verdict_that_agrees() -> None:
    assert {*KINDS, NO_FINDING} - AGREEING.keys() == {TWO_LANDMARKS}


def test_unsure_and_disputed_ones_are_not_counted_and_the_interval_is_wilsons() -> None:
    told = [
        verdict((NEAR_COPY, f"i{n}"), word) for n, word in enumerate((COPY, KEEP, UNSURE, COPY))
    ]
    held = {one.finding_id: one for one in told}
    other = verdict((NEAR_COPY, "i3"), KEEP, reviewer="Ben")
    sample = dict.fromkeys(held, Accepted(NEAR_COPY))
    audit = audit_of("accepted", NEAR_COPY, 9, sample, [held, {other.finding_id: other}])
    assert (audit.n_all, audit.n_sample, audit.n_decided, audit.n_wrong) == (9, 4, 2, 1)
    assert audit.low == pytest.approx(0.0945, abs=1e-3)
    assert audit.high == pytest.approx(0.9055, abs=1e-3)
