"""Recognitions: the answers, in the one shape that page, API, command line and evaluation share.

`Recognition.to_json` is a promise to other programs; docs/recognition.schema.json is its schema.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import write_text

BELOW_THRESHOLD, UNREADABLE = "below_threshold", "unreadable"
NONE_BECAUSE = (BELOW_THRESHOLD, UNREADABLE)


@dataclass(frozen=True)
class Region:
    """A box on the image as it stands upright, in pixels of its full size; right and bottom are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom."""
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True)
class Evidence:
    """A gallery image that speaks for an answer; `similarity` is the cosine, -1 to 1.

    inliers: how many points agree; None where they were not matched. matched_points: where they lie: x and y in the
    photo, then in the gallery image, in pixels of either's full size; told where both surely show the same thing.
    size_px: width and height of the gallery image, where points of it are known.
    """

    image_id: str
    similarity: float
    inliers: int | None = None
    matched_points: tuple[tuple[float, float, float, float], ...] = ()
    size_px: tuple[int, int] | None = None
    licence: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A landmark that the image may show.

    score: ranks across images, higher is surer.
    probability: that the image shows this landmark, 0 to 1, strictly increasing with `score`.
    """

    landmark_id: str
    name: str
    score: float
    probability: float
    latitude: float | None = None
    longitude: float | None = None
    region: Region | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Recognition:
    """The answer for one image: candidates best first, and those over the threshold as `answers`."""

    image: str
    answers: tuple[str, ...]
    landmarks: tuple[Candidate, ...]
    none_because: str | None = None
    error: str | None = None
    time_ms: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if bool(self.answers) == (self.none_because is not None):
            raise InputError(
                f"{self.image} has the answers {list(self.answers)} and none_because "
                f"{self.none_because!r}; exactly one of them was expected; this is a fault of the "
                "program that made it: please report it"
            )
        if self.none_because not in (None, *NONE_BECAUSE):
            raise InputError(
                f"{self.image} has none_because {self.none_because!r}; one of {NONE_BECAUSE} was "
                "expected; this is a fault of the program that made it: please report it"
            )

    @property
    def answer(self) -> str | None:
        """The main landmark, or None."""
        return self.answers[0] if self.answers else None

    def to_json(self) -> dict[str, JsonValue]:
        """The object that `cairn recognize --json` prints."""
        return {
            "image": self.image,
            "answer": self.answer,
            "answers": list(self.answers),
            "none_because": self.none_because,
            "error": self.error,
            "time_ms": {step: round(ms, 1) for step, ms in self.time_ms.items()},
            "landmarks": [_candidate_json(candidate) for candidate in self.landmarks],
        }


def _candidate_json(candidate: Candidate) -> dict[str, JsonValue]:
    region = candidate.region
    return {
        "landmark_id": candidate.landmark_id,
        "name": candidate.name,
        "score": candidate.score,
        "probability": candidate.probability,
        "latitude": candidate.latitude,
        "longitude": candidate.longitude,
        "region": None
        if region is None
        else {
            "left": region.left,
            "top": region.top,
            "right": region.right,
            "bottom": region.bottom,
        },
        "evidence": [
            {
                "image_id": e.image_id,
                "similarity": round(e.similarity, 6),
                "inliers": e.inliers,
                "matched_points": [
                    [round(place, 1) for place in point] for point in e.matched_points
                ],
                "size_px": None if e.size_px is None else list(e.size_px),
                "licence": e.licence,
                "author": e.author,
            }
            for e in candidate.evidence
        ],
    }


def write_recognitions(recognitions: list[Recognition], path: Path) -> None:
    """`path` holds one JSON object a line, in the order given."""
    lines = [json.dumps(recognition.to_json(), ensure_ascii=False) for recognition in recognitions]
    write_text(path, "".join(f"{line}\n" for line in lines))
