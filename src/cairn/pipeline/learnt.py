"""Which images the network behind the descriptors was trained on: what must not be asked while probabilities are fitted."""

import polars as pl

from cairn.base.checks import counted
from cairn.base.settings import TrainSettings
from cairn.base.settings.recipes import FROZEN
from cairn.base.watching import Watch
from cairn.models.folders import BackboneConfig
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TRAIN

# With fewer, the share of right answers at a probability is anyone's guess.
LEAST_QUESTIONS = 30


def is_trained_here(config: BackboneConfig, settings: TrainSettings) -> bool:
    """Whether images are described by a network that `cairn train` made, be it as a recipe or named as backbone."""
    return settings.recipe != FROZEN or config.has_own_descriptor


def learnt_images(truth: pl.DataFrame) -> frozenset[str]:
    """The images of `truth` (image_id, part, landmark_ids) that a network is trained on: of landmarks, in train."""
    shown = truth.filter((pl.col("part") == TRAIN) & (pl.col("landmark_ids").list.len() > 0))
    return frozenset(shown["image_id"])


def not_to_be_asked(
    config: BackboneConfig,
    settings: TrainSettings,
    truth: pl.DataFrame,
    *,
    work: WorkFolder,
    watch: Watch,
) -> frozenset[str]:
    """The images that the network knows too well to be asked about; none, with a note, where too few others are left."""
    if not is_trained_here(config, settings):
        return frozenset()
    learnt = learnt_images(truth)
    n_left = int((truth["landmark_ids"].list.len() > 0).sum()) - len(learnt)
    if n_left >= LEAST_QUESTIONS:
        return learnt
    watch.note(
        f"val holds {counted(n_left, 'photo')} of landmarks, which the network was not trained on; probabilities are "
        f"fitted on at least {LEAST_QUESTIONS} such photos, so those of train were asked about too, which it knows, and "
        f"probabilities come out too high; give val more: cairn split {work.root} --ratio 60/20/20 --fresh"
    )
    return frozenset()
