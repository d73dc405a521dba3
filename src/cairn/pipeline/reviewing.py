"""One work folder under review: its rows, its reviewers' journals, and what both come to."""

import threading
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes, safe_name
from cairn.base.settings import ReviewSettings
from cairn.images.thumbnails import Thumbnails
from cairn.pipeline.decided_now import CurrentDecisions, DecidedNow
from cairn.pipeline.described import DescribedWay, described_way
from cairn.pipeline.holding import made
from cairn.pipeline.review_audit import Audit, audit_of
from cairn.pipeline.review_rows import IMAGE_COLUMNS, ReviewRows
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import DUPLICATE, KEPT, Catalog
from cairn.records.decisions import undone
from cairn.records.findings import KINDS, Findings
from cairn.records.landmarks import Landmarks
from cairn.records.verdict_events import Decided, Event, LandmarkIds, Subject
from cairn.records.verdict_journal import SUFFIX, VerdictJournal
from cairn.records.verdicts import (
    NO_LANDMARK,
    SEVERAL,
    UNSURE,
    WRONG,
    Agreement,
    Verdict,
    merged,
)

MAX_NAME = 40


@dataclass(frozen=True)
class Standing:
    """How far the review is: by reviewer the number of findings decided, what is disputed, and the audit.

    disputed: rows. agreement: share of pairs of votes that are alike, None without any.
    """

    n_decided: Mapping[str, int]
    disputed: tuple[int, ...]
    agreement: float | None
    pairs: tuple[Agreement, ...]
    audits: tuple[Audit, ...]


class Desk:
    """What reviewers of one work folder see and decide; several threads may ask at once."""

    def __init__(self, rows: ReviewRows, place: WorkFolder) -> None:
        """`name` tells this work folder from others."""
        self.rows, self.store = rows, place.images
        self.thumbnails = Thumbnails(place.thumbnails, place.images)
        self._decisions = CurrentDecisions(place)
        self._folder = place.verdicts
        self.name = digest_bytes(str(place.verdicts.resolve()).encode())[:12]
        self._journals: dict[Path, VerdictJournal] = {}
        self._claimed: set[Path] = set()
        self._lock = threading.RLock()
        self._standing: tuple[tuple[int, ...], Standing] | None = None
        self._look_around()

    @property
    def reviewers(self) -> list[str]:
        """Everybody who has a journal here, sorted."""
        with self._lock:
            return sorted(journal.ledger.reviewer for journal in self._journals.values())

    def decided(
        self, finding_ids: Sequence[str], verdict: str, landmark_ids: Sequence[str] | None, *, event_id: str, at: datetime
    ) -> tuple[Decided | None, list[str]]:  # fmt: skip
        """The decision in full, and those of `finding_ids` that are no row here, which it leaves out; None without any.

        landmark_ids: None stands for what each finding suggests, where the verdict can name landmarks; empty: not known.
        Raises InputError where a landmark is unknown.
        """
        unknown_landmarks = [
            name for name in landmark_ids or () if not self.rows.knows_landmark(name)
        ]
        if unknown_landmarks:
            raise InputError(
                f"there is no landmark {unknown_landmarks[0]!r}; one of landmarks.parquet or of the catalog was "
                "expected; choose one that the search finds"
            )
        known = [finding for finding in finding_ids if finding in self.rows.row_of]
        gone = [finding for finding in finding_ids if finding not in self.rows.row_of]
        if not known:
            return None, gone
        subjects: list[Subject] = []
        for finding in known:
            row = self.rows.row_of[finding]
            landmarks = _landmarks_by(verdict, landmark_ids, self.rows.suggested[row])
            subjects.append((finding, self.rows.image_ids[row], landmarks))
        # pydantic checks the verdict's word.
        return Decided.model_validate(
            {"id": event_id, "at": at, "verdict": verdict, "findings": subjects}
        ), gone

    def record(self, reviewer: str, events: Sequence[Event]) -> int:
        """The number of the reviewer's events once these are on the disk.

        Raises InputError where one takes back a decision that is not there, or another Cairn writes this journal;
        DiskError where the disk is full or refuses: then none of them is recorded.
        """
        with self._lock:
            journal = self._claim(reviewer)
            journal.append(events)
            return len(journal.ledger.events)

    def knows_event(self, reviewer: str, event_id: str) -> bool:
        """Whether the reviewer's journal has this event."""
        with self._lock:
            return self._claim(reviewer).ledger.knows(event_id)

    def claim(self, reviewer: str) -> None:
        """This process writes down what the reviewer decides; raises InputError where another one does."""
        with self._lock:
            self._claim(reviewer)

    def events(self, reviewer: str, after: int, limit: int) -> list[Event]:
        """The reviewer's events from number `after` on, at most `limit` of them."""
        with self._lock:
            return self._claim(reviewer).ledger.events[after : after + limit]

    def n_events(self, reviewer: str) -> int:
        """The number of the reviewer's events."""
        with self._lock:
            return len(self._claim(reviewer).ledger.events)

    def opinions(
        self, reviewer: str, rows: Sequence[int], *, of_disputed: bool
    ) -> list[list[Verdict]]:
        """The verdicts about each of `rows`, the reviewer's own first.

        Those of others are told only where the reviewer has decided too, or `of_disputed`, where others differ.
        """
        with self._lock:
            own = self._claim(reviewer).ledger.current
            others = [
                j.ledger.current for j in self._journals.values() if j.ledger.current is not own
            ]
            found = []
            for row in rows:
                finding = self.rows.finding_ids[row]
                theirs = [held[finding] for held in others if finding in held]
                mine = own.get(finding)
                is_open = mine is not None or (of_disputed and _differ(theirs))
                found.append(([mine] if mine else []) + (theirs if is_open else []))
            return found

    def decided_now(self, image_ids: Collection[str]) -> dict[str, DecidedNow]:
        """What is decided at present about those of these images about which anything is."""
        return self._decisions.about(image_ids)

    @property
    def decisions_state(self) -> str:
        """Another one where what is decided at present is something else."""
        return self._decisions.state

    def standing(self) -> Standing:
        """How far the review is, with what other processes have written down meanwhile."""
        with self._lock:
            self._look_around()
            seen = tuple(len(journal.ledger.events) for journal in self._journals.values())
            if self._standing is None or self._standing[0] != seen:
                self._standing = seen, self._stand()
            return self._standing[1]

    def close(self) -> None:
        """The journals may be claimed by others."""
        with self._lock:
            for journal in self._journals.values():
                journal.close()

    def _stand(self) -> Standing:
        held = [journal.ledger.current for journal in self._journals.values()]
        n_votes: dict[str, int] = {}
        for current in held:
            for finding in current:
                n_votes[finding] = n_votes.get(finding, 0) + 1
        both = {finding for finding, n in n_votes.items() if n > 1}
        together = merged(
            [{finding: now[finding] for finding in both & now.keys()} for now in held]
        )
        rows = (self.rows.row_of.get(finding) for finding in together.disputed)
        return Standing(
            n_decided={j.ledger.reviewer: len(j.ledger.current) for j in self._journals.values()},
            disputed=tuple(sorted(row for row in rows if row is not None)),
            agreement=together.agreement,
            pairs=together.pairs,
            audits=self._audits(held),
        )

    def _audits(self, held: Sequence[Mapping[str, Verdict]]) -> tuple[Audit, ...]:
        """Of accepted findings all together, then each kind in the sample, then images without finding."""
        rows, sample = self.rows, self.rows.audited(clear=False)
        kinds = [kind for kind in KINDS if any(one.kind == kind for one in sample.values())]
        of_kinds = [
            audit_of(
                "accepted",
                kind,
                rows.n_accepted[kind],
                {finding: one for finding, one in sample.items() if one.kind == kind},
                held,
            )
            for kind in kinds
        ]
        return (
            audit_of("accepted", "", sum(rows.n_accepted.values()), sample, held),
            *of_kinds,
            audit_of("clear", "", rows.n_clear, rows.audited(clear=True), held),
        )

    def _claim(self, reviewer: str) -> VerdictJournal:
        path = self._folder / f"{safe_name(reviewer)}{SUFFIX}"
        if path not in self._journals:
            self._journals[path] = VerdictJournal(path)
        journal = self._journals[path]
        if path not in self._claimed:
            journal.claim(reviewer)
            self._claimed.add(path)
        return journal

    def _look_around(self) -> None:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path not in self._journals:
                self._journals[path] = VerdictJournal(path)
            elif path not in self._claimed:
                self._journals[path].refresh()


