"""Small builders of what cleaning needs: findings, verdicts, and a work folder without photos."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.findings import Findings, finding_id
from cairn.records.landmarks import Landmarks
from cairn.records.verdict_events import Decided
from cairn.records.verdict_journal import SUFFIX, VerdictJournal
from cairn.records.verdicts import Merged, Verdict, merged

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# A finding by its kind, its image and, of a copy, the image that stays.
Told = tuple[str, str] | tuple[str, str, str]


def finding(
    kind: str, image_id: str, of: str | None = None, *, suggested: list[str] | None = None,
    is_sure: bool = True, score: float = 0.9,
) -> dict[str, object]:  # fmt: skip
    """A row for `Findings.of`; `of` is the image that stays where this one is a copy."""
    evidence = [] if of is None else [of]
    return {
        "kind": kind, "image_id": image_id, "score": score, "is_sure": is_sure,
        "reason": f"looks like {kind}", "evidence": evidence, "suggested": suggested,
    }  # fmt: skip


def verdict(
    told: Told, word: str, landmark_ids: Sequence[str] | None = None, *, reviewer: str = "Ann"
) -> Verdict:
    """What a reviewer holds about the finding `told`."""
    named = None if landmark_ids is None else tuple(landmark_ids)
    return Verdict(finding_id(*told), told[1], word, named, reviewer, NOON)


def said(*verdicts: Verdict) -> Merged:
    """What reviewers hold together, each for himself by his name."""
    by_reviewer: dict[str, dict[str, Verdict]] = {}
    for each in verdicts:
        by_reviewer.setdefault(each.reviewer, {})[each.finding_id] = each
    return merged(list(by_reviewer.values()))


def write_verdicts(place: WorkFolder, *verdicts: Verdict) -> None:
    """The journals of `place` hold the verdicts, each in its reviewer's."""
    for number, each in enumerate(verdicts):
        journal = VerdictJournal(place.verdicts / f"{each.reviewer}{SUFFIX}")
        journal.claim(each.reviewer)
        subject = (each.finding_id, each.image_id, each.landmark_ids)
        event = Decided(
            id=f"e{len(journal.ledger.events)}-{number}", at=each.at, findings=(subject,),
            verdict=each.verdict,
        )  # fmt: skip
        journal.append([event])
        journal.close()


def work_folder(
    root: Path, catalog: Catalog, findings: Sequence[Mapping[str, object]] = ()
) -> WorkFolder:
    """`root` as a work folder with this catalog, its landmarks and findings; no photo is in it."""
    place = WorkFolder(root)
    catalog.write(place.catalog_path)
    Landmarks.of({"landmark_id": one, "name": one.title()} for one in catalog.landmark_ids).write(
        place.landmarks_path
    )
    Findings.of([dict(row) for row in findings]).write(place.findings_path)
    return place
