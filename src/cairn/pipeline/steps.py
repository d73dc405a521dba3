"""The commands as functions over a work folder: each does only what is left to do, and says what it did."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import Card, FileRecord, digest_file, digest_json
from cairn.base.settings import (
    DescribeSettings,
    EvaluateSettings,
    ImportSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.watching import Silent, Watch
from cairn.bundles import BundleCard, folder_bytes
from cairn.engines.local import LocalEngine
from cairn.pipeline.describing import describe_catalog, embedder_of
from cairn.pipeline.importing import Lists, import_lists
from cairn.pipeline.work_folder import WorkFolder, whole_folder
from cairn.records.catalog import Catalog
from cairn.records.scores import Scores
from cairn.records.split import TEST, TRAIN, VAL, Split
from cairn.stages.evaluate import evaluate as score
from cairn.stages.import_photos import in_two_folders
from cairn.stages.index import write_bundle
from cairn.stages.split import Leakage, leakage
from cairn.stages.split import split as deal
from cairn.stages.train import Fitted, fit
from cairn.version import __version__

DEFAULT_MODEL = "default"
FITTED_FILES = ("fitted.safetensors", "out_of_fold.parquet")


@dataclass(frozen=True)
class Project:
    """A command's result lies in this work folder."""

    work: WorkFolder


@dataclass(frozen=True)
class Imported(Project):
    """What import left."""

    catalog: Catalog
    n_in_two_folders: int


@dataclass(frozen=True)
class Parted(Project):
    """What split left."""

    split: Split
    leakage: Leakage


@dataclass(frozen=True)
class Trained(Project):
    """What train left."""

    name: str
    folder: Path
    n_images: int
    n_landmarks: int
    n_distractors: int
    threshold: float
    precision: float


@dataclass(frozen=True)
class Indexed(Project):
    """What index left."""

    bundle: Path
    n_images: int
    n_landmarks: int
    size_bytes: int


@dataclass(frozen=True)
class Evaluated(Project):
    """What evaluate left."""

    bundle: Path
    scores: Scores
    report: Path
