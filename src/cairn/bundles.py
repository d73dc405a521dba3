"""A bundle: one folder that holds a finished recogniser; what lies in it, and whether it is whole."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from safetensors.numpy import load_file

from cairn.algorithms.answering import FittedRecognizer
from cairn.algorithms.candidates import Gallery
from cairn.base.checks import counted
from cairn.base.errors import BundleError, InputError
from cairn.base.files import FileRecord, digest_file, require_folder, write_json
from cairn.base.settings import DescribeSettings, TrainSettings
from cairn.indexes import GalleryIndex
from cairn.models.folders import Backbone, BackboneConfig
from cairn.records.landmarks import Landmarks
from cairn.records.points import POINT_FILES

# 1 has no points.
FORMAT_VERSION: Literal[2] = 2
CARD = "card.json"
NETWORK, HEAD, GALLERY = "network.onnx", "head.safetensors", "gallery.parquet"
INDEX, DISTRACTORS, LANDMARKS = "index.faiss", "distractors.npy", "landmarks.parquet"
CALIBRATION, OUT_OF_FOLD, THUMBNAILS = "calibration.json", "out_of_fold.parquet", "thumbnails"
DISTRACTOR_IMAGES = "distractors.parquet"
POINTS = "points"
# What answers depend on; thumbnails and out-of-fold answers are for people, ids of distractors for changes.
NEEDED = (NETWORK, HEAD, GALLERY, INDEX, DISTRACTORS, LANDMARKS, CALIBRATION)
_POINT_NAMES = tuple(f"{POINTS}/{name}" for name in POINT_FILES)
COPY_AGAIN = "copy the whole bundle again, or make it again with: cairn index WORK"


class BackboneCard(BaseModel):
    """The network of a bundle: how it wants its images, and what it gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    digest: str
    stride: int
    outputs: dict[str, int]
    config: BackboneConfig


class NetworkTraining(BaseModel):
    """How the network of a bundle was trained, where `cairn train` trained it by a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    recipe: str
    augment: dict[str, JsonValue]
    top: dict[str, JsonValue]
    finetune: dict[str, JsonValue]
    ended: str
    steps: int
    best_epoch: int
    best_gap_on_val: float | None
    images_lost: int
    key: str
    made_from: dict[str, str]
    machine: str
    versions: dict[str, str]


class GalleryChange(BaseModel):
    """What `cairn add` or `cairn remove` once did to a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    did: Literal["add", "remove"]
    at: str
    cairn: str
    n_images: int
    n_distractors: int
    landmarks: tuple[str, ...]

    def words(self) -> str:
        """The change as words: `added 5 images and 0 distractors (new: tower)`."""
        done = {"add": "added", "remove": "removed"}[self.did]
        named = ", ".join(self.landmarks[:3]) + ", …" * (len(self.landmarks) > 3)
        which = {"add": "new", "remove": "gone"}[self.did]
        told = f"{done} {counted(self.n_images, 'image')} and {counted(self.n_distractors, 'distractor')}"
        return f"{told} ({which}: {named})" if named else told


class BundleCard(BaseModel):
    """What a bundle says of itself in `card.json`; docs/files.md explains every key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format_version: Literal[1, 2] = FORMAT_VERSION
    cairn: str
    backbone: BackboneCard
    describe: DescribeSettings
    max_side_px: int
    train: TrainSettings
    threshold: float
    n_images: int
    n_landmarks: int
    n_distractors: int
    descriptor_width: int
    fitted_from: dict[str, str]
    files: dict[str, FileRecord]
    scores: dict[str, JsonValue] = Field(default_factory=dict)
    network_training: NetworkTraining | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    changes: tuple[GalleryChange, ...] = ()

    def write(self, folder: Path) -> None:
        """The card lies in `folder`."""
        write_json(folder / CARD, self.model_dump(mode="json"))


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found whole."""

    folder: Path
    card: BundleCard

    @property
    def has_points(self) -> bool:
        """Whether it holds points of its images, to verify candidates by."""
        return all(name in self.card.files for name in _POINT_NAMES)

    @property
    def backbone(self) -> Backbone:
        """The network, ready to be opened."""
        told = self.card.backbone
        return Backbone(
            name=told.name, config=told.config, network=self.folder / NETWORK, weights=None,
            digest=told.digest, stride=told.stride, outputs=told.outputs,
        )  # fmt: skip


