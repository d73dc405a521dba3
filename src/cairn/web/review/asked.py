"""What the review page may ask to be written down: the form of its requests, checked when they come."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from cairn.records.verdict_events import EventId, Id

MAX_EVENTS = 500


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AskedDecision(_Asked):
    """A verdict about findings; landmark_ids null: what each finding suggests, where the verdict can name any; empty: not known."""

    event: Literal["decide"]
    id: EventId
    at: AwareDatetime
    verdict: Literal["keep", "no landmark", "several", "wrong", "copy", "bad", "unsure"]
    findings: list[Id] = Field(min_length=1)
    landmark_ids: list[Id] | None = None


class AskedReversal(_Asked):
    """A decision is taken back or holds again."""

    event: Literal["undo", "redo"]
    id: EventId
    at: AwareDatetime
    of: EventId


class AskedEvents(_Asked):
    """Events in their order, which are written down together."""

    events: list[Annotated[AskedDecision | AskedReversal, Field(discriminator="event")]] = Field(
        min_length=1, max_length=MAX_EVENTS
    )


class AskedName(_Asked):
    """How a reviewer wants to be called."""

    reviewer: str = Field(max_length=200)
