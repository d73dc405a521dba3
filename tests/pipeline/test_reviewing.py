from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import ReviewSettings
from cairn.pipeline.review_audit import NO_FINDING
from cairn.pipeline.review_rows import ROW_KINDS, folded
from cairn.pipeline.reviewing import Desk, open_desk, reviewer_name
from cairn.records.catalog import Catalog
from cairn.records.findings import (
    BLURRED,
    EXACT_COPY,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.verdict_events import Reversed
from cairn.records.verdicts import BAD, COPY, KEEP, SEVERAL, WRONG, read_verdicts
from cairn.records.verdicts import NO_LANDMARK as NONE
from tests.reviews import image_id, review_work

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return review_work(tmp_path / "work")


@pytest.fixture
def desk(work: Path) -> Desk:
    return open_desk(work, ReviewSettings(audit=4))


def rows_of(desk: Desk, kind: str) -> list[int]:
    return [row for row, found in enumerate(desk.rows.table["kind"]) if found == kind]


def decide(
    desk: Desk, reviewer: str, row: int, verdict: str, landmark_ids: list[str] | None = None
) -> None:
    event_id = f"e{desk.n_events(reviewer)}"
    ids = [desk.rows.finding_ids[row]]
    event, gone = desk.decided(ids, verdict, landmark_ids, event_id=event_id, at=NOW)
    assert event is not None
    assert not gone
    desk.record(reviewer, [event])


def test_every_finding_has_a_row_and_a_sample_of_the_rest_is_audited(desk: Desk) -> None:
    assert (desk.rows.n_open, desk.rows.n_sure, desk.rows.n_clear) == (15, 3, 18)
    assert len(desk.rows) == 18 + 4
    assert len(rows_of(desk, NO_FINDING)) == 4
    assert len(desk.rows.audited(clear=False)) == 3


def test_a_larger_audit_keeps_the_smaller_one(work: Path) -> None:
    few, many = (open_desk(work, ReviewSettings(audit=n)).rows for n in (4, 9))
    assert few.audited(clear=True).keys() < many.audited(clear=True).keys()


def test_pages_of_columns_join_to_the_whole(desk: Desk) -> None:
    whole, first, second = (
        desk.rows.columns(0, 1000),
        desk.rows.columns(0, 7),
        desk.rows.columns(7, 1000),
    )
    assert whole["ids"] == [*first["ids"], *second["ids"]] == desk.rows.finding_ids
    assert [ROW_KINDS[kind] for kind in whole["kinds"]] == desk.rows.table["kind"].to_list()
    assert whole["groups"] == [*first["groups"], *second["groups"]]


def test_copies_of_one_image_are_a_group_and_so_is_what_is_of_one_landmark(desk: Desk) -> None:
    groups = dict(zip(desk.rows.finding_ids, desk.rows.columns(0, 100)["groups"], strict=True))
    table = desk.rows.table
    copies = table.filter(pl.col("evidence").list.first() == image_id("belfry", 5))["finding_id"]
    others = table.filter(
        (pl.col("landmark_ids").list.first() == "belfry")
        & ~pl.col("finding_id").is_in(copies.implode())
    )
    assert len({groups[finding] for finding in copies}) == 1
    assert len({groups[finding] for finding in others["finding_id"]}) == 1


@pytest.mark.parametrize(
    ("kind", "verdict", "given", "held"),
    [
        (NEAR_COPY, COPY, None, None),
        (NO_LANDMARK, NONE, None, ()),
        (WRONG_LANDMARK, WRONG, None, ("belfry",)),
        (WRONG_LANDMARK, WRONG, ["citadel"], ("citadel",)),
        (WRONG_LANDMARK, WRONG, [], None),
        (SEVERAL_LANDMARKS, SEVERAL, None, ("aqueduct", "belfry")),
        (SEVERAL_LANDMARKS, SEVERAL, ["citadel", "belfry"], ("citadel", "belfry")),
        (BLURRED, SEVERAL, None, None),
    ],
)
def test_a_verdict_takes_the_landmarks_given_else_those_suggested(
    desk: Desk,
    work: Path,
    kind: str,
    verdict: str,
    given: list[str] | None,
    held: tuple[str, ...] | None,
) -> None:
    row = rows_of(desk, kind)[0]
    decide(desk, "anna", row, verdict, given)
    found = read_verdicts(work / "verdicts").by_reviewer["anna"][desk.rows.finding_ids[row]]
    assert (found.verdict, found.landmark_ids, found.image_id) == (
        verdict,
        held,
        desk.rows.image_ids[row],
    )


def test_an_unknown_landmark_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="there is no landmark 'atlantis'"):
        decide(desk, "anna", 0, WRONG, ["atlantis"])


def test_findings_that_are_no_longer_there_are_left_out(desk: Desk) -> None:
    event, gone = desk.decided(["nothing"], KEEP, None, event_id="e", at=NOW)
    assert event is None
    assert gone == ["nothing"]


