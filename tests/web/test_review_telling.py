"""What the review page is told: decisions that hold now, and a disk that does not take what was decided."""

import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cairn.base.settings import ReviewSettings
from cairn.pipeline.deciding import apply
from cairn.pipeline.reviewing import Desk, open_desk
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.decisions import BY_POLICY, Decisions
from cairn.web.review.app import make_review
from tests.reviews import image_id, review_work

HOME = "http://127.0.0.1:8090"
STRAY, COPY = image_id("aqueduct", 1), image_id("aqueduct", 6)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return review_work(tmp_path / "work")


@pytest.fixture
def desk(work: Path) -> Iterator[Desk]:
    desk = open_desk(work, ReviewSettings(audit=4))
    yield desk
    desk.close()


def client_of(desk: Desk, name: str) -> TestClient:
    return TestClient(make_review(desk), base_url=HOME, headers={"X-Reviewer": name})


def decided(desk: Desk, image: str, verdict: str, **more: object) -> dict[str, object]:
    """The request by which somebody decides about the first finding about an image."""
    finding = desk.rows.finding_ids[desk.rows.rows_of_image[image][0]]
    event = {"event": "decide", "id": f"{verdict}-{image}", "at": "2026-01-01T00:00:00Z"}
    return {"events": [event | {"verdict": verdict, "findings": [finding]} | more]}


def told(client: TestClient, desk: Desk, image: str) -> Any:  # JSON
    row = desk.rows.rows_of_image[image][0]
    return client.get("/api/details", params={"rows": str(row)}).json()["rows"][0]


def test_what_a_policy_leaves_out_is_told_with_its_reason(desk: Desk, work: Path) -> None:
    anna = client_of(desk, "anna")
    assert told(anna, desk, COPY)["decided"] is None
    before = anna.get("/api/standing").json()["decisions"]
    apply(work, policy="careful")
    assert told(anna, desk, COPY)["decided"] == {
        "excluded": "exact copy",
        "landmarks": None,
        "because": "policy careful: The same bytes.",
    }
    assert anna.get("/api/standing").json()["decisions"] != before


def test_of_evidence_too_it_is_told_that_it_is_left_out(desk: Desk, work: Path) -> None:
    anna = client_of(desk, "anna")
    stays = image_id("aqueduct", 5)
    assert [one["excluded"] for one in told(anna, desk, COPY)["evidence"]] == [None]
    Decisions.of(
        [{"image_id": stays, "excluded": "unverified", "because": "too few", "by": BY_POLICY}]
    ).write(WorkFolder(work).decisions_path)
    evidence = told(anna, desk, COPY)["evidence"]
    assert [(one["id"], one["excluded"]) for one in evidence] == [(stays, "unverified")]


def test_what_others_decided_is_told_only_after_ones_own_verdict(desk: Desk, work: Path) -> None:
    anna, ben = client_of(desk, "anna"), client_of(desk, "ben")
    ben.post("/api/events", json=decided(desk, STRAY, "wrong", landmark_ids=["belfry"]))
    apply(work, policy="verdicts")
    assert told(anna, desk, STRAY)["decided"] is None
    assert told(ben, desk, STRAY)["decided"]["landmarks"][0]["id"] == "belfry"
    anna.post("/api/events", json=decided(desk, STRAY, "keep"))
    assert told(anna, desk, STRAY)["decided"]["because"].startswith("ben said")


def test_an_answer_is_given_after_the_journal_was_flushed(
    desk: Desk, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[tuple[str, int]] = []
    flush = os.fsync

    def remembering(handle: int) -> None:
        flush(handle)
        path = Path(f"/proc/self/fd/{handle}").resolve()
        flushed.append((path.name, path.stat().st_size))

    client = client_of(desk, "anna")
    client.post("/api/session", json={"reviewer": "anna"})
    monkeypatch.setattr(os, "fsync", remembering)
    assert client.post("/api/events", json=decided(desk, COPY, "keep")).status_code == 200
    journal = work / "verdicts/anna.jsonl"
    assert flushed == [("anna.jsonl", journal.stat().st_size)]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full: .*anna.jsonl could not be written; room .* free some space$"),
        (errno.EROFS, "anna.jsonl could not be written: Read-only file system; .* check its permissions$"),
    ],
)  # fmt: skip
def test_a_disk_that_refuses_is_told_and_nothing_is_recorded(
    desk: Desk, work: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    client = client_of(desk, "anna")
    client.post("/api/session", json={"reviewer": "anna"})
    before = (work / "verdicts/anna.jsonl").read_bytes()

    def refused(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", refused)
        answered = client.post("/api/events", json=decided(desk, COPY, "keep"))
    assert answered.status_code == 507
    assert re.search(words, answered.json()["error"])
    assert (work / "verdicts/anna.jsonl").read_bytes() == before
    assert client.post("/api/events", json=decided(desk, COPY, "keep")).json()["n_events"] == 1
