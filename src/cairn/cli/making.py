"""The commands that make a recogniser: demo, run, import, split, train, index, evaluate."""

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from cairn.base.checks import counted
from cairn.base.errors import InputError, SettingsError, Stopped
from cairn.base.settings import (
    AugmentSettings,
    DemoSettings,
    DescribeSettings,
    DownloadSettings,
    EvaluateSettings,
    FinetuneSettings,
    ImportSettings,
    Settings,
    SplitSettings,
    TopSettings,
    TrainSettings,
)
from cairn.base.settings.recipes import (
    Recipe,
    read_recipe,
    recipe_names,
    recipe_summary,
    recipe_text,
)
from cairn.base.settings.unfit import unfit
from cairn.cli.display import TerminalWatch, program, say, table, warn
from cairn.cli.fetching import HOSTS, URLS, downloaded
from cairn.cli.flags import Given, Option, Shape, Word, parse
from cairn.cli.live import Signals, attended
from cairn.cli.seating import seat_of
from cairn.cli.trying import DRY_RUN, FIND_RATE, dry_run, find_rate
from cairn.pipeline.downloading import Addresses
from cairn.pipeline.importing import Lists
from cairn.pipeline.results import (
    Downloaded,
    Evaluated,
    Imported,
    Indexed,
    Parted,
    Project,
    Trained,
)
from cairn.pipeline.steps import (
    DEFAULT_MODEL,
    evaluate,
    import_photos,
    index,
    run,
    split,
    train,
    train_along,
)
from cairn.records.catalog import FAILED

WORK = Word("WORK", "the work folder: where this project's data lies")
FOLDER = Option("--folder", "a folder for each landmark, photos inside", value="DIR", required=True)
LANDMARKS = Option(
    "--landmarks", "CSV: landmark_id, name, country, latitude, longitude", value="CSV"
)
NOTES = Option("--notes", "CSV: photo, also_shows, licence, author", value="CSV")
FRESH = Option(
    "--fresh", "deal all images anew instead of keeping old ones where they are", is_switch=True
)
MOST_FAILED = 5
FEW = 50
NAME = Option("--name", f"the model's name [{DEFAULT_MODEL}]", value="NAME")
RECIPE: dict[str, type[Settings]] = {
    "augment": AugmentSettings,
    "top": TopSettings,
    "finetune": FinetuneSettings,
}
GROUP = Option(
    "--group",
    "propose folders by likeness for photos that lie in none, and import nothing",
    is_switch=True,
)


def demo_command(arguments: Sequence[str]) -> int:
    """The whole way on the embedded sample."""
    from cairn.pipeline.demo import demo

    summary = "The whole way on an embedded sample of rendered scenes: no network, no torch."
    shape = Shape(
        options=(Option("--work", "the work folder [demo]", value="DIR"),),
        sections={"demo": DemoSettings, "evaluate": EvaluateSettings},
    )
    given = parse("demo", summary, shape, arguments)
    work = given.path("--work") or Path("demo")
    done = demo(
        work,
        settings=given.settings("demo", DemoSettings),
        evaluating=given.settings("evaluate", EvaluateSettings),
        told=lambda left: say(told(left)),
        watch=TerminalWatch(),
    )
    say(f"try it: {program()} recognize {done.indexed.bundle} {done.example}")
    say(
        f"next, on your own photos: {program()} run work --folder FOLDER_OF_LANDMARK_FOLDERS --backbone embedded"
    )
    return 0


def run_command(arguments: Sequence[str]) -> int:
    """The whole way on one's own photos."""
    summary = "The whole way on your own photos: import or download, split, train, index, evaluate."
    shape = Shape(
        (WORK,),
        (replace(FOLDER, required=False), LANDMARKS, NOTES, URLS, HOSTS, FRESH, NAME),
        {
            "import": ImportSettings,
            "download": DownloadSettings,
            "split": SplitSettings,
            "describe": DescribeSettings,
            "train": TrainSettings,
            "evaluate": EvaluateSettings,
        },
        has_recipe=True,
    )
    given = parse("run", summary, shape, arguments)
    signals = Signals()
    try:
        return _run(given, signals)
    except Stopped:
        if not signals.exit_code:
            raise
        warn("ended; the same command again goes on")
        return signals.exit_code


