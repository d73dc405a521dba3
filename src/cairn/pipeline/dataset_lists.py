"""The lists of a data set on this disk: brought in a folder, fetched where missing, or made into one of addresses."""

import asyncio
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from cairn.base.errors import InputError
from cairn.base.files import require_folder, write_whole
from cairn.base.settings import DownloadSettings
from cairn.base.watching import Watch
from cairn.images.fetch.causes import FetchError
from cairn.pipeline.dataset_choice import CLEAN, ChosenPart, DatasetChoice
from cairn.pipeline.fetching import Surroundings, counted_pace, open_client
from cairn.pipeline.listed import LandmarkFacts
from cairn.stages.download.progress import Attendance, Counts
from cairn.stages.download.space import Room, free_at
from cairn.stages.gld.datasets import Dataset, find_lists
from cairn.stages.gld.list_crew import ListCrew, ListHands
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.resuming import FileFetcher
from cairn.stages.gld.small_lists import landmark_names
from cairn.stages.gld.tar_fetching import LISTS_FOLDER, DatasetFetcher

COLUMNS_OF_ADDRESSES = ("id", "url", "landmark_id", "landmark_name", "licence", "author")


def lists_here(choice: DatasetChoice, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Those lists of `names` that are on this disk, by name: in the folder that was named, else among the fetched.

    folder: of the data set, in the work folder.
    Raises InputError where one has other columns, or the folder that was named is none.
    """
    found: dict[str, Path] = {}
    for place in (choice.lists, folder / LISTS_FOLDER):
        if place is None:
            continue
        if place == choice.lists:
            require_folder(place, what="a folder of lists", then="check --lists")
        here = [name for name in names if name not in found and (place / name).exists()]
        found |= find_lists(choice.dataset, place, here)
    return found


def require_lists(choice: DatasetChoice, names: Iterable[str]) -> dict[str, Path]:
    """The lists of a data set that nobody serves any more; raises InputError where one is missing or odd."""
    folder = require_folder(choice.lists or Path(), what="a folder of lists", then="check --lists")
    return find_lists(choice.dataset, folder, names)


def fetch_lists(
    choice: DatasetChoice,
    folder: Path,
    names: Iterable[str],
    *,
    settings: DownloadSettings,
    around: Surroundings,
    watch: Watch,
) -> dict[str, Path] | None:
    """Every list of `names`, those that are not here fetched into `folder`; None where the end was asked for before.

    Raises InputError where one cannot be had.
    """
    wanted = list(dict.fromkeys(names))
    found = lists_here(choice, folder, wanted)
    missing = [name for name in wanted if name not in found]
    if not missing:
        return found
    with around.attended() as attendance:
        fetching = _fetch(choice, folder, missing, settings, around, watch, attendance)
        is_done = asyncio.run(fetching)
    return lists_here(choice, folder, wanted) if is_done else None


async def _fetch(
    choice: DatasetChoice, folder: Path, missing: Sequence[str], settings: DownloadSettings,
    around: Surroundings, watch: Watch, attendance: Attendance,
) -> bool:  # fmt: skip
    """Whether the lists are all here now; raises InputError where one cannot be had."""

    def address_of(name: str) -> str:
        return choice.dataset.address(choice.dataset.list_file(name).place, base=choice.base)

    spare_bytes, counts = settings.spare_disk_mb * 1_000_000, Counts()
    room = Room(lambda: free_at(folder.parent.parent), spare_bytes=spare_bytes)
    async with open_client(settings, lookup=around.lookup) as client:
        files = FileFetcher(
            client, spare_bytes=spare_bytes, note=watch.note,
            pace=counted_pace(counts, settings, around),
        )  # fmt: skip
        fetcher = DatasetFetcher(files, choice.dataset, folder, base=choice.base, watch=watch)
        crew = ListCrew(
            missing, ListHands(fetcher, address_of, room, counts, watch.note), attendance
        )
        try:
            return await crew.run()
        except FetchError as error:
            name = missing[counts.n_kept]
            raise InputError(
                f"the list {name} could not be fetched from {address_of(name)}: {error}; the list as it was "
                "published was expected there; run the same command again, or put it into a folder and name that "
                "with --lists"
            ) from error


def facts_of(part: ChosenPart, paths: Mapping[str, Path]) -> dict[str, LandmarkFacts]:
    """What the lists of a part say of each landmark, by the id that it has here."""
    if part.part.names is None or part.part.names[0] not in paths:
        return {}
    categories, hierarchy = part.part.names
    named = landmark_names(paths[categories], paths.get(hierarchy))
    return {
        part.part.landmark_prefix + landmark_id: LandmarkFacts(
            words.name,
            supercategory=words.supercategory or None,
            hierarchical_label=words.hierarchical_label or None,
            natural_or_human_made=words.natural_or_human_made or None,
        )
        for landmark_id, words in named.items()
    }


def list_of_addresses(
    dataset: Dataset, part: ChosenPart, paths: Mapping[str, Path], folder: Path
) -> Path:
    """The path in `folder` of a list of the part's wanted images, with all that its lists say of each.

    Written only where it is not there, or older than one of `paths`.
    """
    path = folder / f"{part.part.name}{CLEAN if part.is_clean else ''}_addresses.csv"
    newest = max(found.stat().st_mtime_ns for found in paths.values())
    if path.exists() and path.stat().st_mtime_ns > newest:
        return path
    facts = facts_of(part, paths)
    with PartRows(dataset, part.part, paths, is_clean=part.is_clean) as rows:
        rows.open_credits()
        write_whole(path, lambda file: _write_addresses(file, rows, facts))
    return path


def _write_addresses(file: BinaryIO, rows: PartRows, facts: Mapping[str, LandmarkFacts]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS_OF_ADDRESSES)
    for row in rows.rows():
        if row.is_wanted:
            landmark_id = row.landmark_ids[0] if row.landmark_ids else ""
            name = facts[landmark_id].name if landmark_id in facts else ""
            words = (name, row.credit.licence, row.credit.author)
            writer.writerow([row.image_id, row.url, landmark_id, *(word or "" for word in words)])
        elif row.is_malformed:
            writer.writerow([row.image_id])
    # Rows of one field, which whoever reads this list counts as malformed.
    writer.writerows([["a line that is no row"]] * rows.n_odd_lines)
    text.detach()
