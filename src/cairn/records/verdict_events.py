"""What reviewers do about findings: events, one a line of a journal, and the verdicts that follow from them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from cairn.base.errors import InputError

KEEP, NO_LANDMARK, SEVERAL, WRONG = "keep", "no landmark", "several", "wrong"
COPY, BAD, UNSURE = "copy", "bad", "unsure"
VERDICTS = (KEEP, NO_LANDMARK, SEVERAL, WRONG, COPY, BAD, UNSURE)
FORMAT_VERSION = 1

Id = Annotated[str, Field(min_length=1, max_length=500)]
EventId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
LandmarkIds = tuple[Id, ...] | None
# What an event decides about: finding_id, image_id, and the landmarks that the image shows by this verdict.
Subject = tuple[Id, Id, LandmarkIds]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reviewer holds about a finding.

    landmark_ids: what the image shows instead: empty for 'no landmark', some for 'several' and 'wrong', None where
    the verdict names none. reviewer: one name, or several with commas where they agreed. at: in UTC.
    """

    finding_id: str
    image_id: str
    verdict: str
    landmark_ids: tuple[str, ...] | None
    reviewer: str
    at: datetime

    @property
    def opinion(self) -> tuple[str, frozenset[str] | None]:
        """What must be equal where two reviewers agree; the order of landmarks is no matter."""
        named = None if self.landmark_ids is None else frozenset(self.landmark_ids)
        return self.verdict, named


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Opened(_Line):
    """The first line of a journal: its format and whose it is."""

    event: Literal["opened"] = "opened"
    format: int
    reviewer: Id


class Decided(_Line):
    """A reviewer gave the same verdict about one or many findings, by one key."""

    event: Literal["decide"] = "decide"
    id: EventId
    at: AwareDatetime
    verdict: Literal["keep", "no landmark", "several", "wrong", "copy", "bad", "unsure"]
    findings: tuple[Subject, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_landmarks_where_it_may(self) -> Self:
        for _, image_id, landmark_ids in self.findings:
            if not _may_name(self.verdict, landmark_ids):
                raise ValueError(
                    f"the verdict {self.verdict!r} about {image_id} names the landmarks {landmark_ids}"
                )
        return self


class Reversed(_Line):
    """A decision was taken back, or holds again; `of` is its id."""

    event: Literal["undo", "redo"]
    id: EventId
    at: AwareDatetime
    of: EventId


Event = Decided | Reversed
LINE: TypeAdapter[Opened | Decided | Reversed] = TypeAdapter(
    Annotated[Opened | Decided | Reversed, Field(discriminator="event")]
)


def _may_name(verdict: str, landmark_ids: LandmarkIds) -> bool:
    if verdict == NO_LANDMARK:
        return landmark_ids == ()
    if verdict == SEVERAL:
        return landmark_ids is None or len(set(landmark_ids)) >= 2
    return landmark_ids is None or (verdict == WRONG and len(landmark_ids) >= 1)


class Ledger:
    """One reviewer's events in their order, and the verdicts that hold after them.

    A decision holds until it is undone, and again once it is redone. Of several that hold about one finding, the one
    that was made last counts.
    """

    def __init__(self, reviewer: str) -> None:
        self.reviewer = reviewer
        self.events: list[Event] = []
        self._current: dict[str, Verdict] = {}
        self._decisions: dict[str, Decided] = {}
        self._about: dict[str, list[tuple[Decided, Subject]]] = {}
        self._ids: set[str] = set()
        self._undone: set[str] = set()

    @property
    def current(self) -> Mapping[str, Verdict]:
        """The verdict that holds about each finding, by finding_id."""
        return self._current

    def knows(self, event_id: str) -> bool:
        """Whether an event with this id is in it."""
        return event_id in self._ids

    def require_sense(self, event: Event, *, after: Collection[str] = ()) -> None:
        """Raises InputError where `event` takes back a decision that is neither here nor one of the ids `after`."""
        if (
            isinstance(event, Reversed)
            and event.of not in self._decisions
            and event.of not in after
        ):
            raise InputError(
                f"the event {event.id} is to {event.event} the decision {event.of}, which is not there; a decision "
                "made before was expected; bring back a whole copy of the journal"
            )

    def add(self, event: Event) -> None:
        """`event` comes after all others; one that is known already changes nothing.

        Raises InputError where it takes back a decision that is not there.
        """
        if event.id in self._ids:
            return
        self.require_sense(event)
        self._ids.add(event.id)
        self.events.append(event)
        if isinstance(event, Decided):
            self._decisions[event.id] = event
            for subject in event.findings:
                self._about.setdefault(subject[0], []).append((event, subject))
                self._current[subject[0]] = self._verdict(event, subject)
            return
        (self._undone.add if event.event == "undo" else self._undone.discard)(event.of)
        for finding_id, _, _ in self._decisions[event.of].findings:
            self._look_back(finding_id)

    def _look_back(self, finding_id: str) -> None:
        """The last decision about a finding that is not undone is the one that holds."""
        for event, subject in reversed(self._about[finding_id]):
            if event.id not in self._undone:
                self._current[finding_id] = self._verdict(event, subject)
                return
        self._current.pop(finding_id, None)

    def _verdict(self, event: Decided, subject: Subject) -> Verdict:
        finding_id, image_id, landmark_ids = subject
        return Verdict(finding_id, image_id, event.verdict, landmark_ids, self.reviewer, event.at)
