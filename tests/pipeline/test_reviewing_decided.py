"""Review after a policy was applied: what images showed before, and what is decided about them now."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cairn.base.settings import ReviewSettings
from cairn.pipeline.decided_now import CurrentDecisions, DecidedNow
from cairn.pipeline.deciding import apply
from cairn.pipeline.reviewing import Desk, open_desk
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.findings import EXACT_COPY, WRONG_LANDMARK
from cairn.records.verdicts import WRONG
from tests.reviews import image_id, review_work

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STRAY, COPY = image_id("aqueduct", 1), image_id("aqueduct", 6)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return review_work(tmp_path / "work")


def opened(work: Path) -> Desk:
    return open_desk(work, ReviewSettings(audit=4))


def say_that_the_stray_shows_another(work: Path) -> None:
    """Anna says of the aqueduct's photo 1 that it shows the belfry."""
    desk = opened(work)
    rows = desk.rows.details(desk.rows.rows_of_image[STRAY])
    (finding,) = [str(row["finding_id"]) for row in rows if row["kind"] == WRONG_LANDMARK]
    event, _ = desk.decided([finding], WRONG, ["belfry"], event_id="e0", at=NOW)
    assert event is not None
    desk.record("anna", [event])
    desk.close()


def test_after_a_policy_it_shows_what_images_showed_before(work: Path) -> None:
    say_that_the_stray_shows_another(work)
    before = opened(work)
    apply(work, policy="careful")
    now = dict(WorkFolder(work).catalog().table.select("image_id", "landmark_ids").iter_rows())
    assert now[STRAY] == ["belfry"]
    after = opened(work)
    kept = after.rows.kept(STRAY)
    assert kept is not None
    assert kept.landmark_ids == ("aqueduct",)
    assert after.rows.table.equals(before.rows.table)
    assert (after.rows.n_open, after.rows.n_clear) == (before.rows.n_open, before.rows.n_clear)
    assert after.rows.typical("belfry") == before.rows.typical("belfry")


def test_what_is_decided_now_is_told_with_its_reason(work: Path) -> None:
    say_that_the_stray_shows_another(work)
    assert opened(work).decided_now([STRAY, COPY]) == {}
    apply(work, policy="careful")
    told = opened(work).decided_now([STRAY, COPY, "unknown", image_id("belfry", 9)])
    assert told.keys() == {STRAY, COPY}
    assert told[COPY] == DecidedNow(EXACT_COPY, None, "policy careful: The same bytes.", "policy")
    assert (told[STRAY].excluded, told[STRAY].landmark_ids) == (None, ("belfry",))
    assert told[STRAY].by == "anna"


def test_what_is_decided_meanwhile_is_followed(work: Path) -> None:
    desk = opened(work)
    states = [desk.decisions_state]
    assert desk.decided_now([COPY]) == {}
    for policy, n_decided in (("careful", 1), ("none", 0), ("thorough", 1)):
        apply(work, policy=policy)
        states.append(desk.decisions_state)
        assert len(desk.decided_now([COPY])) == n_decided
    assert states[0] == states[2]
    assert len(set(states)) == 3


def test_what_a_kill_left_unfinished_counts_as_decided(work: Path) -> None:
    place = WorkFolder(work)
    apply(work, policy="careful")
    place.decisions_path.replace(place.next_decisions_path)
    assert CurrentDecisions(place).about([COPY])[COPY].excluded == EXACT_COPY
    kept = opened(work).rows.kept(COPY)
    assert kept is not None
