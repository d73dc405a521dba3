"""The answers of a contest file that is being made, kept beside it so that the same command goes on."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from cairn.base.errors import InputError
from cairn.base.files import disk_errors, write_text
from cairn.records.submissions import ContestAnswer
from cairn.stages.submit import PhotoAnswer


def answers_path(out: Path) -> Path:
    """Where the answers for the contest file `out` lie until it is whole."""
    return out.with_name(f"{out.name}.answers.jsonl")


@dataclass(frozen=True)
class AnswersKept:
    """The answers `known` from an earlier run, and a file that takes those of this one."""

    path: Path
    known: dict[str, ContestAnswer]
    file: TextIO

    def keep(self, found: PhotoAnswer) -> None:
        """An answer is in the file; a photo without one is asked again next time."""
        if found.answer is not None:
            with disk_errors(self.path):
                self.file.write(_line(found.image_id, found.answer))
                self.file.flush()


@contextmanager
def answers_kept(out: Path, *, made_from: str) -> Iterator[AnswersKept]:
    """Inside it answers are kept for `out`; those of an earlier run count where `made_from` is the same digest."""
    path = answers_path(out)
    known = _read(path, made_from)
    # Written anew: a line that a crash has cut would join with the next one.
    lines = [json.dumps({"made_from": made_from}) + "\n"]
    lines += [_line(image_id, answer) for image_id, answer in known.items()]
    write_text(path, "".join(lines))
    with disk_errors(path):
        file = path.open("a", encoding="utf-8")
    try:
        yield AnswersKept(path, known, file)
    finally:
        # Closing writes once more what a full disk has refused.
        with disk_errors(path):
            file.close()


def _line(image_id: str, answer: ContestAnswer) -> str:
    return json.dumps([image_id, answer.landmark_id, answer.score]) + "\n"


def _read(path: Path, made_from: str) -> dict[str, ContestAnswer]:
    """The answers in the file up to the first line that is not whole."""
    try:
        head, *lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        if json.loads(head) != {"made_from": made_from}:
            return {}
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; the answers of a broken-off run were expected there; remove it"
        ) from error
    known: dict[str, ContestAnswer] = {}
    for line in lines:
        try:
            image_id, landmark_id, score = json.loads(line)
        except (ValueError, TypeError):
            break
        known[str(image_id)] = ContestAnswer(str(landmark_id), float(score))
    return known