def _run(given: Given, signals: Signals) -> int:
    done = run(
        given.words["WORK"],
        lists=_folder_or_addresses(given, signals),
        name=_name(given),
        importing=given.settings("import", ImportSettings),
        splitting=given.settings("split", SplitSettings),
        describing=given.settings("describe", DescribeSettings),
        training=given.settings("train", TrainSettings),
        evaluating=given.settings("evaluate", EvaluateSettings),
        fresh=FRESH.flag in given.switches,
        told=lambda left: say(told(left)),
        watch=TerminalWatch(),
    )
    if done.evaluated is None:
        say(
            "no image is in test, so there is no score and no report; give test a share with --ratio"
        )
    say(f"next: {program()} recognize {done.indexed.bundle} PHOTO")
    return 0


def import_command(arguments: Sequence[str]) -> int:
    """A folder for each landmark becomes a catalog."""
    summary = (
        "A folder for each landmark becomes a catalog of checked images. Nothing in it is changed."
    )
    shape = Shape(
        (WORK,),
        (FOLDER, LANDMARKS, NOTES, GROUP),
        {"import": ImportSettings, "describe": DescribeSettings},
    )
    given = parse("import", summary, shape, arguments)
    if GROUP.flag in given.switches:
        return _propose_groups(given)
    done = import_photos(
        given.words["WORK"],
        lists=_lists(given),
        settings=given.settings("import", ImportSettings),
        watch=TerminalWatch(),
    )
    say(imported(done))
    say(f"catalog: {done.work.catalog_path}")
    say(f"next: {program()} split {done.work.root}")
    return 0


def _propose_groups(given: Given) -> int:
    from cairn.pipeline.grouping import propose_groups

    done = propose_groups(
        given.words["WORK"],
        folder=_required_path(given, FOLDER.flag),
        settings=given.settings("describe", DescribeSettings),
        importing=given.settings("import", ImportSettings),
        watch=TerminalWatch(),
    )
    say(f"{counted(done.n_images, 'photo')}: {counted(done.n_groups, 'group')} of two or more, "
        f"{counted(done.n_alone, 'photo')} alone")  # fmt: skip
    say(f"proposal: {done.folder}   (copies; your photos stay where they are)")
    say("next: look through the folders, rename each to its landmark, move strangers out, then run")
    say(f"      {program()} import {given.words['WORK']} --folder {done.folder}")
    return 0


def split_command(arguments: Sequence[str]) -> int:
    """Deal the images to train, val and test."""
    summary = "Deal the images to train, val and test; copies stay on one side."
    shape = Shape((WORK,), (FRESH,), {"split": SplitSettings})
    given = parse("split", summary, shape, arguments)
    done = split(
        given.words["WORK"],
        settings=given.settings("split", SplitSettings),
        fresh=FRESH.flag in given.switches,
        watch=TerminalWatch(),
    )
    say(parted(done))
    say(f"split: {done.work.split_path}")
    say(f"next: {program()} train {done.work.root} --backbone NAME-OR-FOLDER")
    return 0


def train_command(arguments: Sequence[str]) -> int:
    """Fit head, whitening, fusion and calibration."""
    summary = "Fit head, whitening, fusion and calibration on train and val, out of fold."
    shape = Shape(
        (WORK,),
        (NAME, DRY_RUN, FIND_RATE),
        {"describe": DescribeSettings, "train": TrainSettings, **RECIPE},
        has_recipe=True,
        together=unfit,
    )
    given = parse("train", summary, shape, arguments)
    if given.switches:
        return _tried_first(given, arguments)
    seat = seat_of(os.environ)
    name, describing = _name(given), given.settings("describe", DescribeSettings)
    settings, recipe = given.settings("train", TrainSettings), recipe_given(given)
    if not seat.leads:
        is_done = train_along(
            given.words["WORK"], seat=seat, name=name, describing=describing, settings=settings,
            recipe=recipe,
        )  # fmt: skip
        return 0 if is_done else 1
    done = train(
        given.words["WORK"], name=name, describing=describing, settings=settings, recipe=recipe,
        seat=seat, watch=TerminalWatch(),
    )  # fmt: skip
    say(trained(done))
    say(f"fitted: {done.folder}")
    say(f"next: {program()} index {done.work.root}{_named(done.name)}")
    return 0


