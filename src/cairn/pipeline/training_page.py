"""The page of a training over a work folder: `reports/<name>/training.html`, made of what its checkpoints hold."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from cairn.base.checks import counted
from cairn.base.errors import CairnError, InputError
from cairn.base.settings.recipes import ALL_EPOCHS, NO_BETTER, Recipe
from cairn.base.watching import Watch
from cairn.images.pixels import encode_jpeg
from cairn.images.thumbnails import Thumbnails
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.tables import read_table, write_table
from cairn.records.val_answers import VAL_ANSWERS_SCHEMA
from cairn.reports.training import TrainingContents, is_finished_page_of, write_training_page
from cairn.reports.training_words import RUNNING

if TYPE_CHECKING:
    from cairn.training.input import TrainImages
    from cairn.training.judging import Answers

PAGE, ANSWERS = "training.html", "best_answers.parquet"
N_SAMPLES, N_VIEWS = 6, 7
# While training goes on, pages take no more than this share of its time.
_MOST_SHARE = 0.05


@dataclass
class TrainingPage:
    """The page of one training; `train` and `val` are its images, `images` those of train as training takes them."""

    work: WorkFolder
    name: str
    key: str
    recipe: Recipe
    checkpoints: Path
    train: pl.DataFrame
    val: pl.DataFrame
    landmark_ids: Sequence[str]
    images: Callable[[], "TrainImages"]
    about: Mapping[str, str]
    watch: Watch
    _began: float = field(default_factory=time.monotonic)
    _spent_s: float = 0.0

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.work.reports / self.name / PAGE

    def is_finished(self) -> bool:
        """Whether the page that lies there is that of this training, and says that it has finished."""
        return is_finished_page_of(self.path, self.key)

    def keep(self, best: "Answers") -> None:
        """The answers of an epoch that is the best so far lie beside its network.

        Raises DiskError where the disk is full.
        """
        write_table(self._answers(best), self.checkpoints / ANSWERS)

    def after_epoch(self) -> None:
        """The page tells of the epoch that has ended, unless writing it took much time lately."""
        if self._spent_s <= _MOST_SHARE * (time.monotonic() - self._began):
            self.write(RUNNING)

    def write(self, because: str) -> None:
        """The page lies there, or a note says why it does not; `because`: running, or how training ended.

        A page is no reason to end a training, nor to hide what ended it: none of our errors comes out of here.
        """
        started = time.monotonic()
        try:
            self._write(because)
        except CairnError as error:
            self.watch.note(f"the page of the training is not written: {error}")
        self._spent_s += time.monotonic() - started

    def _write(self, because: str) -> None:
        from cairn.training.loop import LOG
        from cairn.training.telling import read_log

        command, says = self._next(because)
        write_training_page(
            self.path,
            TrainingContents(
                dataset=self._dataset, name=self.name, key=self.key, recipe=self.recipe, because=because,
                lines=list(read_log(self.checkpoints / LOG)), val=self._kept_answers(), landmarks=self._landmarks,
                samples=self._samples, thumbnail=self._thumbnail, credit=self._credit,
                about=self._about, next_command=command, next_says=says,
                written_at=f"{datetime.now().astimezone():%Y-%m-%d %H:%M}",
                has_report=(self.path.parent / "report.html").is_file(),
            ),
        )  # fmt: skip

    def _next(self, because: str) -> tuple[str, str]:
        """The command that goes on from here, and what belongs to it."""
        of_work = f"{self.work.root}" + ("" if self.name == "default" else f" --name {self.name}")
        if because in (ALL_EPOCHS, NO_BETTER):
            return f"cairn index {of_work}", ""
        return (
            f"cairn train {of_work} --recipe {self.recipe.name}",
            "and the flags that it was begun with",
        )

    def _answers(self, answers: "Answers") -> pl.DataFrame:
        landmarks = pl.Series(self.landmark_ids, dtype=pl.String)
        rows = self.val.select(
            "image_id",
            pl.col("group").fill_null(pl.col("image_id")),
            pl.col("known").alias("landmark_ids"),
            landmarks.gather(answers.landmarks).alias("answered"),
            pl.Series("score", answers.scores),
        )
        return rows.with_columns(
            pl.col("landmark_ids").list.contains(pl.col("answered")).alias("right")
        ).select(*VAL_ANSWERS_SCHEMA)

    def _kept_answers(self) -> pl.DataFrame:
        path = self.checkpoints / ANSWERS
        if not path.is_file():
            return pl.DataFrame(schema=VAL_ANSWERS_SCHEMA)
        return read_table(path, what="answers on val", made_by=f"cairn train {self.work.root}")

    @cached_property
    def _dataset(self) -> str:
        return self.work.catalog().dataset

    @cached_property
    def _landmarks(self) -> pl.DataFrame:
        names = self.work.landmarks().table.select("landmark_id", "name")
        shown = self.train.select("image_id", pl.col("known").alias("landmark_id"))
        counts = shown.explode("landmark_id").group_by("landmark_id", maintain_order=True).agg(
            pl.len().alias("n_train"), pl.col("image_id").first().alias("photo")
        )  # fmt: skip
        named = counts.join(names, on="landmark_id", how="left", maintain_order="left")
        return named.with_columns(pl.col("name").fill_null(pl.col("landmark_id")))

    @cached_property
    def _about(self) -> dict[str, str]:
        n_none = int((self.val["known"].list.len() == 0).sum())
        return {
            **self.about,
            "Train": f"{counted(len(self.train), 'image')} of {counted(len(self.landmark_ids), 'landmark')}",
            "Val": f"{counted(len(self.val), 'image')}, {n_none:,} of them of none of these landmarks",
            "Seed": str(self.recipe.finetune.seed),
            "Files": f"networks/{self.name}/{self.key}: the network, checkpoints, log.jsonl and curves for TensorBoard",
        }

    @cached_property
    def _samples(self) -> list[tuple[str, list[bytes]]]:
        from cairn.training.samples import augmented_samples

        if self.train.is_empty():
            return []
        names = dict(self._landmarks.select("landmark_id", "name").iter_rows())
        shown = dict(self.train.select("image_id", pl.col("known").list.first()).iter_rows())
        try:
            found = augmented_samples(
                self.images(), self.work.images, self.recipe.augment, self.recipe.finetune.seed,
                N_SAMPLES, n_views=min(N_VIEWS, self.recipe.finetune.epochs),
            )  # fmt: skip
        except InputError:
            # Training goes on without a photo or two that have gone; so does its page.
            return []
        return [
            (names[shown[one.image_id]], [encode_jpeg(view, quality=85) for view in one.views])
            for one in found
        ]

    @cached_property
    def _rows(self) -> dict[str, tuple[str, str | None, str]]:
        """The path, the digest and the credit of each image."""
        credit = pl.concat_str("author", "licence", separator=", ", ignore_nulls=True)
        rows = pl.concat([self.train, self.val]).select("image_id", "path", "kept_digest", credit)
        return {image_id: tuple(rest) for image_id, *rest in rows.iter_rows()}

    def _thumbnail(self, image_id: str) -> bytes | None:
        path, kept_digest, _ = self._rows[image_id]
        try:
            return self._shelf.jpeg(image_id, path, kept_digest)
        except InputError:
            return None

    @cached_property
    def _shelf(self) -> Thumbnails:
        return Thumbnails(self.work.thumbnails, self.work.images)

    def _credit(self, image_id: str) -> str:
        return self._rows[image_id][2]
