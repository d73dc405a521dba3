"""Import over a work folder: in parts that are written whole, so that a second run does only the rest."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import Card, digest_bytes, digest_json, sweep_parts
from cairn.base.settings import ImportSettings
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.pixels import Cause
from cairn.pipeline.holding import hold_decisions
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import CATALOG_SCHEMA, KEPT, Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.tables import write_table
from cairn.stages.import_photos import (
    Origin,
    Row,
    ids_of_other_lists,
    import_files,
    join_rows,
    landmarks_of,
)
from cairn.stages.listing import ListedFile, Notes, list_files, read_landmarks, read_notes
from cairn.version import __version__

# A part ends at a file whose name's digest starts with this, so that a new file changes one part only.
PART_ENDS_AT = "00"
MOST_FILES_A_PART = 1024


@dataclass(frozen=True)
class Lists:
    """What is imported: a folder, and CSV files that say more of its landmarks and photos."""

    folder: Path
    landmarks: Path | None = None
    notes: Path | None = None

    def names(self, file: ListedFile) -> bool:
        """Whether `file` is one of the two CSV files, lying among the photos."""
        path = (self.folder / file.source).resolve()
        return path in {given.resolve() for given in (self.landmarks, self.notes) if given}


def import_lists(
    work: WorkFolder, lists: Lists, *, settings: ImportSettings, engine: Engine, watch: Watch
) -> Catalog:
    """The catalog of all that was imported so far and this folder, written to the work folder."""
    require_apart(work.root, lists.folder)
    files = [file for file in list_files(lists.folder) if not lists.names(file)]
    notes = read_notes(lists.notes) if lists.notes else Notes()
    given = read_landmarks(lists.landmarks) if lists.landmarks else None
    before = Catalog.read(work.catalog_path) if work.catalog_path.exists() else None
    known = Landmarks.read(work.landmarks_path) if work.landmarks_path.exists() else None
    list_name = lists.folder.resolve().as_posix()
    origin = Origin(list_name, lists.folder, work.images, ids_of_other_lists(before, list_name))
    _tell_of_others(work, before, list_name, watch)
    _sweep_images(work)
    rows: list[Row] = []
    done: set[Path] = set()
    with watch.phase("import", len(files)) as advance:
        for part in _parts(files):
            path = _part_path(work, part, origin, settings)
            rows += _part_rows(work, path, part, origin, settings, engine)
            done.add(path)
            advance(len(part))
    _require_an_image(lists.folder, rows)
    for stale in set(work.import_parts(origin.list_name).glob("*.parquet")) - done:
        stale.unlink()
    catalog = join_rows(rows, notes=notes, before=before)
    landmarks_of(catalog, given, known).write(work.landmarks_path)
    catalog.write(work.catalog_path)
    if hold_decisions(work, known=known):
        catalog = work.catalog()
    _remove_unused(work, catalog, before)
    _card(settings, catalog).write(work.card_path("import"))
    return catalog


def require_apart(work: Path, folder: Path) -> None:
    """Nothing, where the work folder lies outside the photos; otherwise raises InputError."""
    inner, outer = work.resolve(), folder.resolve()
    if inner == outer or outer in inner.parents:
        raise InputError(
            f"the work folder {work} lies in the folder of photos {folder}; Cairn would take its own files for "
            "photos; name a work folder somewhere else, such as work"
        )


def _tell_of_others(work: WorkFolder, before: Catalog | None, list_name: str, watch: Watch) -> None:
    """A word where photos of other folders are there from before: they count too."""
    if before is None:
        return
    others = before.images.filter(pl.col("list") != list_name)
    if len(others):
        names = ", ".join(others["list"].unique(maintain_order=True))
        watch.note(
            f"{work.root} also holds {len(others):,} images imported before from {names}; they count too; for "
            "a project of its own, name another work folder"
        )


def _require_an_image(folder: Path, rows: Sequence[Row]) -> None:
    if not any(row["status"] == KEPT for row in rows):
        causes = Counter(str(row["cause"]) for row in rows)
        found = ", ".join(f"{n:,} {cause}" for cause, n in causes.most_common())
        raise InputError(
            f"{folder} holds no photo that can be kept ({found}); files such as .jpg, .png or .heic in "
            "landmark folders were expected; nothing was changed: name another folder"
        )


def _parts(files: Sequence[ListedFile]) -> Iterator[list[ListedFile]]:
    part: list[ListedFile] = []
    for file in files:
        part.append(file)
        ends = digest_bytes(file.source.encode()).startswith(PART_ENDS_AT)
        if ends or len(part) == MOST_FILES_A_PART:
            yield part
            part = []
    if part:
        yield part


def _part_path(
    work: WorkFolder, part: Sequence[ListedFile], origin: Origin, settings: ImportSettings
) -> Path:
    """Where the rows of a part lie: another place for other files, other bytes or other settings."""
    files: list[JsonValue] = [[file.source, file.size_bytes, file.mtime_ns] for file in part]
    key = digest_json([__version__, settings.as_json(), files])
    return work.import_parts(origin.list_name) / f"{key[:32]}.parquet"


def _part_rows(
    work: WorkFolder, path: Path, part: Sequence[ListedFile], origin: Origin,
    settings: ImportSettings, engine: Engine,
) -> list[Row]:  # fmt: skip
    """The rows of a part, read back from `path` where they lie there and their images are whole."""
    rows = _rows_at(path, work)
    if rows is None:
        rows = list(import_files(part, origin=origin, settings=settings, engine=engine))
        # What could not be opened may open next time; all else would come out the same.
        if not any(row["cause"] == Cause.NO_ACCESS for row in rows):
            write_table(pl.DataFrame(rows, schema=CATALOG_SCHEMA), path)
    return [row | {"row": file.row} for row, file in zip(rows, part, strict=True)]


def _rows_at(path: Path, work: WorkFolder) -> list[Row] | None:
    """The rows of a finished part, or None where it is not finished or an image of it has gone."""
    try:
        rows = list(pl.read_parquet(path).iter_rows(named=True))
    except (OSError, pl.exceptions.PolarsError):
        return None
    whole = all(_lies_whole(work, row) for row in rows if row["status"] == KEPT)
    return rows if whole else None


def _lies_whole(work: WorkFolder, row: Row) -> bool:
    try:
        return (work.root / str(row["path"])).stat().st_size == row["size_bytes"]
    except OSError:
        return False


def _sweep_images(work: WorkFolder) -> None:
    sweep_parts((work.root / "images").glob("*/*"))


def _remove_unused(work: WorkFolder, catalog: Catalog, before: Catalog | None) -> None:
    """Images that an earlier catalog kept and nothing names any more are removed; sources stay."""
    named = set(catalog.table["path"])
    for path in set(before.table["path"].drop_nulls()) - named if before else set():
        (work.root / path).unlink(missing_ok=True)


def _card(settings: ImportSettings, catalog: Catalog) -> Card:
    return Card(
        stage="import", version=__version__, settings=settings.as_json(), inputs={}, outputs={},
        said=dict(catalog.counts()),
    )  # fmt: skip