def open_desk(work: str | Path, settings: ReviewSettings) -> Desk:
    """What there is to review in `work`, whose images show what they showed before anything was decided.

    Raises InputError where `cairn scrub` has not run there yet.
    """
    place = WorkFolder(Path(work))
    place.require()
    if not place.findings_path.is_file():
        raise InputError(
            f"{place.root} has no findings.parquet; what cairn scrub has found was expected there; "
            f"run: cairn scrub {place.root}"
        )
    findings = Findings.read(place.findings_path)
    has_photo = pl.col("status").is_in([KEPT, DUPLICATE]) & pl.col("path").is_not_null()
    shown = undone(Catalog.scan(place.catalog_path).filter(has_photo), made(place))
    images = shown.select(IMAGE_COLUMNS).collect(engine="streaming")
    landmarks = place.landmarks() if place.landmarks_path.is_file() else Landmarks.of([])
    rows = ReviewRows(
        findings, images, landmarks, n_audit=settings.audit, way=lambda: _described(place, images)
    )
    return Desk(rows, place)


def _described(place: WorkFolder, images: pl.DataFrame) -> DescribedWay | None:
    """The descriptors by which scrub has judged, else those of most images; None where there are none."""
    known, card = images.select("kept_digest").drop_nulls(), place.card("scrub")
    source = None if card is None else card.inputs.get("descriptors")
    way = described_way(place, known, source=source) if source else None
    return way or described_way(place, known, source=None)


def reviewer_name(text: str) -> str:
    """A reviewer's name as journals hold it: single spaces, accents in one form.

    Raises InputError where it is empty, too long or cannot be printed.
    """
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InputError(
            f"{text[:80]!r} is no reviewer's name; 1 to {MAX_NAME} letters that can be printed were expected; choose another"
        )
    return name


def _landmarks_by(
    verdict: str, chosen: Sequence[str] | None, suggested: Sequence[str]
) -> LandmarkIds:
    """The landmarks that an image shows by a verdict; `chosen` None stands for what is suggested."""
    if verdict == NO_LANDMARK:
        return ()
    if verdict == WRONG:
        return (tuple(suggested[:1]) if chosen is None else tuple(chosen)) or None
    if verdict == SEVERAL:
        given = tuple(dict.fromkeys(suggested if chosen is None else chosen))
        return given if len(given) >= 2 else None
    return None


def _differ(verdicts: Sequence[Verdict]) -> bool:
    return len({verdict.opinion for verdict in verdicts if verdict.verdict != UNSURE}) > 1
