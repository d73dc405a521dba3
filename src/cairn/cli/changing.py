"""The commands that change a finished bundle: add, remove."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.settings import ImportSettings
from cairn.cli.display import TerminalWatch, program, say
from cairn.cli.flags import Option, Shape, Word, parse
from cairn.pipeline.changing import Added, Changed, Removed, add, remove

BUNDLE = Word("BUNDLE", "a bundle: the folder that cairn index has made")
DIR = Word("DIR", "a folder for each landmark, photos inside; _none for those that show none")
IDS = Word("ID", "a landmark or an image of the bundle, by its id", many=True)
LANDMARKS = Option(
    "--landmarks", "CSV: landmark_id, name, country, latitude, longitude", value="CSV"
)
NOTES = Option("--notes", "CSV: photo, also_shows, licence, author", value="CSV")
MOST_NAMED = 5


def add_command(arguments: Sequence[str]) -> int:
    """Photos and landmarks come into a bundle, without training."""
    summary = "Photos of new or known landmarks come into a bundle, without training."
    given = parse(
        "add", summary, Shape((BUNDLE, DIR), (LANDMARKS, NOTES), {"import": ImportSettings}), arguments
    )  # fmt: skip
    given.require_untyped_names(
        ("max_side_px",), because="photos are seen at the size that the bundle's card says"
    )
    done = add(
        given.words["BUNDLE"],
        Path(given.words["DIR"]),
        landmarks=given.path(LANDMARKS.flag),
        notes=given.path(NOTES.flag),
        settings=given.settings("import", ImportSettings),
        watch=TerminalWatch(),
    )
    say(added(done))
    say(holds(done))
    say(f"next: {program()} recognize {done.bundle} PHOTO")
    return 0


def remove_command(arguments: Sequence[str]) -> int:
    """Landmarks and images go from a bundle, without training."""
    summary = "Landmarks and images go from a bundle, without training."
    given = parse("remove", summary, Shape((BUNDLE, IDS)), arguments)
    done = remove(given.words["BUNDLE"], given.lists["ID"], watch=TerminalWatch())
    say(removed(done))
    say(holds(done))
    say(f"next: {program()} recognize {done.bundle} PHOTO")
    return 0


def added(done: Added) -> str:
    """What became of the files, in lines whose counts add up."""
    photos = done.photos
    said = ", ".join(f"{n:,} {what}" for what, n in photos.counts.items())
    lines = [f"{counted(photos.n_files, 'file')}: {said}"]
    lines += _first(f"not added: {path}: {cause}" for path, cause in photos.failed)
    lines += _first(
        f"{path} is image {image_id}: another image has the id that its path gives"
        for path, image_id in photos.renamed
    )
    if photos.n_elsewhere:
        lines.append(
            f"{counted(photos.n_elsewhere, 'photo')} of those already in the bundle under another landmark, which stays"
        )
    if done.change is not None and done.change.landmarks:
        lines.append(f"new: {_some(done.change.landmarks)}")
    return "\n".join(lines)


def removed(done: Removed) -> str:
    """What the ids were taken for, and what went."""
    chosen = done.chosen
    lines = [f"{what}: {_some(ids)}" for what, ids in (
        (counted(len(chosen.landmarks), "landmark"), chosen.landmarks),
        (counted(len(chosen.images), "image"), chosen.images),
    ) if ids]  # fmt: skip
    if done.change is not None:
        lines.append(done.change.words())
    return "\n".join(lines)


def holds(done: Changed) -> str:
    """What the bundle holds now."""
    unchanged = "" if done.change else "; nothing was changed"
    return (
        f"bundle: {done.bundle} ({counted(done.n_images, 'image')} of {counted(done.n_landmarks, 'landmark')}, "
        f"{counted(done.n_distractors, 'distractor')}){unchanged}"
    )


def _first(lines: Iterable[str]) -> list[str]:
    """The first of `lines`, indented, and how many more there are."""
    every = list(lines)
    more = len(every) - MOST_NAMED
    return [f"  {line}" for line in every[:MOST_NAMED]] + [f"  and {more:,} more"] * (more > 0)


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