def test_others_verdicts_are_told_after_ones_own_or_where_they_are_disputed(desk: Desk) -> None:
    decide(desk, "anna", 0, KEEP)
    decide(desk, "ben", 0, BAD)
    decide(desk, "ben", 1, BAD)
    seen = desk.opinions("cleo", [0, 1], of_disputed=False)
    assert seen == [[], []]
    disputed = desk.opinions("cleo", [0, 1], of_disputed=True)
    assert [[v.reviewer for v in of_row] for of_row in disputed] == [["anna", "ben"], []]
    decide(desk, "cleo", 1, KEEP)
    assert [v.reviewer for v in desk.opinions("cleo", [1], of_disputed=False)[0]] == ["cleo", "ben"]


def test_the_standing_counts_disputes_and_the_audit(desk: Desk) -> None:
    clear = rows_of(desk, NO_FINDING)
    for row in clear[:3]:
        decide(desk, "anna", row, KEEP)
    decide(desk, "anna", clear[3], BAD)
    decide(desk, "anna", 0, KEEP)
    decide(desk, "ben", 0, COPY)
    standing = desk.standing()
    assert standing.n_decided == {"anna": 5, "ben": 1}
    assert (standing.disputed, standing.agreement) == ((0,), 0.0)
    accepted, of_copies, of_clear = standing.audits
    assert (accepted.kind, of_copies.kind, of_clear.kind) == ("", EXACT_COPY, "")
    assert (accepted.n_decided, accepted.low) == (0, None)
    assert (of_clear.n_all, of_clear.n_sample, of_clear.n_decided, of_clear.n_wrong) == (
        18,
        4,
        4,
        1,
    )
    assert of_clear.low == pytest.approx(0.0456, abs=1e-3)
    assert of_clear.high == pytest.approx(0.6994, abs=1e-3)


def test_duplicates_of_the_same_bytes_are_not_audited(work: Path) -> None:
    rows = Catalog.read(work / "catalog.parquet").table
    is_twin = pl.col("image_id") == image_id("citadel", 6)
    Catalog(
        rows.with_columns(
            status=pl.when(is_twin).then(pl.lit("duplicate")).otherwise("status"),
            twin_id=pl.when(is_twin).then(pl.lit(image_id("citadel", 5))),
        )
    ).write(work / "catalog.parquet")
    desk = open_desk(work, ReviewSettings())
    assert (desk.rows.n_sure, desk.rows.n_accepted) == (3, {EXACT_COPY: 2})
    accepted = desk.standing().audits[0]
    assert (accepted.n_all, accepted.n_sample) == (2, 2)


def test_another_process_is_followed_and_its_journal_is_not_written(desk: Desk, work: Path) -> None:
    other = open_desk(work, ReviewSettings(audit=4))
    decide(other, "ben", 0, BAD)
    assert desk.standing().n_decided == {"ben": 1}
    with pytest.raises(InputError, match="another cairn review writes down what ben decides"):
        decide(desk, "ben", 1, BAD)
    other.close()
    event = other.events("ben", 0, 10)[0]
    desk.record("ben", [Reversed(event="undo", id="u", at=NOW, of=event.id)])
    assert desk.standing().n_decided == {"ben": 0}


def test_findings_about_images_that_have_gone_are_counted(work: Path) -> None:
    found = Findings.read(work / "findings.parquet").table.to_dicts()
    Findings.of(
        [*found, {"kind": BLURRED, "image_id": "gone", "score": 1.0, "is_sure": False}]
    ).write(work / "findings.parquet")
    desk = open_desk(work, ReviewSettings())
    assert desk.rows.n_gone == 1
    assert "gone" not in desk.rows.image_ids


def test_landmarks_are_found_by_parts_of_their_names_without_accents(desk: Desk) -> None:
    assert [found.landmark_id for found in desk.rows.found("brunn")] == ["belfry"]
    assert [found.landmark_id for found in desk.rows.found("OLD aq")] == ["aqueduct"]
    assert {found.landmark_id for found in desk.rows.found("")} == {"aqueduct", "belfry", "citadel"}
    assert desk.rows.found("nowhere") == []
    assert folded("Château_d'If") == "chateau d'if"


def test_typical_photos_are_those_without_finding(desk: Desk) -> None:
    typical = desk.rows.typical("citadel")
    assert typical
    assert set(typical) <= {image_id("citadel", number) for number in range(5, 12)} - {
        image_id("citadel", 6)
    }


def test_without_findings_the_command_to_run_is_told(work: Path) -> None:
    (work / "findings.parquet").unlink()
    with pytest.raises(InputError, match="run: cairn scrub"):
        open_desk(work, ReviewSettings())


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b"])
def test_a_name_that_cannot_be_printed_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="is no reviewer's name"):
        reviewer_name(name)


def test_a_name_is_the_same_however_it_was_typed() -> None:
    assert reviewer_name("  Ju\u0308rgen   M ") == "Jürgen M"
