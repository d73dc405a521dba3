"""Copies by scrub and by people: what they agree about goes before what was found."""

from cairn.records.findings import BLURRED, COPY_ACROSS, NEAR_COPY, Findings
from cairn.records.verdicts import BAD, COPY, KEEP, UNSURE
from cairn.stages.told_copies import ToldCopies, told_copies
from tests.cleaning import finding, said, verdict

SURE, UNSURE_PAIR = ("i1", "i0"), ("i3", "i2")
FOUND = Findings.of(
    [
        finding(NEAR_COPY, *SURE),
        finding(COPY_ACROSS, *SURE),
        finding(NEAR_COPY, *UNSURE_PAIR, is_sure=False),
        finding(BLURRED, "i4"),
    ]
)
NEAR, ACROSS = (NEAR_COPY, *SURE), (COPY_ACROSS, *SURE)
PAIR, OTHER = ("i0", "i1"), ("i2", "i3")


def test_without_verdicts_sure_copies_are_copies() -> None:
    assert told_copies(FOUND, said()) == ToldCopies([PAIR], [], heard=False)


def test_what_people_keep_is_apart_and_what_they_call_a_copy_is_one() -> None:
    told = told_copies(FOUND, said(verdict(NEAR, KEEP), verdict((NEAR_COPY, *UNSURE_PAIR), COPY)))
    assert told == ToldCopies([OTHER], [PAIR], heard=True)


def test_of_two_findings_about_a_pair_a_copy_counts_more() -> None:
    told = told_copies(FOUND, said(verdict(NEAR, KEEP), verdict(ACROSS, COPY)))
    assert told == ToldCopies([PAIR], [], heard=False)


def test_what_people_differ_about_or_do_not_know_stays_as_found() -> None:
    for votes in (
        (verdict(NEAR, KEEP), verdict(NEAR, COPY, reviewer="Ben")),
        (verdict(NEAR, UNSURE),),
        (verdict(NEAR, BAD), verdict((BLURRED, "i4"), KEEP)),
    ):
        assert told_copies(FOUND, said(*votes)) == ToldCopies([PAIR], [], heard=False)
