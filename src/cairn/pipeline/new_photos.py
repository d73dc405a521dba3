"""Photos for a bundle: read as import reads them, and told apart from those that it holds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_file
from cairn.base.settings import ImportSettings
from cairn.base.watching import Watch
from cairn.engines.local import LocalEngine
from cairn.images.store import ImageStore
from cairn.pipeline.importing import Lists
from cairn.records.catalog import FAILED, KEPT, Catalog
from cairn.stages.change_gallery import Known
from cairn.stages.import_photos import Origin, first_word, image_id_of, import_files, join_rows
from cairn.stages.listing import ListedFile, Notes, list_files, read_notes

ADDED, HELD = "added", "already in the bundle"
UNLABELLED = "excluded: nobody has said what it shows"


@dataclass(frozen=True)
class NewPhotos:
    """What became of the files of a folder; `counts` add up to `n_files`.

    images: catalog rows of those that are added, with ids that the bundle has not.
    failed: path and cause of each photo that could not be read. renamed: path and id of each image whose usual id
    another image of the bundle has. n_elsewhere: photos that the bundle holds and that show something else there.
    """

    images: pl.DataFrame
    counts: dict[str, int]
    failed: tuple[tuple[str, str], ...]
    renamed: tuple[tuple[str, str], ...]
    n_elsewhere: int

    @property
    def n_files(self) -> int:
        """The number of files in the folder."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class _Held:
    """What the bundle knows its images by: their landmarks by digest, and by id where it has no digest."""

    by_digest: dict[str, list[str]]
    by_id: dict[str, list[str]]

    @staticmethod
    def of(known: Known) -> "_Held":
        images = known.images.drop_nulls("image_id")
        is_old = pl.col("digest").is_null()
        return _Held(
            dict(images.filter(~is_old).select("digest", "landmark_ids").iter_rows()),
            dict(images.filter(is_old).select("image_id", "landmark_ids").iter_rows()),
        )

    def shown(self, file: ListedFile, digest: str | None) -> list[str] | None:
        """The landmarks of a photo that the bundle holds already; None where it is new or cannot be read."""
        if digest is None:
            return None
        return self.by_digest.get(digest, self.by_id.get(image_id_of(file.source)))


def read_new_photos(
    lists: Lists, known: Known, *, settings: ImportSettings, store: ImageStore, watch: Watch
) -> NewPhotos:
    """The photos of a folder that the bundle does not hold yet, written to the store.

    Raises InputError where the folder is not laid out by landmarks, or holds no photo that can be kept.
    """
    files = [file for file in list_files(lists.folder) if not lists.names(file)]
    there, held, new = _Held.of(known), 0, list[ListedFile]()
    n_elsewhere = 0
    for file in files:
        shown = there.shown(file, _digest(lists, file, settings))
        if shown is None:
            new.append(file)
        else:
            held += 1
            n_elsewhere += _says_otherwise(file, shown)
    catalog = _joined(lists, new, known, settings, store, watch)
    images = catalog.kept.drop_nulls("landmark_ids")
    counts = _counts(catalog, n_added=len(images), n_held=held)
    if not len(images) and not held:
        found = ", ".join(f"{n:,} {what}" for what, n in counts.items())
        raise InputError(
            f"{lists.folder} holds no photo that can be added ({found}); files such as .jpg, .png or .heic in landmark "
            "folders were expected; nothing was changed: name another folder"
        )
    images, renamed = _with_ids_of_their_own(images, set(known.images["image_id"].drop_nulls()))
    failed = catalog.table.filter(pl.col("status") == FAILED).select("source", "cause")
    return NewPhotos(images, counts, tuple(failed.iter_rows()), renamed, n_elsewhere)


def _digest(lists: Lists, file: ListedFile, settings: ImportSettings) -> str | None:
    """The digest of a photo's bytes; None where it is none that import would read."""
    is_read = file.is_regular and not file.is_system and file.landmark_id is not None
    if not is_read or file.size_bytes > settings.max_bytes:
        return None
    try:
        return digest_file(lists.folder / file.name_on_disk)
    except OSError:
        return None


def _says_otherwise(file: ListedFile, shown: Sequence[str]) -> bool:
    """Whether the folder of a photo says that it shows something else than the bundle says."""
    word = first_word(file.landmark_id)
    return word is not None and (bool(set(word) - set(shown)) or (not word and bool(shown)))


def _joined(
    lists: Lists, new: Sequence[ListedFile], known: Known, settings: ImportSettings, store: ImageStore,
    watch: Watch,
) -> Catalog:  # fmt: skip
    origin = Origin(lists.folder.name, lists.folder, store)
    rows = []
    with watch.phase("read", len(new)) as advance:
        for row in import_files(new, origin=origin, settings=settings, engine=LocalEngine()):
            rows.append(row)
            advance(1)
    notes = read_notes(lists.notes) if lists.notes else Notes()
    landmark_ids = known.landmarks.table["landmark_id"].to_list()
    return join_rows(rows, notes=notes, before=None, known=landmark_ids)


def _counts(catalog: Catalog, *, n_added: int, n_held: int) -> dict[str, int]:
    """The number of files by what became of them."""
    counts = Counter(catalog.counts())
    n_kept = counts.pop(KEPT, 0)
    told = {ADDED: n_added, HELD: n_held, UNLABELLED: n_kept - n_added, **counts}
    return {what: n for what, n in told.items() if n}


def _with_ids_of_their_own(
    images: pl.DataFrame, taken: set[str]
) -> tuple[pl.DataFrame, tuple[tuple[str, str], ...]]:
    """`images` with another id where the bundle has one of that id, and their paths with these ids.

    The other id is one of path and bytes, so it is the same wherever the folder lies.
    """
    named = images.select("source", "digest", "image_id").iter_rows()
    renamed = {
        source: image_id_of(f"{source}\n{digest}")
        for source, digest, image_id in named
        if image_id in taken
    }
    ids = pl.coalesce(pl.col("source").replace_strict(renamed, default=None), "image_id")
    with_ids = images.with_columns(ids.alias("image_id")) if renamed else images
    return with_ids, tuple(renamed.items())
