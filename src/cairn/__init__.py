"""Cairn, a landmark recogniser: the public names, each loaded when first used.

A name that is not in this table is private and may change.
"""

import importlib
from typing import TYPE_CHECKING

from cairn.version import __version__

if TYPE_CHECKING:
    from cairn.base.errors import (
        BundleError,
        CairnError,
        DiskError,
        InputError,
        MissingExtra,
        SettingsError,
        Stopped,
    )
    from cairn.base.settings import (
        DemoSettings,
        DescribeSettings,
        DownloadSettings,
        EvaluateSettings,
        ExploreSettings,
        ExportSettings,
        ImportSettings,
        RecognizeSettings,
        ScrubSettings,
        SelectSettings,
        SplitSettings,
        SubmitSettings,
        TrainSettings,
    )
    from cairn.pipeline.changing import add, remove
    from cairn.pipeline.dataset_choice import DatasetChoice
    from cairn.pipeline.datasets import DatasetDownload
    from cairn.pipeline.deciding import apply
    from cairn.pipeline.demo import demo
    from cairn.pipeline.downloading import Addresses, download
    from cairn.pipeline.exploring import explore
    from cairn.pipeline.exporting import export
    from cairn.pipeline.importing import Lists
    from cairn.pipeline.scrubbing import scrub
    from cairn.pipeline.steps import evaluate, import_photos, index, run, split, train
    from cairn.pipeline.submitting import score, submit
    from cairn.recognizer import Recognizer
    from cairn.records.catalog import Catalog
    from cairn.records.contest_scores import ContestScores
    from cairn.records.recognitions import Candidate, Evidence, Recognition, Region
    from cairn.records.scores import Scores
    from cairn.records.split import Split
    from cairn.records.submissions import Submission

ROOMS = {
    "cairn.base.errors": (
        "BundleError", "CairnError", "DiskError", "InputError", "MissingExtra", "SettingsError",
        "Stopped",
    ),
    "cairn.base.settings": (
        "DemoSettings", "DescribeSettings", "DownloadSettings", "EvaluateSettings", "ExploreSettings", "ExportSettings", "ImportSettings",
        "RecognizeSettings", "ScrubSettings", "SelectSettings", "SplitSettings", "SubmitSettings", "TrainSettings",
    ),
    "cairn.pipeline.changing": ("add", "remove"),
    "cairn.pipeline.dataset_choice": ("DatasetChoice",),
    "cairn.pipeline.datasets": ("DatasetDownload",),
    "cairn.pipeline.deciding": ("apply",),
    "cairn.pipeline.demo": ("demo",),
    "cairn.pipeline.downloading": ("Addresses", "download"),
    "cairn.pipeline.exploring": ("explore",),
    "cairn.pipeline.exporting": ("export",),
    "cairn.pipeline.importing": ("Lists",),
    "cairn.pipeline.steps": ("evaluate", "import_photos", "index", "run", "split", "train"),
    "cairn.pipeline.scrubbing": ("scrub",),
    "cairn.pipeline.submitting": ("score", "submit"),
    "cairn.recognizer": ("Recognizer",),
    "cairn.records.catalog": ("Catalog",),
    "cairn.records.contest_scores": ("ContestScores",),
    "cairn.records.recognitions": ("Candidate", "Evidence", "Recognition", "Region"),
    "cairn.records.scores": ("Scores",),
    "cairn.records.split": ("Split",),
    "cairn.records.submissions": ("Submission",),
}  # fmt: skip
ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}

__all__ = [
    "Addresses",
    "BundleError",
    "CairnError",
    "Candidate",
    "Catalog",
    "ContestScores",
    "DatasetChoice",
    "DatasetDownload",
    "DemoSettings",
    "DescribeSettings",
    "DiskError",
    "DownloadSettings",
    "EvaluateSettings",
    "Evidence",
    "ExploreSettings",
    "ExportSettings",
    "ImportSettings",
    "InputError",
    "Lists",
    "MissingExtra",
    "Recognition",
    "RecognizeSettings",
    "Recognizer",
    "Region",
    "Scores",
    "ScrubSettings",
    "SelectSettings",
    "SettingsError",
    "Split",
    "SplitSettings",
    "Stopped",
    "Submission",
    "SubmitSettings",
    "TrainSettings",
    "__version__",
    "add",
    "apply",
    "demo",
    "download",
    "evaluate",
    "explore",
    "export",
    "import_photos",
    "index",
    "remove",
    "run",
    "score",
    "scrub",
    "split",
    "submit",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in ROOM_OF:
        raise AttributeError(f"cairn has no public name {name!r}; see: dir(cairn)")
    return getattr(importlib.import_module(ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
