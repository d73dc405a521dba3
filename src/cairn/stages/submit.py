"""Submit: the recogniser's best answer for each photo of a contest, as one contest file."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cairn.algorithms.transductive import ranked_down
from cairn.base.settings import RecognizeSettings, SubmitSettings
from cairn.base.watching import Watch
from cairn.models.ahead import worked_ahead
from cairn.recognizer import Recognizer
from cairn.records.submissions import ContestAnswer, Submission

MAX_THREADS = 4
N_AHEAD = 32
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG")
NOT_FOUND, UNREADABLE = "not found", "unreadable"


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """What became of one photo: an answer, or the `cause` why there is none and the `reason` in words."""

    image_id: str
    answer: ContestAnswer | None
    cause: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Answered:
    """The contest file, and what became of the photos that have no answer in it."""

    submission: Submission
    unanswered: tuple[PhotoAnswer, ...]


def submit(
    image_ids: Sequence[str],
    *,
    ask: Callable[[str], PhotoAnswer],
    known: Mapping[str, ContestAnswer],
    keep: Callable[[PhotoAnswer], None],
    settings: SubmitSettings,
    watch: Watch,
) -> Answered:
    """The answer to each photo, in the order of `image_ids`, which names each once.

    ask: called in several threads, for the photos that are not `known` already. keep: given each answer at once.
    """
    left = [image_id for image_id in image_ids if image_id not in known]
    given: dict[str, ContestAnswer] = dict(known)
    unanswered: list[PhotoAnswer] = []
    with watch.phase("recognise photos", len(left)) as advance:
        for found in worked_ahead(left, ask, n_threads=_n_threads(), n_ahead=N_AHEAD):
            if found.answer is None:
                unanswered.append(found)
            else:
                given[found.image_id] = found.answer
                keep(found)
            advance(1)
    answers = {image_id: given.get(image_id) for image_id in image_ids}
    return Answered(
        Submission(_ranked_down(answers) if settings.transductive else answers), tuple(unanswered)
    )


def asking(
    recognizer: Recognizer, photos: Path, *, settings: RecognizeSettings
) -> Callable[[str], PhotoAnswer]:
    """What answers the photo of an id below the folder `photos` by the recogniser's best candidate, whatever its probability."""

    def ask(image_id: str) -> PhotoAnswer:
        path = photo_path(photos, image_id)
        if path is None:
            reason = f"no {image_id}.jpg in {photos}, nor in a folder there for each of its first three letters"
            return PhotoAnswer(image_id, None, NOT_FOUND, reason)
        found = recognizer.recognize(path, name=image_id, settings=settings)
        if found.error is not None or not found.landmarks:
            return PhotoAnswer(image_id, None, UNREADABLE, found.error or "no candidate was found")
        best = found.landmarks[0]
        return PhotoAnswer(image_id, ContestAnswer(best.landmark_id, best.score))

    return ask


def photo_path(photos: Path, image_id: str) -> Path | None:
    """The photo of that id: `<id>.jpg` in `photos`, or in `a/b/c` there as Google Landmarks v2 has them; None where there is none.

    An id that is no plain file name is never looked for, so that no list leads out of the folder.
    """
    if any(letter in image_id for letter in "/\\:"):
        return None
    folders = [photos]
    if len(image_id) >= 3 and "." not in image_id[:3]:
        folders.append(photos.joinpath(*image_id[:3]))
    paths = (folder / f"{image_id}{suffix}" for folder in folders for suffix in SUFFIXES)
    return next((path for path in paths if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    """Whether a file is there; a name too long for the disk and a closed folder are none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _ranked_down(
    answers: Mapping[str, ContestAnswer | None],
) -> dict[str, ContestAnswer | None]:
    """The same answers with the scores that the transductive rule gives them."""
    given = {image_id: answer for image_id, answer in answers.items() if answer is not None}
    scores = ranked_down(
        np.array([answer.score for answer in given.values()], np.float64),
        np.array([answer.landmark_id for answer in given.values()], np.str_),
    )
    lowered = {
        image_id: ContestAnswer(answer.landmark_id, score)
        for (image_id, answer), score in zip(given.items(), scores.tolist(), strict=True)
    }
    return {image_id: lowered.get(image_id) for image_id in answers}


def _n_threads() -> int:
    return min(MAX_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
