"""The commands that ask a finished bundle: recognize, serve."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.files import write_bytes
from cairn.base.settings import RecognizeSettings, ServeSettings
from cairn.cli.display import answer as tell
from cairn.cli.display import say, table, warn
from cairn.cli.flags import Option, Shape, Word, parse
from cairn.cli.listening import listening_at
from cairn.images.pixels import Limits, decode
from cairn.recognizer import Recognizer
from cairn.records.recognitions import Recognition
from cairn.reports.explained import explained
from cairn.stages.listing import IMAGE_SUFFIXES

LEAST_WORTH_A_WORD = 0.01
BUNDLE = Word("BUNDLE", "a bundle: the folder that cairn index has made")
JSON = Option("--json", "one JSON object a photo and nothing else", is_switch=True)


EXPLAIN = Option("--explain", "a PNG of one photo's answer: what matched, drawn", value="PNG")


def recognize_command(arguments: Sequence[str]) -> int:
    """Say which landmarks photos show."""
    summary = "Say which landmarks photos show; a folder stands for the photos in it."
    shape = Shape(
        (BUNDLE, Word("PATH", "a photo, or a folder of photos", many=True)),
        (JSON, EXPLAIN),
        {"recognize": RecognizeSettings},
    )
    given = parse("recognize", summary, shape, arguments)
    paths = list(_photos(given.lists["PATH"]))
    picture = given.path(EXPLAIN.flag)
    if picture is not None:
        _require_explainable(picture, paths)
    recognizer = Recognizer.load(Path(given.words["BUNDLE"]))
    settings = given.settings("recognize", RecognizeSettings)
    if picture is not None:
        settings = settings.model_copy(update={"match_all": True})
    answers: list[Recognition] = []
    for path in paths:
        found = recognizer.recognize(Path(path), name=path, settings=settings)
        answers.append(found)
        if JSON.flag in given.switches:
            tell(json.dumps(found.to_json(), ensure_ascii=False))
        elif found.error:
            warn(f"{path}: {found.error}")
    if JSON.flag not in given.switches:
        _say_table(answers)
    if picture is not None and not answers[0].error:
        pixels = decode(Path(paths[0]).read_bytes(), limits=Limits()).pixels
        write_bytes(picture, explained(answers[0], pixels, recognizer.thumbnail))
        warn(f"what matched is drawn in {picture}")
    return 1 if all(answer.error for answer in answers) else 0


def _require_explainable(picture: Path, paths: Sequence[str]) -> None:
    if len(paths) != 1:
        raise InputError(
            f"{len(paths):,} photos were to be explained in the picture {picture}; one was expected; name a single photo"
        )
    if picture.suffix.lower() != ".png":
        raise InputError(
            f"the picture {picture} is not called .png; a PNG is what is written; name it so: {picture.with_suffix('.png')}"
        )


def _photos(paths: Sequence[str]) -> Iterator[str]:
    """Each path that is no folder, and the photos of those that are."""
    for path in paths:
        if not Path(path).is_dir():
            yield path
            continue
        inside = sorted(p for p in Path(path).rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        if not inside:
            raise InputError(
                f"{path} holds no photo; files such as .jpg or .heic were expected; name another folder"
            )
        yield from map(str, inside)


def _say_table(answers: Sequence[Recognition]) -> None:
    rows = [
        (
            answer.image,
            _answer_words(answer),
            f"{answer.landmarks[0].probability:.2f}" if answer.answers else "",
            _runner_up(answer),
        )
        for answer in answers
    ]
    say(table(("photo", "landmark", "probability", "else perhaps"), rows))
    n_named = sum(answer.answer is not None for answer in answers)
    n_failed = sum(answer.error is not None for answer in answers)
    n_none = len(answers) - n_named - n_failed
    say(f"{counted(len(answers), 'photo')}: {n_named} recognised, {n_none} none, {n_failed} failed")


def _answer_words(answer: Recognition) -> str:
    if answer.error:
        return "(unreadable)"
    names = {candidate.landmark_id: candidate.name for candidate in answer.landmarks}
    return " + ".join(names[landmark_id] for landmark_id in answer.answers) or "none"


def _runner_up(answer: Recognition) -> str:
    others = [c for c in answer.landmarks if c.landmark_id not in answer.answers]
    is_worth_a_word = others and others[0].probability >= LEAST_WORTH_A_WORD
    return f"{others[0].name} {others[0].probability:.2f}" if is_worth_a_word else ""


def serve_command(arguments: Sequence[str]) -> int:
    """Answer over HTTP."""
    import uvicorn

    from cairn.web.service import make_service

    summary = "Answer over HTTP: POST a photo as form field 'image' to /v1/recognize."
    given = parse("serve", summary, Shape((BUNDLE,), (), {"serve": ServeSettings}), arguments)
    settings = given.settings("serve", ServeSettings)
    recognizer = Recognizer.load(Path(given.words["BUNDLE"]))
    service = make_service(recognizer, settings=settings)
    server = uvicorn.Server(uvicorn.Config(service, log_level="warning"))
    listening = listening_at(settings.host, settings.port)
    host, port = listening.getsockname()[:2]
    say(f"serving {counted(len(recognizer.landmark_ids), 'landmark')} on http://{host}:{port}")
    say(f"try: curl -F image=@photo.jpg http://{host}:{port}/v1/recognize")
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    warn("stopped")
    return 0
