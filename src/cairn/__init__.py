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
    )
    from cairn.base.settings import (
        DemoSettings,
        DescribeSettings,
        EvaluateSettings,
        ImportSettings,
        RecognizeSettings,
        SplitSettings,
        TrainSettings,
    )
    from cairn.pipeline.demo import demo
    from cairn.pipeline.importing import Lists
    from cairn.pipeline.steps import evaluate, import_photos, index, run, split, train
    from cairn.recognizer import Recognizer
    from cairn.records.catalog import Catalog
    from cairn.records.recognitions import Candidate, Evidence, Recognition, Region
    from cairn.records.scores import Scores
    from cairn.records.split import Split

ROOMS = {
    "cairn.base.errors": (
        "BundleError", "CairnError", "DiskError", "InputError", "MissingExtra", "SettingsError",
    ),
    "cairn.base.settings": (
        "DemoSettings", "DescribeSettings", "EvaluateSettings", "ImportSettings", "RecognizeSettings",
        "SplitSettings", "TrainSettings",
    ),
    "cairn.pipeline.demo": ("demo",),
    "cairn.pipeline.importing": ("Lists",),
    "cairn.pipeline.steps": ("evaluate", "import_photos", "index", "run", "split", "train"),
    "cairn.recognizer": ("Recognizer",),
    "cairn.records.catalog": ("Catalog",),
    "cairn.records.recognitions": ("Candidate", "Evidence", "Recognition", "Region"),
    "cairn.records.scores": ("Scores",),
    "cairn.records.split": ("Split",),
}  # fmt: skip
ROOM_OF = {name: room for room, names in ROOMS.items() for name in names}

__all__ = [
    "BundleError",
    "CairnError",
    "Candidate",
    "Catalog",
    "DemoSettings",
    "DescribeSettings",
    "DiskError",
    "EvaluateSettings",
    "Evidence",
    "ImportSettings",
    "InputError",
    "Lists",
    "MissingExtra",
    "Recognition",
    "RecognizeSettings",
    "Recognizer",
    "Region",
    "Scores",
    "SettingsError",
    "Split",
    "SplitSettings",
    "TrainSettings",
    "__version__",
    "demo",
    "evaluate",
    "import_photos",
    "index",
    "run",
    "split",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in ROOM_OF:
        raise AttributeError(f"cairn has no public name {name!r}; see: dir(cairn)")
    return getattr(importlib.import_module(ROOM_OF[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
