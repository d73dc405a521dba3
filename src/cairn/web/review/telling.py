"""Rows, images, landmarks and events in the words that the review page reads."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from cairn.pipeline.decided_now import DecidedNow
from cairn.pipeline.review_rows import Named, ReviewRows
from cairn.pipeline.reviewing import Desk
from cairn.records.decisions import BY_POLICY
from cairn.records.verdict_events import Decided, Event
from cairn.records.verdicts import Verdict

# Enough to be another one where the bytes are others.
DIGITS = 12
MOST_EVIDENCE = 12


def told_rows(
    desk: Desk, reviewer: str, rows: Sequence[int], *, of_disputed: bool
) -> list[JsonValue]:
    """What the page shows of each row; `of_disputed` as in `Desk.opinions`."""
    opinions = desk.opinions(reviewer, rows, of_disputed=of_disputed)
    findings = desk.rows.details(rows)
    concerned = {image_id for finding in findings for image_id in _concerned(finding)}
    decided = desk.decided_now(concerned)
    told = zip(rows, findings, opinions, strict=True)
    return [
        _told_row(desk.rows, row, finding, given, decided, reviewer) for row, finding, given in told
    ]


def _concerned(finding: Mapping[str, object]) -> list[str]:
    """The image that a finding is about, and those that speak for it as far as they are shown."""
    return [str(finding["image_id"]), *_strings(finding["evidence"])[:MOST_EVIDENCE]]


def _told_row(
    rows: ReviewRows, row: int, finding: Mapping[str, object], opinions: Sequence[Verdict],
    decided: Mapping[str, DecidedNow], reviewer: str,
) -> JsonValue:  # fmt: skip
    (image_id, *evidence), score = _concerned(finding), finding["score"]
    regions, named = finding["regions"], finding["suggested"]
    suggested = (
        [_with_image(rows, name) for name in _strings(named)] if isinstance(named, list) else None
    )
    return {
        "row": row,
        "kind": str(finding["kind"]),
        "score": round(score, 3) if isinstance(score, float) else None,
        "reason": str(finding["reason"] or ""),
        "image": told_image(rows, image_id),
        "evidence": [_told_evidence(rows, other, decided) for other in evidence],
        "decided": _told_decision(rows, decided.get(image_id), is_open=bool(opinions)),
        "suggested": suggested,
        "regions": regions if isinstance(regions, list) else [],
        "same_image": [other for other in rows.rows_of_image[image_id] if other != row],
        "opinions": [_opinion(rows, verdict, is_own=verdict.reviewer == reviewer) for verdict in opinions],
    }  # fmt: skip


def _told_evidence(rows: ReviewRows, image_id: str, decided: Mapping[str, DecidedNow]) -> JsonValue:
    """An image by its id, and why a policy leaves it out now, or null."""
    now = decided.get(image_id)
    is_told = now is not None and now.by == BY_POLICY
    return told_image(rows, image_id) | {"excluded": now.excluded if now and is_told else None}


def _told_decision(rows: ReviewRows, now: DecidedNow | None, *, is_open: bool) -> JsonValue:
    """What is decided about an image, or null; what people said of it is told only where `is_open`."""
    if now is None or not (is_open or now.by == BY_POLICY):
        return None
    shown = None if now.landmark_ids is None else _landmarks(rows, now.landmark_ids)
    return {"excluded": now.excluded, "landmarks": shown, "because": now.because}


def told_image(rows: ReviewRows, image_id: str) -> dict[str, JsonValue]:
    """An image by its id: `v` for its address, its size, and its landmarks; only the id where it has gone."""
    kept = rows.kept(image_id)
    if kept is None:
        return {"id": image_id}
    return {
        "id": image_id,
        "v": (kept.kept_digest or "0")[:DIGITS],
        "width": kept.width_px,
        "height": kept.height_px,
        "landmarks": _landmarks(rows, kept.landmark_ids),
    }


def told_named(rows: ReviewRows, found: Named) -> JsonValue:
    """A landmark that a search has found."""
    return {
        "id": found.landmark_id, "place": found.place, "name": found.name, "country": found.country,
        "n_images": found.n_images, "image": told_image(rows, found.image_id) if found.image_id else None,
    }  # fmt: skip


def told_event(rows: ReviewRows, event: Event) -> JsonValue:
    """An event of a journal, its findings as rows; those that are no longer there are left out."""
    told: dict[str, JsonValue] = {"event": event.event, "id": event.id, "at": event.at.timestamp()}
    if not isinstance(event, Decided):
        return told | {"of": event.of}
    numbers = (rows.row_of.get(finding) for finding, _, _ in event.findings)
    return told | {"verdict": event.verdict, "rows": [row for row in numbers if row is not None]}


def _opinion(rows: ReviewRows, verdict: Verdict, *, is_own: bool) -> JsonValue:
    return {
        "reviewer": verdict.reviewer, "verdict": verdict.verdict, "is_own": is_own,
        "landmarks": None if verdict.landmark_ids is None else _landmarks(rows, verdict.landmark_ids),
    }  # fmt: skip


def _landmarks(rows: ReviewRows, landmark_ids: Iterable[str]) -> list[JsonValue]:
    return [{"id": landmark_id, "name": rows.name(landmark_id)} for landmark_id in landmark_ids]


def _with_image(rows: ReviewRows, landmark_id: str) -> JsonValue:
    """A landmark with one of its images, by which to know it."""
    typical = rows.typical(landmark_id)
    image = told_image(rows, typical[0]) if typical else None
    return {"id": landmark_id, "name": rows.name(landmark_id), "image": image}


def _strings(value: object) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []
