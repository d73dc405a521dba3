"""What `cairn download --dataset` takes and says: options become a choice, what was left or found becomes words."""

from cairn.base.checks import counted, duration
from cairn.base.errors import SettingsError
from cairn.cli.display import program
from cairn.cli.flags import Given, Option
from cairn.pipeline.dataset_choice import DatasetChoice
from cairn.pipeline.results import DownloadedPart, LookedPart
from cairn.records.catalog import PENDING

DATASET = Option(
    "--dataset", "instead of --urls: gld-v1 or gld-v2, Google Landmarks of 2018 and 2019", value="NAME"
)  # fmt: skip
PARTS = Option(
    "--parts", "of the data set, joined by commas: train, train_clean, index, test [train]", value="NAMES"
)  # fmt: skip
LISTS = Option("--lists", "a folder with lists of the data set that are here already", value="DIR")
BASE = Option("--base", "a mirror of the data set, instead of where it was published", value="ADDRESS")  # fmt: skip
TARS = Option("--tars", "only the first so many tars of each part, for a start that is small [all]", value="N")  # fmt: skip
FROM = Option("--from", "tars, or urls: each photo from its own address [tars, where there are any]", value="WHICH")  # fmt: skip
OPTIONS = (DATASET, PARTS, LISTS, BASE, TARS, FROM)
MOST_FAILED = 5


def choice_of(given: Given, urls: Option) -> DatasetChoice | None:
    """The data set that was asked for; None where a list of addresses was.

    Raises SettingsError where it was both or neither, and with all that is wrong in the choice.
    """
    options = given.options
    if DATASET.flag not in options:
        alone = [option.flag for option in OPTIONS if option.flag in options]
        if alone:
            raise SettingsError(
                [
                    f"{flag} goes with --dataset; expected: a data set; add --dataset gld-v2"
                    for flag in alone
                ]
            )
        return None
    if urls.flag in options:
        raise SettingsError(
            [
                f"{urls.flag} and {DATASET.flag} are both given; expected: one of the two; leave the other"
            ]
        )
    return DatasetChoice(
        name=options[DATASET.flag],
        parts=tuple(
            word.strip() for word in options.get(PARTS.flag, "").split(",") if word.strip()
        ),
        lists=given.path(LISTS.flag),
        base=options.get(BASE.flag, ""),
        n_tars=_number(options.get(TARS.flag)),
        by=options.get(FROM.flag, ""),
    )


def _number(word: str | None) -> int:
    if word is None:
        return 0
    if not word.isdecimal() or int(word) < 1:
        raise SettingsError([f"{TARS.flag} is {word!r}; expected: a number from 1 up"])
    return int(word)


def tars_of(part: DownloadedPart) -> str:
    """What became of the tars of a part; empty where there are none."""
    if not part.n_tars:
        return ""
    n_read = part.n_tars - part.n_unread - len(part.failed_tars)
    said = [
        f"{n_read:,} read",
        f"{part.n_unread:,} not fetched yet",
        f"{len(part.failed_tars):,} failed",
    ]
    lines = [f"{counted(part.n_tars, 'tar')}: {', '.join(said)}"]
    lines += [f"  {tar}: {cause}" for tar, cause in list(part.failed_tars.items())[:MOST_FAILED]]
    return "\n".join(lines)


def next_of_part(part: DownloadedPart, otherwise: str) -> str:
    """What to run next: `otherwise`, but where a start that is small has come to its end."""
    tally = part.downloaded.tally
    n_waiting = tally.count(PENDING)
    if not part.n_tars or not n_waiting or not tally.n_kept or part.downloaded.was_stopped:
        return otherwise
    return (
        f"{program()} split {part.work.root}   (or the same command again, with more {TARS.flag} or none: "
        f"{counted(n_waiting, 'row')} may come from {counted(part.n_unread, 'tar')} that were not read yet)"
    )


def looked_at_part(found: LookedPart) -> str:
    """What a dry run found of a part, and what it will cost."""
    if found.n_rows is None or found.n_wanted is None or found.n_chosen is None:
        about = "" if found.n_rows is None else f": {counted(found.n_rows, 'row')}, as published"
        lines = [f"{found.list_name}{about}"]
        lines.append(
            f"  its lists are not here ({', '.join(found.missing_lists)}): a run fetches them first"
        )
    else:
        lines = [
            f"{found.list_name}: {counted(found.n_rows, 'row')}, {found.n_wanted:,} wanted and not here"
        ]
        if found.n_chosen < found.n_rows:
            lines.append(f"  {found.n_rows - found.n_chosen:,} are not chosen")
        if found.n_chosen > found.n_wanted:
            lines.append(f"  {found.n_chosen - found.n_wanted:,} are settled already")
    lines += [f"  {words}" for words in found.odd]
    photos = (
        ""
        if found.n_photos is None
        else f", about {counted(found.n_photos, 'photo')} of them wanted"
    )
    kept = "" if found.kept_bytes is None else f", {found.kept_bytes / 1e9:,.2f} GB kept"
    lines.append(
        f"tars: {found.n_tars_to_read:,} of {found.n_tars:,} to be read{photos}; they are not kept"
    )
    lines.append(
        f"cost: {found.received_bytes / 1e9:,.2f} GB received{kept}, {found.disk_bytes / 1e9:,.2f} GB more on the disk "
        f"meanwhile, about {duration(found.hours * 3600)}"
    )
    return "\n".join([*lines, f"  {found.basis}", found.room])