def _tried_first(given: Given, arguments: Sequence[str]) -> int:
    """What `--dry-run` or `--find-rate` asks for; of several processes that were started, one does it."""
    if not seat_of(os.environ).leads:
        return 0
    kept = [word for word in arguments if word not in (DRY_RUN.flag, FIND_RATE.flag)]
    again = shlex.join([program(), "train", *kept])
    recipe, describing = recipe_given(given), given.settings("describe", DescribeSettings)
    if FIND_RATE.flag in given.switches:
        return find_rate(given.words["WORK"], _name(given), recipe, describing, again)
    return dry_run(given.words["WORK"], recipe, describing, again)


def recipe_given(given: Given) -> Recipe:
    """The recipe with what was typed above it."""
    return Recipe(
        given.settings("train", TrainSettings).recipe,
        given.settings("augment", AugmentSettings),
        given.settings("top", TopSettings),
        given.settings("finetune", FinetuneSettings),
    )


def recipes_command(arguments: Sequence[str]) -> int:
    """The recipes, or one of them as it is written."""
    name = Option("--show", "print the file of one recipe", value="NAME")
    given = parse("recipes", "The recipes of cairn train, and what each is for.", Shape(options=(name,)), arguments)  # fmt: skip
    if name.flag in given.options:
        read_recipe(given.options[name.flag])
        say(recipe_text(given.options[name.flag]).rstrip())
        return 0
    say(table(("recipe", "for"), [(one, recipe_summary(one)) for one in recipe_names()]))
    say(f"next: {program()} recipes --show NAME, or {program()} train WORK --recipe NAME")
    return 0


def index_command(arguments: Sequence[str]) -> int:
    """Make the bundle."""
    summary = "Make the bundle: one folder that recognises anywhere, without torch."
    given = parse("index", summary, Shape((WORK,), (NAME,)), arguments)
    done = index(given.words["WORK"], name=_name(given), watch=TerminalWatch())
    say(indexed(done))
    say(f"next: {program()} evaluate {done.work.root}{_named(_name(given))}")
    return 0


def evaluate_command(arguments: Sequence[str]) -> int:
    """Score the bundle on test."""
    summary = "Score the bundle on the test part and write the report."
    shape = Shape((WORK,), (NAME,), {"evaluate": EvaluateSettings})
    given = parse("evaluate", summary, shape, arguments)
    done = evaluate(
        given.words["WORK"],
        name=_name(given),
        settings=given.settings("evaluate", EvaluateSettings),
        watch=TerminalWatch(),
    )
    say(scored(done))
    say(f"next: {program()} recognize {done.bundle} PHOTO")
    return 0


def _folder_or_addresses(given: Given, signals: Signals) -> Lists | Addresses:
    """What the whole way begins with; raises SettingsError unless it is one of the two."""
    if (FOLDER.flag in given.options) == (URLS.flag in given.options):
        found = "both are given" if FOLDER.flag in given.options else "neither is given"
        raise SettingsError(
            [f"--folder or --urls: {found}; expected: a folder of photos, or a list of addresses"]
        )
    if FOLDER.flag in given.options:
        return _lists(given)
    only_of_folders = [flag for flag in (LANDMARKS.flag, NOTES.flag) if flag in given.options]
    if only_of_folders:
        raise SettingsError(
            [
                f"{flag} goes with --folder; expected with --urls: columns of the list"
                for flag in only_of_folders
            ]
        )
    return Addresses(
        Path(given.options[URLS.flag]),
        settings=given.settings("download", DownloadSettings),
        hosts=given.path(HOSTS.flag),
        attended=lambda: attended(signals),
    )


