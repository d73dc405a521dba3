"""What a report is made of: the records it tells about, and the looking up in them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from cairn.records.catalog import Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.recognitions import Candidate, Recognition
from cairn.records.scores import Scores
from cairn.records.split import TRAIN, VAL, Split


@dataclass(frozen=True)
class ReportContents:
    """The records of one evaluation.

    truth: as `stages.evaluate` takes it: image_id, landmark_ids, group.
    recognitions: of the test images; `image` is the image_id.
    thumbnail: a JPEG of an image_id, or None where there is none.
    about: how it was made, in the order shown: words and numbers by name.
    next_command: what to try next on the command line. training_page: beside the report, where there is one.
    """

    dataset: str
    bundle: str
    scores: Scores
    catalog: Catalog
    split: Split
    landmarks: Landmarks
    recognitions: tuple[Recognition, ...]
    truth: pl.DataFrame
    thumbnail: Callable[[str], bytes | None]
    about: Mapping[str, str]
    next_command: str
    training_page: str | None = None

    @cached_property
    def images(self) -> pl.DataFrame:
        """The kept images with their place in the split: image_id, landmark_ids, part, group, cause, credit.

        `landmark` is the main landmark, null for distractors and unlabelled images.
        """
        credit = pl.concat_str("author", "licence", separator=", ", ignore_nulls=True)
        images = self.catalog.images.select("image_id", "landmark_ids", credit.alias("credit"))
        images = images.with_columns(pl.col("landmark_ids").list.first().alias("landmark"))
        return images.join(self.split.table, on="image_id", how="left", maintain_order="left")

    @cached_property
    def shown(self) -> dict[str, list[str]]:
        """The landmarks that each labelled test image shows."""
        return dict(
            self.truth.drop_nulls("landmark_ids").select("image_id", "landmark_ids").iter_rows()
        )

    @cached_property
    def first_of_gallery(self) -> dict[str, str]:
        """For each landmark of the gallery the first image that shows it."""
        gallery = self.images.filter(pl.col("part").is_in([TRAIN, VAL])).explode("landmark_ids")
        gallery = gallery.drop_nulls("landmark_ids").unique(
            "landmark_ids", keep="first", maintain_order=True
        )
        return dict(gallery.select("landmark_ids", "image_id").iter_rows())

    @cached_property
    def names(self) -> dict[str, str]:
        """The name of each landmark that has one."""
        named = self.landmarks.table.drop_nulls("name").select("landmark_id", "name")
        return dict(named.iter_rows())

    def name(self, landmark_id: str) -> str:
        """What to call a landmark: its name, else its id."""
        return self.names.get(landmark_id) or landmark_id

    def best(self, *, right: bool) -> list[tuple[Recognition, Candidate]]:
        """The labelled test images whose best candidate is right, or is not, the surest first."""
        found = [
            (recognition, recognition.landmarks[0])
            for recognition in self.recognitions
            if recognition.image in self.shown and recognition.landmarks
            and (recognition.landmarks[0].landmark_id in self.shown[recognition.image]) == right
        ]  # fmt: skip
        return sorted(found, key=lambda pair: (-pair[1].probability, pair[0].image))
