"""What a person's folder and CSV files say, before any photo is opened: files, landmarks, notes."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

import polars as pl

from cairn.base.checks import counted, nearest_name
from cairn.base.errors import InputError
from cairn.base.files import require_folder
from cairn.records.landmarks import LANDMARK_SCHEMA, Landmarks

NONE_FOLDER, UNKNOWN_FOLDER, ALONE_FOLDER = "_none", "_unknown", "_alone"
SYSTEM_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
PART_FOLDERS = {"train", "val", "valid", "validation", "test"}
IMAGE_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic",
    ".heif", ".avif", ".mpo",
}  # fmt: skip
LAYOUT = """a folder for each landmark was expected, like this:
    DIR/eiffel_tower/one.jpg
    DIR/eiffel_tower/two.jpg
    DIR/old_town_hall/three.jpg
    DIR/_none/a_cat.jpg          photos that show no landmark (optional, makes 'none' answers better)
    DIR/_unknown/unsorted.jpg    photos that nobody has labelled (optional)"""
NOTE_COLUMNS = ("photo", "landmark_id", "also_shows", "licence", "license", "author", "note")
ALSO_SHOWS = re.compile(r"also shows\s+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class ListedFile:
    """A file below the folder; `landmark_id` is its landmark's folder, None where it lies in none.

    source: its path relative to the folder, as text that can be written anywhere; name_on_disk: the same
    as the operating system wants it, which differs where the name is not UTF-8.
    is_regular: False for what cannot be read as a file: a folder that is closed or a link, a pipe.
    """

    row: int
    source: str
    landmark_id: str | None
    size_bytes: int
    mtime_ns: int
    name_on_disk: str
    is_regular: bool = True

    @property
    def is_system(self) -> bool:
        """Whether an operating system left it there."""
        return any(p.startswith(".") or p.lower() in SYSTEM_NAMES for p in self.source.split("/"))


@dataclass(frozen=True)
class Note:
    """What a notes file says of one photo."""

    also_shows: tuple[str, ...] = ()
    licence: str | None = None
    author: str | None = None


@dataclass(frozen=True)
class Notes:
    """Notes by the photo's path, its folder with its stem, its name or its stem, in that order of trust."""

    by_photo: dict[str, Note] = field(default_factory=dict)

    def of(self, source: str) -> Note:
        """The note on the photo at `source`, empty where there is none."""
        return next(
            (self.by_photo[key] for key in _note_keys(source) if key in self.by_photo), Note()
        )

    def require_clear(self, sources: Sequence[str]) -> None:
        """Nothing, where each note is on one photo of `sources` at most; otherwise raises InputError."""
        found = Counter(
            next((key for key in _note_keys(source) if key in self.by_photo), "")
            for source in sources
        )
        unclear = [key for key, count in found.items() if key and count > 1]
        if unclear:
            raise InputError(
                f"the notes name {unclear[0]}, which {found[unclear[0]]} photos are called; one was expected; "
                "write the path in the column photo (landmark/name.jpg), or fill the column landmark_id"
            )


def _note_keys(source: str) -> tuple[str, ...]:
    name = source.rsplit("/", 1)[-1]
    stem, folder = name.rsplit(".", 1)[0], source.split("/")[0]
    return source, f"{folder}/{name}", f"{folder}/{stem}", name, stem


def list_files(folder: Path, *, flat: bool = False) -> list[ListedFile]:
    """Every file below `folder`, sorted by path; with `flat` files outside folders are wanted too.

    Raises InputError where `folder` is no folder, is empty or is not laid out by landmarks.
    """
    require_folder(folder, what="a folder of photos", then=f"name one; {LAYOUT}")
    names = sorted(_names_below(folder))
    files = [_listed(folder, row, name) for row, name in enumerate(names, start=1)]
    _require_layout(folder, [file for file in files if not file.is_system], flat=flat)
    return files


def _names_below(folder: Path) -> Iterator[str]:
    """The paths, relative to `folder`, of all files, and of folders that are not entered."""
    closed: list[str] = []
    for top, folders, names in os.walk(folder, onerror=lambda error: closed.append(error.filename)):
        links = [name for name in folders if Path(top, name).is_symlink()]
        for name in [*names, *links]:
            yield Path(top, name).relative_to(folder).as_posix()
    yield from (Path(path).relative_to(folder).as_posix() for path in closed)


