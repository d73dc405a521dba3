"""Import: a folder for each landmark becomes catalog rows and checked images in the store."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes
from cairn.base.settings import ImportSettings
from cairn.engines.local import Engine
from cairn.images.keeping import Fit, keep
from cairn.images.pixels import Cause, Limits, PixelError
from cairn.images.store import ImageStore, image_path
from cairn.records.catalog import CATALOG_SCHEMA, DUPLICATE, EXCLUDED, FAILED, KEPT, Catalog
from cairn.records.landmarks import Landmarks
from cairn.stages.joining import with_twins
from cairn.stages.listing import ALONE_FOLDER, NONE_FOLDER, UNKNOWN_FOLDER, ListedFile, Note, Notes

SYSTEM_FILE, NO_FOLDER = "system file", "in no landmark's folder"
Row = dict[str, object]


@dataclass(frozen=True)
class Origin:
    """Where the files lie (`folder`) and where what is kept of them goes (`store`).

    taken_ids: the image ids of other lists, which no image of this one gets.
    """

    list_name: str
    folder: Path
    store: ImageStore
    taken_ids: frozenset[str] = frozenset()


def image_id_of(source: str) -> str:
    """The id of an image that has none of its own: 16 hex digits of the digest of `source`."""
    return digest_bytes(source.encode())[:16]


def ids_of_other_lists(before: Catalog | None, list_name: str) -> frozenset[str]:
    """The image ids that lists other than `list_name` have taken."""
    if before is None:
        return frozenset()
    return frozenset(before.table.filter(pl.col("list") != list_name)["image_id"])


def import_files(
    files: Sequence[ListedFile], *, origin: Origin, settings: ImportSettings, engine: Engine
) -> Iterator[Row]:
    """A catalog row for each of `files`, in order, its image written to the store where it is one."""
    return engine.map(lambda file: _import_file(file, origin, settings), files)


def _import_file(file: ListedFile, origin: Origin, settings: ImportSettings) -> Row:
    row: Row = dict.fromkeys(CATALOG_SCHEMA)
    row |= {"list": origin.list_name, "row": file.row, "source": file.source}
    image_id = image_id_of(file.source)
    if image_id in origin.taken_ids:
        image_id = image_id_of(f"{origin.list_name}\n{file.source}")
    row |= {"image_id": image_id, "own_landmark_ids": first_word(file.landmark_id)}
    if file.is_system:
        return row | {"status": EXCLUDED, "cause": SYSTEM_FILE}
    if not file.is_regular:
        return row | {"status": FAILED, "cause": str(Cause.NO_ACCESS)}
    if file.landmark_id is None:
        return row | {"status": EXCLUDED, "cause": NO_FOLDER}
    try:
        return row | _kept(file, file.landmark_id, image_id, origin, settings)
    except PixelError as error:
        return row | {"status": FAILED, "cause": str(error.cause), "size_bytes": file.size_bytes}


def first_word(landmark_id: str | None) -> list[str] | None:
    """What the folder's name says of the truth: unknown, no landmark, or this one."""
    if landmark_id in (None, UNKNOWN_FOLDER, ALONE_FOLDER):
        return None
    return [] if landmark_id == NONE_FOLDER else [str(landmark_id)]


def _kept(
    file: ListedFile, landmark_id: str, image_id: str, origin: Origin, settings: ImportSettings
) -> Row:
    limits = Limits(settings.max_pixels, settings.max_bytes)
    content = _read(origin.folder / file.name_on_disk, file.size_bytes, limits)
    fit = Fit(max_side_px=settings.max_side_px, quality=settings.quality, thorough=True)
    image = keep(content, fit=fit, limits=limits)
    path = image_path(landmark_id, image_id, image.suffix)
    origin.store.write(path, image.content)
    return {
        "status": KEPT,
        "path": path,
        "height_px": image.height_px,
        "width_px": image.width_px,
        "size_bytes": len(image.content),
        "digest": image.digest,
        "kept_digest": image.kept_digest,
        "likeness": image.likeness,
    }


def _read(path: Path, size_bytes: int, limits: Limits) -> bytes:
    if size_bytes > limits.max_bytes:
        raise PixelError(
            Cause.TOO_MANY_BYTES,
            f"{path} has {size_bytes:,} bytes; at most {limits.max_bytes:,} were expected; make it "
            "smaller or raise --max-bytes",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise PixelError(
            Cause.NO_ACCESS,
            f"{path} cannot be read: {error.strerror}; a readable file was expected; check its permissions",
        ) from error


def join_rows(
    rows: Iterable[Row], *, notes: Notes, before: Catalog | None, known: Collection[str] = ()
) -> Catalog:
    """The catalog of `rows` with what `notes` say; rows of other lists in `before` stay in front.

    Rows with the same bytes point to their twin, the first of them; a photo that lies in the folders
    of several landmarks is taken to show them all.
    known: landmarks that notes may name beside those of the folders.
    """
    new = list(rows)
    notes.require_clear([str(row["source"]) for row in new])
    noted = [_with_note(row, notes.of(str(row["source"]))) for row in new]
    table = pl.DataFrame(noted, schema=CATALOG_SCHEMA)
    if before is not None:
        lists = table["list"].unique()
        table = pl.concat([before.table.filter(~pl.col("list").is_in(lists.implode())), table])
    _require_known_landmarks(table, notes, known)
    return Catalog(with_twins(table))


def _with_note(row: Row, note: Note) -> Row:
    shown = row["own_landmark_ids"]
    if isinstance(shown, list):
        row = row | {"own_landmark_ids": list(dict.fromkeys([*shown, *note.also_shows]))}
    return row | {"licence": note.licence, "author": note.author}


def _require_known_landmarks(table: pl.DataFrame, notes: Notes, known: Collection[str]) -> None:
    with_folder = {*table["own_landmark_ids"].list.first().unique(), *known}
    named = {landmark for note in notes.by_photo.values() for landmark in note.also_shows}
    unknown = sorted(named - with_folder)
    if unknown:
        raise InputError(
            f"the notes name {', '.join(unknown[:5])}, which no photo's folder is called; names of "
            "landmark folders were expected; mend the notes or add a folder with photos of it"
        )


def landmarks_of(catalog: Catalog, given: Landmarks | None, before: Landmarks | None) -> Landmarks:
    """The landmarks that the catalog's images show; names and places from `given`, else from `before`."""
    known: dict[str, Row] = {}
    for source in (before, given):
        if source is not None:
            known |= {row["landmark_id"]: row for row in source.table.iter_rows(named=True)}
    return Landmarks.of(
        known.get(landmark_id, {"landmark_id": landmark_id, "name": landmark_id.replace("_", " ")})
        for landmark_id in catalog.landmark_ids
    )


def in_two_folders(catalog: Catalog) -> int:
    """The number of kept images whose bytes lie in the folders of several landmarks."""
    twins = catalog.table.filter(pl.col("status") == DUPLICATE)
    pairs = twins.join(catalog.kept, left_on="twin_id", right_on="image_id", how="inner")
    own = pl.col("own_landmark_ids").list.first()
    other = own != pl.col("own_landmark_ids_right").list.first()
    return pairs.filter(other)["twin_id"].n_unique()
