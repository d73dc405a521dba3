"""The command that measures matching: `cairn bench matching`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cairn.algorithms.saying import SURPRISES, Reliability, Says
from cairn.base.settings import DescribeSettings, MatchingBenchSettings, Settings
from cairn.bench.matching import LEVELS, MatchingBench, bench_matching
from cairn.bench.photo_notes import PhotoNotes, read_photo_notes
from cairn.bench.planted import photos_in
from cairn.bench.saying import SaysBench, bench_saying
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.cli.measuring_options import FOLDER, NOTES, WORK
from cairn.engines.local import LocalEngine
from cairn.pipeline.matching import prepare_trials

MATCHING_SUMMARY = "how seldom photos of different landmarks match, how often those of one do, and what a match means"


def bench_matching_command(arguments: Sequence[str]) -> int:
    """Match photos of one and of different landmarks, fit on half of the landmarks, check on the other half."""
    sections: dict[str, type[Settings]] = {
        "describe": DescribeSettings,
        "bench_matching": MatchingBenchSettings,
    }
    shape = Shape((), (FOLDER, NOTES, WORK), sections)
    given = parse("bench matching", MATCHING_SUMMARY, shape, arguments)
    settings = given.settings("bench_matching", MatchingBenchSettings)
    folder, csv, kept = Path(given.options[FOLDER.flag]), given.path(NOTES.flag), given.path(WORK.flag)  # fmt: skip
    notes = read_photo_notes(csv, photos_in(folder)) if csv else PhotoNotes()
    engine, watch = LocalEngine(), TerminalWatch()

    def are_far(one: str, other: str) -> bool:
        return not notes.are_related(one, other)

    with tempfile.TemporaryDirectory() as scratch:
        trials = prepare_trials(
            kept or Path(scratch),
            folder,
            notes,
            describing=given.settings("describe", DescribeSettings),
            watch=watch,
        )
        nulls = bench_matching(
            trials.landmarks, trials.keypoints_of, are_far=are_far, n_pairs=settings.n_pairs,
            seed=settings.seed, engine=engine, watch=watch,
        )  # fmt: skip
        said = bench_saying(
            trials.landmarks, trials.best_under, are_far=are_far, n_images=settings.n_images,
            seed=settings.seed, engine=engine, watch=watch,
        )  # fmt: skip
    say(
        f"{len(trials.landmarks):,} images of {len(set(trials.landmarks)):,} landmarks, seed {settings.seed}: "
        "half of the landmarks fitted on, the others checked"
    )
    _say_nulls(nulls)
    _say_said(said)
    return 0


def _say_nulls(found: Sequence[MatchingBench]) -> None:
    head = ("model", "inliers by chance", "pairs", "of", *(f"surprise ≥ {level:.0f}" for level in LEVELS))  # fmt: skip
    rows = [("as promised", "", "", "", *(_share(10**-level) for level in LEVELS))]
    for one in found:
        null = one.null
        formula = f"{null.place_0:g} + {null.place_1:g} n ± {null.width_0:g} + {null.width_1:g} n"
        pairs = f"{one.n_different:,}"
        rows += [
            (one.model, formula, pairs, "different", *map(_share, one.different)),
            ("", "as in use", pairs, "different", *map(_share, one.different_in_use)),
            ("", "", f"{one.n_same:,}", "the same", *map(_share, one.same)),
        ]
    say(table(head, rows))


def _share(share: float) -> str:
    return f"{share:.2%}"


def _say_said(found: Sequence[SaysBench]) -> None:
    head = ("photos of", "log odds", "images", *(f"at {one:g}" for one in SURPRISES), "log loss")
    rows = []
    for one in found:
        rows += [
            _says_row(one.of, "fitted", one.n_checked_on, one.fitted, one.fitted_holds),
            _says_row("", "in use", one.n_checked_on, one.in_use, one.in_use_holds),
        ]
    say(table(head, rows))
    head = ("photos of", "log odds", "images", "said", "so")
    say(
        table(
            head,
            [
                (one.of, name, f"{n:,}", f"{said:.1%}", f"{so:.1%}")
                for one in found
                for name, holds in (("fitted", one.fitted_holds), ("in use", one.in_use_holds))
                for said, so, n in holds.rows
            ],
        )
    )


def _says_row(of: str, name: str, n: int, says: Says, holds: Reliability) -> tuple[str, ...]:
    return (of, name, f"{n:,}", *(f"{odds:+.2f}" for odds in says.log_odds), f"{holds.log_loss:.3f}")  # fmt: skip