def _listed(folder: Path, row: int, name: str) -> ListedFile:
    source = os.fsencode(name).decode("utf-8", "backslashreplace")
    try:
        stat = (folder / name).stat()
    except OSError:
        return ListedFile(row, source, _folder_of(source), 0, 0, name, is_regular=False)
    is_regular = S_ISREG(stat.st_mode)
    # A closed or linked landmark folder is named itself, so that what it holds is not lost in silence.
    landmark_id = _folder_of(source if is_regular else f"{source}/")
    return ListedFile(
        row, source, landmark_id, stat.st_size, stat.st_mtime_ns, name, is_regular=is_regular
    )


def _folder_of(source: str) -> str | None:
    return source.split("/")[0] if "/" in source else None


def _require_layout(folder: Path, files: Sequence[ListedFile], *, flat: bool) -> None:
    if not files:
        raise InputError(
            f"{folder} is empty; {LAYOUT}\nput photos there and run the same command again"
        )
    landmark_ids = {file.landmark_id for file in files if file.landmark_id}
    if landmark_ids and {name.lower() for name in landmark_ids} <= PART_FOLDERS:
        raise InputError(
            f"{folder} holds the parts {', '.join(sorted(landmark_ids))} and not landmarks; {LAYOUT}\n"
            "name one of its parts, or put all photos of a landmark together: cairn split deals them again"
        )
    loose = [file for file in files if Path(file.source).suffix.lower() in IMAGE_SUFFIXES]
    if not landmark_ids and not flat:
        raise InputError(
            f"{folder} holds {counted(len(loose), 'photo')} in no landmark's folder; {LAYOUT}\n"
            f"sort them, or let Cairn propose folders by likeness: cairn import WORK --folder {folder} --group --backbone embedded"
        )


def read_landmarks(path: Path) -> Landmarks:
    """The landmarks of a CSV file with the columns of `Landmarks`: landmark_id, name, country, latitude and so on.

    All but landmark_id may be absent; a landmark without a name is called by its id.
    Raises InputError where the file cannot be read as that.
    """
    table = _read_csv(path, known=tuple(LANDMARK_SCHEMA), needed="landmark_id")
    missing = [name for name in LANDMARK_SCHEMA if name not in table.columns]
    table = table.with_columns(pl.lit(None).alias(name) for name in missing)
    try:
        table = table.select(pl.col(name).cast(kind) for name, kind in LANDMARK_SCHEMA.items())
    except pl.exceptions.InvalidOperationError as error:
        raise InputError(
            f"{path} has a latitude or longitude that is no number; degrees such as 48.8584 were "
            "expected; mend the file"
        ) from error
    named = table.with_columns(pl.coalesce("name", "landmark_id").alias("name"))
    return Landmarks(named.sort("landmark_id"))


def read_notes(path: Path) -> Notes:
    """The notes of a CSV file: `photo` (path, file name or stem) and any of also_shows, licence, author.

    landmark_id: the photo's folder, for names that several folders hold.
    also_shows: further landmark ids, separated by spaces. A `note` column that says "also shows ID" is
    understood too; other notes are for people.
    """
    table = _read_csv(path, known=NOTE_COLUMNS, needed="photo").drop_nulls("photo")
    merged: dict[str, Note] = {}
    for row in table.iter_rows(named=True):
        is_bare = row.get("landmark_id") and "/" not in row["photo"]
        photo = f"{row['landmark_id']}/{row['photo']}" if is_bare else row["photo"]
        before = merged.get(photo, Note())
        said = ALSO_SHOWS.match(row.get("note") or "")
        further = (row.get("also_shows") or "").split() + (said.group(1).split() if said else [])
        merged[photo] = Note(
            also_shows=tuple(
                dict.fromkeys([*before.also_shows, *(w.strip(",;") for w in further)])
            ),
            licence=row.get("licence") or row.get("license") or before.licence,
            author=row.get("author") or before.author,
        )
    return Notes(merged)


def _read_csv(path: Path, *, known: tuple[str, ...], needed: str) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema=False, encoding="utf8-lossy")
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist; a CSV file with the column {needed} was expected; check its name"
        ) from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(
            f"{path} cannot be read as CSV ({error}); a header line with the column {needed} and one "
            "line each was expected; save it again as CSV in UTF-8"
        ) from error
    table = table.rename(lambda name: name.strip().lstrip("\ufeff").lower())
    if needed not in table.columns:
        near = nearest_name(needed, table.columns)
        raise InputError(
            f"{path} has the columns {', '.join(table.columns)}; {needed} was expected among "
            f"{', '.join(known)}{near}; rename the column"
        )
    return table
