"""What answers on val come to: recall by size of the landmark, the worst landmarks, what is taken for what."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from cairn.algorithms.metrics import mean_share_by_label, share
from cairn.algorithms.resampling import bootstrap, wilson
from cairn.records.exploration import range_words
from cairn.records.scores import SIZES

N_WORST, N_PAIRS, N_DISTRACTORS = 20, 30, 8
_N_DRAWN = 200


@dataclass(frozen=True)
class Share:
    """A share, 0 to 1, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SizeRow:
    """The landmarks with so many photos in train: how often their images on val are answered rightly.

    top_1: of the images. recall: of each landmark, then the mean.
    """

    name: str
    range: str
    n_landmarks: int
    n_images: int
    top_1: Share
    recall: Share


@dataclass(frozen=True)
class LandmarkRow:
    """One landmark on val; `taken_for` is what its wrong answers most often name, None where all are right."""

    landmark_id: str
    n_train: int
    n_images: int
    n_right: int
    taken_for: str | None


@dataclass(frozen=True)
class Pair:
    """Images that show one landmark and are answered with another: how many of all that show it, and the surest."""

    shown: str
    answered: str
    n: int
    n_images: int
    image_id: str


def known_images(val: pl.DataFrame) -> pl.DataFrame:
    """The images of val that show a landmark of train, with the main one as `shown`."""
    known = val.filter(pl.col("landmark_ids").list.len() > 0)
    return known.with_columns(pl.col("landmark_ids").list.first().alias("shown"))


def size_rows(val: pl.DataFrame, n_train: Mapping[str, int], *, seed: int = 0) -> list[SizeRow]:
    """A row for each size of landmark that val shows, the largest first.

    n_train: photos in train of each landmark. The intervals come from drawing copies together, as in an evaluation.
    """
    known = known_images(val)
    if known.is_empty():
        return []
    right = known["right"].to_numpy().astype(bool)
    labels = known["shown"].rank("dense").to_numpy().astype(np.int64) - 1
    sizes = np.array([n_train[one] for one in known["shown"]])
    groups = known["group"].to_numpy().astype(str)
    masks = {
        name: (sizes >= smallest) & (sizes <= (largest or np.inf))
        for name, smallest, largest in SIZES
    }
    statistics = {}
    for name, among in masks.items():
        own = np.where(among, labels, -1)
        statistics[f"top_1:{name}"] = lambda w, among=among: share(right, among, w)
        statistics[f"recall:{name}"] = lambda w, own=own: mean_share_by_label(right, own, w)
    found = bootstrap(statistics, groups, n=_N_DRAWN, rng=np.random.default_rng(seed))

    def said(what: str, name: str) -> Share:
        value, low, high = found[f"{what}:{name}"]
        if not low < high:
            low, high = wilson(value, len(np.unique(groups[masks[name]])))
        return Share(value, low, min(high, 1.0))

    return [
        SizeRow(
            name, range_words(smallest, largest), len(np.unique(labels[masks[name]])),
            int(masks[name].sum()), said("top_1", name), said("recall", name),
        )
        for name, smallest, largest in SIZES
        if masks[name].any()
    ]  # fmt: skip


def worst_landmarks(
    val: pl.DataFrame, n_train: Mapping[str, int], *, most: int = N_WORST
) -> list[LandmarkRow]:
    """The landmarks with the smallest share of right answers, of equal ones those with more images; all have a wrong one."""
    wrong = ~pl.col("right")
    counts = known_images(val).group_by("shown").agg(
        pl.len().alias("n"),
        pl.col("right").sum().alias("n_right"),
        pl.col("answered").filter(wrong).mode().sort().first().alias("taken_for"),
    )  # fmt: skip
    worst = counts.filter(pl.col("n_right") < pl.col("n")).sort(
        pl.col("n_right") / pl.col("n"), -pl.col("n").cast(pl.Int64), "shown"
    )
    rows = worst.head(most).select("shown", "n", "n_right", "taken_for").iter_rows()
    return [LandmarkRow(one, n_train[one], n, n_right, other) for one, n, n_right, other in rows]


def confused_pairs(val: pl.DataFrame, *, most: int = N_PAIRS) -> list[Pair]:
    """The pairs (shown, answered) that are confused most often; of equal ones those with the larger share of the landmark.

    Only pairs that occur are counted, so it takes as much memory as val has wrong answers, however many landmarks there are.
    """
    known = known_images(val)
    totals = known.group_by("shown").agg(pl.len().alias("n_images"))
    pairs = (
        known.filter(~pl.col("right"))
        .group_by("shown", "answered")
        .agg(pl.len().alias("n"), pl.col("image_id").sort_by(-pl.col("score"), "image_id").first())
        .join(totals, on="shown")
        .sort(-pl.col("n").cast(pl.Int64), "n_images", "shown", "answered")
        .head(most)
    )
    return [Pair(*row) for row in pairs.select("shown", "answered", "n", "n_images", "image_id").iter_rows()]  # fmt: skip


def surest_distractors(val: pl.DataFrame, *, most: int = N_DISTRACTORS) -> list[tuple[str, str]]:
    """The images that show no landmark of train and are answered the surest: image_id, and the answer."""
    none = val.filter(pl.col("landmark_ids").list.len() == 0).sort(-pl.col("score"), "image_id")
    return none.head(most).select("image_id", "answered").rows()
