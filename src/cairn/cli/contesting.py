"""The commands for contests: submit, score."""

import json
from collections.abc import Sequence
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.settings import RecognizeSettings, SubmitSettings
from cairn.cli.display import TerminalWatch, program, say, table, warn
from cairn.cli.display import answer as tell
from cairn.cli.flags import Option, Shape, Word, parse
from cairn.records.contest_scores import ContestScores

MOST_TOLD = 5
BUNDLE = Word("BUNDLE", "a bundle: the folder that cairn index has made")
SUBMISSION = Word("SUBMISSION", "a contest file: CSV with id,landmarks")
TEST = Option("--test", "the contest's list of photos: CSV with a column id", required=True)
PHOTOS = Option(
    "--photos", "the folder of its photos: <id>.jpg in it, or in a/b/c there by the first three letters",
    value="DIR", required=True,
)  # fmt: skip
OUT = Option("--out", "the contest file to write", required=True)
TRUTH = Option("--truth", "what was published: CSV with id,landmarks,Usage", required=True)
JSON = Option("--json", "one JSON object and nothing else", is_switch=True)


def submit_command(arguments: Sequence[str]) -> int:
    """Write the file of a contest: the best landmark for each photo of a list."""
    from cairn.pipeline.submitting import submit

    summary = (
        "Write the file of a contest: the best landmark for each photo of a list, always answered."
    )
    shape = Shape(
        (BUNDLE,), (TEST, PHOTOS, OUT), {"submit": SubmitSettings, "recognize": RecognizeSettings}
    )
    given = parse("submit", summary, shape, arguments)
    done = submit(
        given.words["BUNDLE"],
        test=given.options[TEST.flag],
        photos=given.options[PHOTOS.flag],
        out=given.options[OUT.flag],
        settings=given.settings("submit", SubmitSettings),
        recognizing=given.settings("recognize", RecognizeSettings),
        watch=TerminalWatch(),
    )
    for found in done.unanswered[:MOST_TOLD]:
        warn(f"{found.image_id}: {found.cause}: {found.reason}")
    if len(done.unanswered) > MOST_TOLD:
        warn(f"… and {len(done.unanswered) - MOST_TOLD:,} more without an answer")
    if done.n_repeated:
        warn(f"{counted(done.n_repeated, 'row')} of the list named a photo again; it has one row")
    counts = [f"{done.submission.n_answered:,} answered"]
    counts += [f"{n:,} {cause}" for cause, n in sorted(done.causes.items())]
    before = f" ({done.n_known:,} of the answers from an earlier run)" if done.n_known else ""
    say(f"{counted(len(done.submission.answers), 'photo')}: {', '.join(counts)}{before}")
    say(f"contest file: {done.path} (checked: each photo of the list once, scores exact)")
    say(f"next: hand it in, or {program()} score {done.path} --truth CSV")
    return 0


def score_command(arguments: Sequence[str]) -> int:
    """Score the file of a contest by the truth that was published."""
    from cairn.pipeline.submitting import score

    summary = (
        "Score the file of a contest by the truth that was published: GAP and top-1 of each part."
    )
    given = parse("score", summary, Shape((SUBMISSION,), (TRUTH, JSON)), arguments)
    scores = score(Path(given.words["SUBMISSION"]), truth=Path(given.options[TRUTH.flag]))
    if JSON.flag in given.switches:
        tell(json.dumps(scores.to_json()))
    else:
        say(scores_words(scores))
    return 0


def scores_words(scores: ContestScores) -> str:
    """The scores as a table, and how many photos count nowhere."""
    head = ("part", "GAP", "top-1", "photos", "with a landmark", "answered")
    rows = [
        (
            part.usage,
            "" if part.gap is None else f"{part.gap:.6f}",
            "" if part.top_1 is None else f"{part.top_1:.4f}",
            f"{part.n_photos:,}",
            f"{part.n_with_landmark:,}",
            f"{part.n_answered:,}",
        )
        for part in scores.parts
    ]
    n_photos = sum(part.n_photos for part in scores.parts) + scores.n_ignored
    counted_in = ", ".join(f"{part.n_photos:,} {part.usage}" for part in scores.parts)
    return f"{table(head, rows)}\n{counted(n_photos, 'photo')}: {counted_in}, {scores.n_ignored:,} Ignored"
