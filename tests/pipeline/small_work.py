"""A work folder with a few photos that are dealt to the parts, to train a tiny network on."""

from pathlib import Path

from cairn.base.settings import SplitSettings
from cairn.pipeline.importing import Lists
from cairn.pipeline.steps import import_photos, split
from tests.training.small_training import landmark_photos

QUICK = ["--side-px", "64", "--epochs", "2", "--batch-images", "8", "--workers", "0", "--arithmetic", "fp32", "--neck-width", "16"]  # fmt: skip


def dealt_work(root: Path) -> Path:
    """`root/work`, with ten photos of each landmark, dealt to the parts."""
    import_photos(root / "work", lists=Lists(landmark_photos(root / "photos")))
    split(root / "work", settings=SplitSettings(ratio=(0.6, 0.2, 0.2), copy_bits=0))
    return root / "work"
