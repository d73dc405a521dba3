"""The work folder: where each file of a project lies, its lock, and the parts that are done already."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cairn.base.errors import InputError
from cairn.base.files import Card, safe_name, sweep_parts
from cairn.base.settings import ImportSettings
from cairn.images.store import FolderStore
from cairn.pipeline.whole_folders import held
from cairn.records.catalog import Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.split import Split

LOCK_NAME = ".lock"
# Where files are written one by one; images are swept by import, whole folders by whole_folder.
PLACES_OF_PARTS = (
    "*",
    "cards/*",
    "descriptors/*/*",
    "points/*/*",
    "parts/import/*/*",
    "parts/checks/*",
    "reports/*/*",
    "thumbnails/*/*",
    "models/*/*",
    "datasets/*/*",
    "datasets/*/*/*",
)


@dataclass(frozen=True)
class WorkFolder:
    """One project's data below `root`; docs/files.md says what each file holds."""

    root: Path

    @property
    def catalog_path(self) -> Path:
        """Every row of every list."""
        return self.root / "catalog.parquet"

    @property
    def landmarks_path(self) -> Path:
        """Names and places."""
        return self.root / "landmarks.parquet"

    @property
    def split_path(self) -> Path:
        """The part of each image."""
        return self.root / "split.parquet"

    @property
    def journal_path(self) -> Path:
        """How each downloaded row ended."""
        return self.root / "journal.sqlite"

    @property
    def reports(self) -> Path:
        """The folder of reports."""
        return self.root / "reports"

    @property
    def thumbnails(self) -> Path:
        """Where small JPEGs of images are kept, for pages."""
        return self.root / "thumbnails"

    @property
    def image_checks_path(self) -> Path:
        """What was measured on the pixels of each image."""
        return self.root / "image_checks.parquet"

    @property
    def check_parts(self) -> Path:
        """Where image checks lie until all are made."""
        return self.root / "parts" / "checks"

    @property
    def findings_path(self) -> Path:
        """What scrub doubts."""
        return self.root / "findings.parquet"

    @property
    def decisions_path(self) -> Path:
        """What was decided about images."""
        return self.root / "decisions.parquet"

    @property
    def next_decisions_path(self) -> Path:
        """What is being decided; here only while the catalog is rewritten, or after a kill in the middle of that."""
        return self.root / ".decisions.next.parquet"

    @property
    def verified_path(self) -> Path:
        """How many other images of its landmark each image is verified to show the same as."""
        return self.root / "verified.parquet"

    @property
    def verdicts(self) -> Path:
        """The folder of what reviewers decided, a journal for each."""
        return self.root / "verdicts"

    @property
    def images(self) -> FolderStore:
        """Where images lie; the catalog's paths are relative to it."""
        return FolderStore(self.root)

    def descriptors(self, source: str) -> Path:
        """The folder of descriptors that were made in one way."""
        return self.root / "descriptors" / source[:16]

    def points(self, way: str) -> Path:
        """The folder of the points of images that were found in one way."""
        return self.root / "points" / way

    def training(self, name: str) -> Path:
        """The folder of what `cairn train` fitted."""
        return self.root / "training" / model_name(name)

    def networks(self, name: str) -> Path:
        """Where the networks that were trained under a name lie."""
        return self.root / "networks" / model_name(name)

    def bundle(self, name: str) -> Path:
        """The folder of a finished recogniser."""
        return self.root / "models" / model_name(name)

    def import_parts(self, list_name: str) -> Path:
        """The folder of the parts of one list that are imported already."""
        return self.root / "parts" / "import" / safe_name(list_name)

    @property
    def download_parts(self) -> Path:
        """Where the rows of a download lie until they are joined to the catalog."""
        return self.root / "parts" / "download"

    def dataset(self, name: str) -> Path:
        """The folder of a data set's lists, of its tars on their way, and of what became of each."""
        return self.root / "datasets" / safe_name(name)

    def card_path(self, stage: str) -> Path:
        """The card of a stage whose artefact is a single file."""
        return self.root / "cards" / f"{stage}.json"

    def catalog(self) -> Catalog:
        """The catalog; raises InputError where nothing was imported yet."""
        self.require()
        return Catalog.read(self.catalog_path)

    def landmarks(self) -> Landmarks:
        """The landmarks."""
        return Landmarks.read(self.landmarks_path)

    def split(self) -> Split:
        """The split; raises InputError where none was made yet."""
        self.require()
        return Split.read(self.split_path)

    def card(self, stage: str) -> Card | None:
        """The card of a stage, or None where it never ran to its end."""
        return Card.read(self.card_path(stage))

    def require(self) -> None:
        """Nothing, where this is a work folder; otherwise raises InputError."""
        if not self.catalog_path.is_file():
            if self.journal_path.is_file():
                raise InputError(
                    f"{self.root} holds no catalog.parquet yet, but the journal of a download that was broken off; a "
                    "download that ran to its end was expected; run the same cairn download again: it goes on"
                )
            # Whoever names a folder of photos means to begin with them.
            is_other = self.root.is_dir() and any(self.root.iterdir())
            run = (
                f"cairn import work --folder {self.root}"
                if is_other
                else f"cairn import {self.root} --folder DIR"
            )
            raise InputError(
                f"{self.root} is no work folder: it holds no catalog.parquet; a folder that cairn import or cairn "
                f"download has filled was expected; run: {run}"
            )

    def max_side_px(self) -> int:
        """The longest side at which photos are seen: the largest at which any were kept."""
        cards = [card for stage in ("import", "download") if (card := self.card(stage))]
        sides = [int(str(card.settings["max_side_px"])) for card in cards]
        return max(sides, default=ImportSettings().max_side_px)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Inside it no other Cairn writes here; half-written files of an earlier crash are gone.

        Raises InputError where another one is at work, DiskError where the folder cannot be written.
        """
        if self.root.exists() and not self.root.is_dir():
            raise InputError(
                f"{self.root} is a file; a work folder was expected; name a new folder or an old work folder"
            )
        with held(self.root / LOCK_NAME, of=self.root, otherwise="name another work folder"):
            for places in PLACES_OF_PARTS:
                sweep_parts(self.root.glob(places))
            yield


def model_name(name: str) -> str:
    """`name`, which may name a folder; raises InputError where it may not."""
    if safe_name(name) != name:
        raise InputError(
            f"the model's name {name!r} cannot name a folder; letters, digits, '_', '-' and '.' were "
            "expected; choose another name"
        )
    return name