def open_bundle(folder: Path) -> Bundle:
    """The bundle at `folder`, with every file that answers depend on there and unaltered.

    Raises InputError where there is no such folder, and BundleError where it is not a whole bundle.
    """
    if not folder.exists() and (old := folder.with_name(f".{folder.name}.old")).is_dir():
        raise InputError(
            f"{folder} does not exist, but {old.name} beside it does: making a new bundle was broken off between "
            f"two steps; a bundle was expected; run cairn index, add or remove again, or rename {old.name} to {folder.name}"
        )
    require_folder(folder, what="a bundle", then="name a folder that cairn index has made")
    card = _read_card(folder)
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise BundleError(
            f"the bundle {folder} has no {', '.join(missing)}; all of {', '.join(NEEDED)} were expected; "
            f"{COPY_AGAIN}"
        )
    missing = [
        name for name in _POINT_NAMES if name in card.files and not (folder / name).is_file()
    ]
    if missing:
        raise BundleError(
            f"the bundle {folder} has no {', '.join(missing)}; all files that its card names were expected; {COPY_AGAIN}"
        )
    altered = [name for name in NEEDED if not _is_unaltered(folder / name, card.files.get(name))]
    # They may be gigabytes, so that only their sizes are looked at.
    altered += [
        name
        for name in _POINT_NAMES
        if name in card.files and (folder / name).stat().st_size != card.files[name].size_bytes
    ]
    if altered:
        raise BundleError(
            f"the bundle {folder} is altered: {', '.join(altered)} differ from what its card says; the "
            f"files that were written together were expected; {COPY_AGAIN}"
        )
    return Bundle(folder, card)


def _read_card(folder: Path) -> BundleCard:
    try:
        told = json.loads((folder / CARD).read_bytes())
        version = told.get("format_version") if isinstance(told, dict) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise BundleError(
                f"the bundle {folder} has format {version}; this Cairn reads up to {FORMAT_VERSION}; "
                "install a newer Cairn, or make the bundle again with this one"
            )
        return BundleCard.model_validate(told)
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is no bundle: it has no {CARD}; a folder that cairn index has made was expected "
            "(often WORK/models/default); check the path"
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise BundleError(
            f"{folder / CARD} cannot be read ({first}); the card that cairn index wrote was expected; "
            f"{COPY_AGAIN}"
        ) from error


def _is_unaltered(path: Path, record: FileRecord | None) -> bool:
    if record is None or path.stat().st_size != record.size_bytes:
        return False
    return digest_file(path) == record.digest


def fitted_of(
    bundle: Bundle, gallery: pl.DataFrame, landmarks: Landmarks, index: GalleryIndex
) -> FittedRecognizer:
    """What was fitted, put together with the gallery that `index` holds.

    Raises BundleError where the files do not fit together.
    """
    ids: Sequence[str] = landmarks.table["landmark_id"].to_list()
    position = {landmark_id: i for i, landmark_id in enumerate(ids)}
    readable = json.loads((bundle.folder / CALIBRATION).read_bytes())
    arrays = {name: np.asarray(values) for name, values in readable.items()}
    try:
        mains = [position[shown[0]] for shown in gallery["landmark_ids"]]
        held = Gallery(
            index.vectors,
            np.array(mains, dtype=np.int64),
            np.load(bundle.folder / DISTRACTORS, allow_pickle=False),
        )
        return FittedRecognizer.from_arrays({**load_file(bundle.folder / HEAD), **arrays}, held)
    except KeyError as error:
        raise BundleError(
            f"the bundle {bundle.folder} does not fit together: {error} is missing; files that were written "
            f"together were expected; {COPY_AGAIN}"
        ) from error


def record_files(folder: Path) -> dict[str, FileRecord]:
    """The records of the files that a bundle's card names, for those that are there."""
    names = (*NEEDED, OUT_OF_FOLD, DISTRACTOR_IMAGES, *_POINT_NAMES)
    return {name: FileRecord.of(folder / name) for name in names if (folder / name).is_file()}


def folder_bytes(folder: Path) -> int:
    """The sum of the sizes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