def _lists(given: Given) -> Lists:
    return Lists(
        _required_path(given, FOLDER.flag), given.path(LANDMARKS.flag), given.path(NOTES.flag)
    )


def _required_path(given: Given, flag: str) -> Path:
    path = given.path(flag)
    if path is None:
        raise InputError(f"{flag} is not given; a path was expected; add {flag} PATH")
    return path


def _name(given: Given) -> str:
    return given.options.get(NAME.flag, DEFAULT_MODEL)


def _named(name: str) -> str:
    return "" if name == DEFAULT_MODEL else f" --name {name}"


def told(left: Project) -> str:
    """What a step left, in words."""
    return WORDS_OF[type(left)](left)


def imported(done: Imported) -> str:
    """What import did, as a sentence whose counts add up."""
    counts = done.catalog.counts()
    n_rows = sum(counts.values())
    said = ", ".join(f"{n:,} {what}" for what, n in counts.items())
    n_landmarks = len(done.catalog.landmark_ids)
    failed = done.catalog.table.filter(pl.col("status") == FAILED)
    lines = [f"{counted(n_rows, 'file')}: {said}; {counted(n_landmarks, 'landmark')}"]
    if done.n_in_two_folders:
        n = counted(done.n_in_two_folders, "photo")
        lines.append(f"{n} in the folders of several landmarks: taken to show them all")
    for source, cause in failed.select("source", "cause").head(MOST_FAILED).iter_rows():
        lines.append(f"  not kept: {source}: {cause}")
    if len(failed) > MOST_FAILED:
        lines.append(
            f"  and {len(failed) - MOST_FAILED:,} more: see the column cause of {done.work.catalog_path}"
        )
    return "\n".join(lines)


def parted(done: Parted) -> str:
    """What split did, with the leakage report."""
    counts = done.split.counts()
    said = ", ".join(f"{n:,} {what}" for what, n in counts.items())
    leak = done.leakage
    known = f" ({leak.n_found_across} of them found by scrub)" if leak.n_found_across else ""
    return (
        f"{counted(sum(counts.values()), 'image')}: {said}\n"
        f"leakage: {leak.n_copies:,} images in {counted(leak.n_groups, 'group')} of copies, "
        f"{leak.n_copies_across} pairs across parts{known}, {leak.n_alike_across} nearly alike"
    )


def trained(done: Trained) -> str:
    """What training fitted."""
    guess = (
        ""
        if done.n_distractors
        else (
            "\nno photo shows no landmark, so 'none' is a guess: put photos of anything else into a folder _none"
        )
    )
    return (
        f"fitted on {counted(done.n_images, 'image')} of {counted(done.n_landmarks, 'landmark')} and "
        f"{counted(done.n_distractors, 'distractor')}; answers from probability {done.threshold:.3f} up "
        f"(precision {100 * done.precision:g} % expected){guess}"
        + (f"\nthe training of the network: {done.page}" if done.page else "")
    )


def indexed(done: Indexed) -> str:
    """What the bundle holds."""
    return (
        f"bundle: {done.bundle} ({counted(done.n_images, 'image')} of "
        f"{counted(done.n_landmarks, 'landmark')}, {done.size_bytes / 1e6:.1f} MB)"
    )


def scored(done: Evaluated) -> str:
    """The headline scores as a table with their intervals."""
    words = table(("score", "value", "95 % interval", "of"), done.headline())
    n_scored = done.scores.counts.scored
    few = (
        f"\nonly {n_scored} test images: read the intervals, not the values"
        if n_scored < FEW
        else ""
    )
    return f"{words}{few}\nreport: {done.report}"


WORDS_OF: dict[type[Project], Callable[..., str]] = {
    Downloaded: downloaded,
    Imported: imported,
    Parted: parted,
    Trained: trained,
    Indexed: indexed,
    Evaluated: scored,
}
