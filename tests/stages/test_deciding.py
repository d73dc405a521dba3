import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.records.decisions import Decisions
from cairn.records.findings import (
    BLANK,
    BLURRED,
    COPY_ACROSS,
    DRAWING,
    EXACT_COPY,
    KINDS,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.verdicts import BAD, KEEP, UNSURE, WRONG, Verdict
from cairn.stages.deciding import TOO_FEW, UNVERIFIED, Decided, decide
from cairn.stages.policies import CAREFUL, GLD_CLEAN, POLICIES, THOROUGH, VERDICTS, policy_named
from tests.cleaning import finding, said, verdict

Row = dict[str, object]


def images(*truths: list[str] | None) -> pl.DataFrame:
    """Images `i0` on, one for each truth."""
    return pl.DataFrame(
        {"image_id": [f"i{row}" for row in range(len(truths))], "landmark_ids": list(truths)},
        schema={"image_id": pl.String, "landmark_ids": pl.List(pl.String)},
    )


def decided(
    made: pl.DataFrame, rows: list[Row], *verdicts: Verdict, policy: str = "careful",
    verified: list[int] | None = None,
) -> Decided:  # fmt: skip
    support = None
    if verified is not None:
        support = made.select("image_id", pl.Series("n_verified", verified, pl.Int32))
    return decide(
        made, Findings.of(rows), said(*verdicts), policy=policy_named(policy), support=support
    )


def causes(decisions: Decisions) -> dict[str, str]:
    return dict(decisions.table.drop_nulls("excluded").select("image_id", "excluded").iter_rows())


def shown(decisions: Decisions) -> dict[str, list[str]]:
    told = decisions.table.drop_nulls("landmark_ids")
    return dict(told.select("image_id", "landmark_ids").iter_rows())


FOUR = images(["a"], ["a"], ["a"], ["b"])
EACH_KIND = [
    finding(kind, "i0", "i1" if "copy" in kind else None, suggested=["c"]) for kind in KINDS
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_a_policy_does_what_its_data_says_about_each_kind(policy: str, kind: str) -> None:
    rows = [row for row in EACH_KIND if row["kind"] == kind]
    found = decided(FOUR, rows, policy=policy, verified=[2, 2, 2, 2]).decisions
    alone = {"i3": TOO_FEW} if policy == "gld-clean" else {}
    plan = POLICIES[policy]
    assert causes(found) == ({"i0": kind} if kind in plan.excludes else {}) | alone
    assert shown(found) == ({"i0": ["c"]} if kind in plan.believes else {})


def test_what_scrub_is_not_sure_of_is_left_to_people() -> None:
    rows = [finding(BLANK, "i0", is_sure=False), finding(NEAR_COPY, "i1", "i0", is_sure=False)]
    assert len(decided(FOUR, rows, policy="thorough").decisions) == 0


def test_each_decision_has_its_cause_its_sentence_and_what_was_shown_before() -> None:
    rows = [finding(BLANK, "i2"), finding(NO_LANDMARK, "i0", suggested=[])]
    found = decided(FOUR, rows, policy="thorough").decisions
    assert found.table.rows() == [
        ("i0", None, [], ["a"], "policy thorough: looks like no landmark", "policy"),
        ("i2", BLANK, None, None, "policy thorough: looks like blank", "policy"),
    ]


def test_of_several_causes_the_first_kind_counts() -> None:
    rows = [finding(BLURRED, "i0"), finding(BLANK, "i0"), finding(NEAR_COPY, "i0", "i1")]
    assert causes(decided(FOUR, rows).decisions) == {"i0": BLURRED}


def test_copies_of_every_kind_go_for_the_one_that_stays() -> None:
    rows = [
        finding(EXACT_COPY, "i0", "i2"), finding(NEAR_COPY, "i1", "i2"),
        finding(COPY_ACROSS, "i2", "i3"),
    ]  # fmt: skip
    found = decided(FOUR, rows)
    assert causes(found.decisions) == {"i0": EXACT_COPY, "i1": NEAR_COPY}
    assert found.n_left == 1
    same = images(["a"], ["a"], ["a"], ["a"])
    assert causes(decided(same, rows).decisions) == {
        "i0": EXACT_COPY, "i1": NEAR_COPY, "i2": COPY_ACROSS,
    }  # fmt: skip


def test_a_copy_stays_where_the_other_is_blank_or_said_to_be_bad() -> None:
    copy = finding(NEAR_COPY, "i0", "i1")
    assert causes(decided(FOUR, [copy, finding(BLANK, "i1")]).decisions) == {"i1": BLANK}
    bad = decided(FOUR, [copy, finding(DRAWING, "i1")], verdict((DRAWING, "i1"), BAD))
    assert causes(bad.decisions) == {"i1": DRAWING}


def test_verdicts_beat_findings() -> None:
    rows = [finding(BLANK, "i0"), finding(WRONG_LANDMARK, "i1", suggested=["b"])]
    kept = decided(
        FOUR, rows, verdict((BLANK, "i0"), KEEP),
        verdict((WRONG_LANDMARK, "i1"), WRONG, ["c"]), policy="thorough",
    )  # fmt: skip
    assert causes(kept.decisions) == {}
    assert shown(kept.decisions) == {"i1": ["c"]}
    assert kept.n_protected == 1


def test_a_copy_goes_by_what_people_say_that_both_show() -> None:
    rows = [finding(NEAR_COPY, "i3", "i0"), finding(WRONG_LANDMARK, "i0")]
    assert causes(decided(FOUR, rows).decisions) == {}
    told = decided(FOUR, rows, verdict((WRONG_LANDMARK, "i0"), WRONG, ["b"]))
    assert causes(told.decisions) == {"i3": NEAR_COPY}


def test_disputed_and_unsure_findings_decide_nothing_though_others_of_the_image_do() -> None:
    rows = [finding(BLANK, "i0"), finding(BLURRED, "i1"), finding(BLANK, "i1")]
    found = decided(
        FOUR, rows, verdict((BLANK, "i0"), KEEP), verdict((BLANK, "i0"), BAD, reviewer="Bob"),
        verdict((BLURRED, "i1"), UNSURE),
    )  # fmt: skip
    assert causes(found.decisions) == {"i1": BLANK}
    assert found.n_disputed == 1


def test_sure_findings_that_contradict_each_other_are_left_to_people() -> None:
    rows = [
        finding(WRONG_LANDMARK, "i0", suggested=["b"]), finding(NO_LANDMARK, "i0", suggested=[]),
        finding(SEVERAL_LANDMARKS, "i1", suggested=["a", "b"]),
        finding(WRONG_LANDMARK, "i1", suggested=["b", "a"]),
    ]  # fmt: skip
    found = decided(FOUR, rows, policy="thorough")
    assert shown(found.decisions) == {"i1": ["b", "a"]}
    assert found.n_left == 1


def test_a_suggestion_that_is_the_truth_already_is_no_decision() -> None:
    rows = [finding(WRONG_LANDMARK, "i0", suggested=["a"])]
    assert len(decided(FOUR, rows, policy="thorough").decisions) == 0


def test_the_clean_rule_drops_what_nobody_verifies_and_then_landmarks_with_too_few() -> None:
    made = images(["a"], ["a"], ["a"], ["b"], ["b"], [], None)
    found = decided(made, [], policy="gld-clean", verified=[2, 2, 1, 2, 0, 0, 0]).decisions
    assert causes(found) == {"i2": UNVERIFIED, "i3": TOO_FEW, "i4": UNVERIFIED}
    because = dict(found.table.select("image_id", "because").iter_rows())
    assert because["i2"].endswith("as 1 other images of its landmark, at least 2 were expected")
    assert because["i3"].endswith("fewer than 2 images of its landmark are left")


def test_the_clean_rule_leaves_what_people_said_and_counts_it() -> None:
    made = images(["a"], ["a"], ["b"])
    told = (verdict((BLANK, "i1"), KEEP), verdict((WRONG_LANDMARK, "i2"), WRONG, ["a"]))
    found = decided(made, [], *told, policy="gld-clean", verified=[0, 0, 0]).decisions
    assert causes(found) == {"i0": UNVERIFIED}
    assert shown(found) == {"i2": ["a"]}


def slow_clean_rule(truths: list[list[str] | None], verified: list[int]) -> dict[str, str]:
    """GLD v2's rule in loops: enough verified images, then enough images of the landmark."""
    gone = {
        f"i{row}": UNVERIFIED
        for row, truth in enumerate(truths)
        if truth and verified[row] < GLD_CLEAN.least_verified
    }
    staying = [row for row, truth in enumerate(truths) if truth and f"i{row}" not in gone]
    for row in staying:
        mains = [(truths[other] or [""])[0] for other in staying]
        if mains.count((truths[row] or [""])[0]) < GLD_CLEAN.least_images:
            gone[f"i{row}"] = TOO_FEW
    return gone


@pytest.mark.parametrize("seed", range(8))
def test_the_clean_rule_is_that_of_the_slow_twin(seed: int) -> None:
    import random

    rng = random.Random(seed)
    truths = [rng.choice([None, [], ["a"], ["b"], ["c"], ["b", "a"]]) for _ in range(9)]
    verified = [rng.choice([0, 1, 2]) for _ in truths]
    found = decided(images(*truths), [], policy="gld-clean", verified=verified).decisions
    assert causes(found) == slow_clean_rule(truths, verified)


def test_findings_and_verdicts_about_images_that_are_not_there_count_for_nothing() -> None:
    rows = [finding(BLANK, "gone"), finding(NEAR_COPY, "i0", "gone")]
    found = decided(FOUR, rows, verdict((BLANK, "gone"), BAD))
    assert len(found.decisions) == 0


def test_nothing_found_and_nothing_said_decides_nothing() -> None:
    for policy in (CAREFUL, THOROUGH, VERDICTS):
        assert len(decided(images(), [], policy=policy.name).decisions) == 0


def test_a_policy_that_asks_for_verified_images_needs_their_number() -> None:
    with pytest.raises(InputError, match="came without the number of verified images"):
        decided(FOUR, [], policy="gld-clean")


def test_an_unknown_policy_is_told_with_the_nearest() -> None:
    with pytest.raises(
        InputError, match="no policy carefull \\(did you mean careful\\?\\); one of none"
    ):
        policy_named("carefull")
