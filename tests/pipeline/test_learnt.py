"""Which images are not asked about while probabilities are fitted: those that the network was trained on."""

from pathlib import Path

import numpy as np
import polars as pl

from cairn.base.settings import TrainSettings
from cairn.models.folders import OWN_DESCRIPTOR, BackboneConfig
from cairn.pipeline.learnt import is_trained_here, learnt_images, not_to_be_asked
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.descriptors import Descriptors
from cairn.records.split import TRAIN, VAL
from cairn.stages.train import train
from tests.watching import Memory

WITHOUT: dict[str, object] = {
    "architecture": "net",
    "num_features": 8,
    "pretrained_cfg": {"input_size": (3, 64, 64), "mean": (0, 0, 0), "std": (1, 1, 1)},
}
PLAIN = BackboneConfig.model_validate(WITHOUT)
TINY = TrainSettings(recipe="tiny")


def dealt(n_val: int) -> pl.DataFrame:
    """Five photos of each of 12 landmarks and of none in train, `n_val` in val."""
    shown = [[f"l{i:02}"] if i < 12 else [] for i in range(13)]
    rows = [
        (f"{part}{i}-{number}", part, one)
        for part, n in ((TRAIN, 5), (VAL, n_val))
        for i, one in enumerate(shown)
        for number in range(n)
    ]
    table = pl.DataFrame(rows, schema=["image_id", "part", "landmark_ids"], orient="row")
    return table.with_columns(pl.col("image_id").alias("group"))


def test_a_network_is_known_by_the_recipe_or_by_its_own_config() -> None:
    assert is_trained_here(PLAIN, TINY)
    assert not is_trained_here(PLAIN, TrainSettings())
    own = BackboneConfig.model_validate({**WITHOUT, OWN_DESCRIPTOR: True})
    assert is_trained_here(own, TrainSettings())


def test_a_network_learns_from_photos_of_landmarks_in_train_alone() -> None:
    assert learnt_images(dealt(4)) == {f"train{i}-{n}" for i in range(12) for n in range(5)}


def test_with_enough_photos_in_val_those_of_train_are_not_asked_and_else_it_is_told(
    tmp_path: Path,
) -> None:
    work, watch = WorkFolder(tmp_path), Memory()
    assert len(not_to_be_asked(PLAIN, TINY, dealt(3), work=work, watch=watch)) == 60
    assert not not_to_be_asked(PLAIN, TrainSettings(), dealt(3), work=work, watch=watch)
    assert not watch.notes
    assert not not_to_be_asked(PLAIN, TINY, dealt(2), work=work, watch=watch)
    assert "val holds 24 photos of landmarks" in watch.notes[0]
    assert f"give val more: cairn split {tmp_path} --ratio" in watch.notes[0]


def test_what_was_learnt_is_in_the_gallery_and_never_asked_about() -> None:
    truth, rng = dealt(4), np.random.default_rng(0)
    places = rng.normal(size=(13, 32))
    which = [int(image_id.removeprefix(part).split("-")[0]) for image_id, part, *_ in truth.rows()]
    vectors = places[which] + rng.normal(size=(len(truth), 32)) * 0.5
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    descriptors = Descriptors(tuple(truth["image_id"]), vectors.astype(np.float32), "made up")
    fitted = train(descriptors, truth, settings=TrainSettings(), learnt=learnt_images(truth))
    asked = fitted.out_of_fold.join(truth.select("image_id", "part", "landmark_ids"), on="image_id")
    assert set(asked.filter(pl.col("landmark_ids").list.len() > 0)["part"]) == {VAL}
    assert set(asked["kind"]) == {"known", "none", "unseen"}
    assert len(fitted.recognizer.gallery.vectors) == 12 * 9
