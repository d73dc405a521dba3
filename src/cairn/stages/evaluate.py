"""Evaluate: recognitions and the truth give scores; test truth enters here and nowhere else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from cairn.algorithms import metrics
from cairn.algorithms.metrics import Bools, Floats, Ints, Texts
from cairn.algorithms.resampling import Statistic, bootstrap, wilson
from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.settings import EvaluateSettings
from cairn.records.recognitions import Recognition
from cairn.records.scores import (
    SIZES,
    CalibrationBin,
    Estimate,
    LandmarkScore,
    QueryCounts,
    RiskPoint,
    Scores,
    SizeScore,
)
from cairn.records.tables import Schema, require_schema

TRUTH_SCHEMA: Schema = {
    "image_id": pl.String,
    "landmark_ids": pl.List(pl.String),
    "group": pl.String,
}
OUT_OF_FOLD_SCHEMA: Schema = {
    "image_id": pl.String, "group": pl.String, "kind": pl.String, "score": pl.Float64,
    "probability": pl.Float64, "right": pl.Boolean, "answered": pl.Boolean,
}  # fmt: skip
QUERY_SCHEMA: Schema = {
    "image_id": pl.String, "groups": pl.String, "best": pl.String, "scores": pl.Float64,
    "probability": pl.Float64, "right": pl.Boolean, "right_of_5": pl.Boolean, "answered": pl.Boolean,
    "answered_rightly": pl.Boolean, "distractor": pl.Boolean, "landmark": pl.Int64,
}  # fmt: skip
N_BINS = 10
MAX_CURVE_POINTS = 300


@dataclass(frozen=True)
class _Queries:
    """The scored test images as arrays [Q], the surest best candidate first.

    An image without any candidate has the score -inf and the probability 0: wrong and last, it
    changes nothing for the others. `landmark` is the row of the main known landmark, or -1.
    """

    groups: Texts
    scores: Floats
    probability: Floats
    right: Bools
    right_of_5: Bools
    answered: Bools
    answered_rightly: Bools
    distractor: Bools
    landmark: Ints
    known: Bools

    @property
    def all(self) -> Bools:
        return np.ones(len(self.scores), dtype=bool)

    @property
    def unseen(self) -> Bools:
        return ~self.known & ~self.distractor


def evaluate(
    recognitions: Sequence[Recognition],
    truth: pl.DataFrame,
    *,
    gallery_counts: Mapping[str, int],
    out_of_fold: pl.DataFrame | None,
    settings: EvaluateSettings,
) -> Scores:
    """The scores of the answers to the test images.

    recognitions: one for each row of `truth`, in any order; `image` is its image_id.
    truth: TRUTH_SCHEMA; no landmarks means that the image shows none, null that nobody has said. The
    first of several that the gallery holds is the one an image counts for; any of them is right.
    gallery_counts: the number of gallery images of each landmark.
    out_of_fold: OUT_OF_FOLD_SCHEMA, `kind` known, none or unseen: answers found while fitting.
    Raises InputError where images and truth do not match one to one.
    """
    require_schema(truth, TRUTH_SCHEMA, what="the truth")
    _require_one_each(recognitions, truth)
    sizes = {landmark: n for landmark, n in sorted(gallery_counts.items()) if n > 0}
    queries = _queries(recognitions, truth.drop_nulls("landmark_ids"), sizes)
    statistics = _statistics(queries, settings) | _size_statistics(queries, sizes)
    found = bootstrap(
        {name: statistic for name, (statistic, _, _) in statistics.items()},
        queries.groups, n=settings.n_bootstrap, rng=np.random.default_rng(settings.seed),
    )  # fmt: skip
    estimates = {
        name: _estimate(found[name], among=among, groups=queries.groups, because=because)
        for name, (_, among, because) in statistics.items()
    }
    return Scores(
        counts=QueryCounts(
            known=int(queries.known.sum()),
            unseen=int(queries.unseen.sum()),
            distractors=int(queries.distractor.sum()),
            unlabelled=truth["landmark_ids"].null_count(),
        ),
        wanted_precision=settings.precision,
        risk_coverage=_risk_coverage(queries),
        calibration=_calibration(queries),
        by_size=_by_size(estimates, sizes),
        by_landmark=_by_landmark(queries, sizes),
        unseen_refused_out_of_fold=_unseen_refused(out_of_fold, settings),
        **{name: value for name, value in estimates.items() if ":" not in name},
    )


def _require_one_each(recognitions: Sequence[Recognition], truth: pl.DataFrame) -> None:
    asked = Counter(truth["image_id"])
    answered = Counter(recognition.image for recognition in recognitions)
    for what, images in (("truth", asked), ("recognition", answered)):
        image_id, n = max(images.items(), key=lambda item: item[1], default=("", 0))
        if n > 1:
            raise InputError(
                f"the image {image_id} has {n} rows of {what}; one was expected; "
                "remove the rows that are wrong and run again: cairn evaluate WORK"
            )
    without, unknown = sorted(asked - answered), sorted(answered - asked)
    if without or unknown:
        raise InputError(
            f"{counted(len(without), 'test image')} without a recognition and "
            f"{counted(len(unknown), 'recognition')} without truth (first: {(without + unknown)[0]}); one "
            "recognition for each test image was expected; run again: cairn evaluate WORK"
        )


def _queries(
    recognitions: Sequence[Recognition], truth: pl.DataFrame, sizes: Mapping[str, int]
) -> _Queries:
    landmark_rows = {landmark: row for row, landmark in enumerate(sizes)}
    answers = {recognition.image: recognition for recognition in recognitions}
    rows = []
    for image_id, shown, group in truth.select(TRUTH_SCHEMA.keys()).iter_rows():
        known = [landmark for landmark in shown if landmark in sizes]
        main = landmark_rows[known[0]] if known else -1
        answer = _answer(answers[image_id], set(known))
        rows.append((image_id, group or image_id, *answer, not shown, main))
    table = pl.DataFrame(rows, schema=QUERY_SCHEMA, orient="row")
    names, best = table["image_id"].to_numpy().astype(str), table["best"].to_numpy().astype(str)
    table = table[metrics.surest_first(table["scores"].to_numpy(), names, best)]
    columns = {column.name: column.to_numpy() for column in table.drop("image_id", "best")}
    columns["groups"] = columns["groups"].astype(str)
    return _Queries(known=columns["landmark"] >= 0, **columns)


def _answer(
    recognition: Recognition, known: set[str]
) -> tuple[str, float, float, bool, bool, bool, bool]:
    """The columns of QUERY_SCHEMA from `best` to `answered_rightly`."""
    candidates = recognition.landmarks
    return (
        candidates[0].landmark_id if candidates else "",
        candidates[0].score if candidates else -np.inf,
        candidates[0].probability if candidates else 0.0,
        bool(candidates) and candidates[0].landmark_id in known,
        any(candidate.landmark_id in known for candidate in candidates[:5]),
        recognition.answer is not None,
        recognition.answer in known,
    )


def _statistics(q: _Queries, settings: EvaluateSettings) -> dict[str, tuple[Statistic, Bools, str]]:
    """Of each estimate of `Scores`: how it is measured, over which queries, why it may be undefined."""
    shown = ~q.distractor
    sure = q.probability >= settings.precision
    no_image, no_known = "the test part is empty", "no test image shows a landmark of the gallery"

    def gap_among(among: Bools) -> Statistic:
        return lambda w: metrics.gap(q.right[among], w @ q.known.astype(float), w[:, among])

    return {
        "gap": (gap_among(q.all), q.all, no_known),
        "gap_without_distractors": (gap_among(shown), shown, no_known),
        "top1": (_share_of(q.right, q.known), q.known, no_known),
        "top5": (_share_of(q.right_of_5, q.known), q.known, no_known),
        "mean_recall": (
            lambda w: metrics.mean_share_by_label(q.right, q.landmark, w), q.known, no_known,
        ),
        "answered_at_precision": (
            lambda w: metrics.answered_at_precision(q.right, q.scores, w, precision=settings.precision),
            q.all, no_image,
        ),
        "precision_when_sure": (_share_of(q.right, sure), sure, "no probability is that high"),
        "answered": (_share_of(q.answered, q.all), q.all, no_image),
        "answered_precision": (
            _share_of(q.answered_rightly, q.answered), q.answered, "no test image was answered",
        ),
        "known_answered_rightly": (_share_of(q.answered_rightly, q.known), q.known, no_known),
        "distractors_refused": (
            _share_of(~q.answered, q.distractor), q.distractor, "the test part holds no distractor",
        ),
        "unseen_refused": (
            _share_of(~q.answered, q.unseen), q.unseen, "the gallery holds the landmarks of all test images",
        ),
        "calibration_error": (
            lambda w: metrics.calibration_error(q.probability, q.right, w, n_bins=N_BINS),
            q.all, no_image,
        ),
    }  # fmt: skip


def _size_statistics(
    q: _Queries, sizes: Mapping[str, int]
) -> dict[str, tuple[Statistic, Bools, str]]:
    gallery = np.array([*sizes.values(), 0])[q.landmark]  # -1 takes the 0 at the end
    statistics: dict[str, tuple[Statistic, Bools, str]] = {}
    for name, smallest, largest in SIZES:
        among = q.known & (gallery >= smallest) & (gallery <= (largest or np.inf))
        labels = np.where(among, q.landmark, -1)
        because = "no test image shows such a landmark"
        statistics[f"top1:{name}"] = (_share_of(q.right, among), among, because)
        statistics[f"recall:{name}"] = (_mean_share_of(q.right, labels), among, because)
    return statistics


def _share_of(hits: Bools, among: Bools) -> Statistic:
    return lambda weights: metrics.share(hits, among, weights)


def _mean_share_of(hits: Bools, labels: Ints) -> Statistic:
    return lambda weights: metrics.mean_share_by_label(hits, labels, weights)


def _estimate(
    found: tuple[float, float, float], *, among: Bools, groups: Texts, because: str
) -> Estimate:
    """What the bootstrap found over the queries `among`; `because` says why where it is undefined.

    Where all queries came out alike, so do all resamplings; the interval is then that of a share.
    """
    value, low, high = found
    n = int(among.sum())
    if not np.isfinite(value):
        return Estimate(value=None, n=n, because=because)
    value = min(value, 1.0)
    if not np.isfinite(low):
        return Estimate(value=value, n=n)
    if low == high and value in (0.0, 1.0):
        low, high = wilson(value, len(np.unique(groups[among])))
    return Estimate(value=value, low=low, high=min(high, 1.0), n=n)


def _unseen_refused(out_of_fold: pl.DataFrame | None, settings: EvaluateSettings) -> Estimate:
    if out_of_fold is None:
        return Estimate(value=None, n=0, because="the fitting left no answers out of fold")
    require_schema(out_of_fold, OUT_OF_FOLD_SCHEMA, what="the table of answers out of fold")
    unseen = out_of_fold.filter(pl.col("kind") == "unseen")
    refused, among = ~unseen["answered"].to_numpy().astype(bool), np.ones(len(unseen), dtype=bool)
    groups, rng = unseen["group"].to_numpy().astype(str), np.random.default_rng(settings.seed)
    found = bootstrap(
        {"refused": _share_of(refused, among)}, groups, n=settings.n_bootstrap, rng=rng
    )
    because = "the fitting held back no landmark (too few of them)"
    return _estimate(found["refused"], among=among, groups=groups, because=because)


def _risk_coverage(q: _Queries) -> tuple[RiskPoint, ...]:
    coverage, risk = metrics.risk_coverage(q.right, q.scores)
    kept = np.unique(
        np.linspace(0, len(coverage) - 1, min(len(coverage), MAX_CURVE_POINTS)).astype(int)
    )
    return tuple(
        RiskPoint(coverage=float(coverage[row]), risk=float(risk[row]))
        for row in kept
        if len(coverage)
    )


def _calibration(q: _Queries) -> tuple[CalibrationBin, ...]:
    bins = metrics.calibration_bins(q.probability, q.right, n_bins=N_BINS)
    return tuple(
        CalibrationBin(probability=probability, right=right, n=n)
        for probability, right, n in zip(*(column.tolist() for column in bins), strict=True)
    )


def _by_size(estimates: Mapping[str, Estimate], sizes: Mapping[str, int]) -> tuple[SizeScore, ...]:
    return tuple(
        SizeScore(
            name=name, smallest=smallest, largest=largest,
            n_landmarks=sum(1 for n in sizes.values() if smallest <= n <= (largest or n)),
            top1=estimates[f"top1:{name}"], recall=estimates[f"recall:{name}"],
        )
        for name, smallest, largest in SIZES
    )  # fmt: skip


def _by_landmark(q: _Queries, sizes: Mapping[str, int]) -> tuple[LandmarkScore, ...]:
    n_images = np.bincount(q.landmark[q.known], minlength=len(sizes)).tolist()
    n_right = np.bincount(q.landmark[q.known & q.right], minlength=len(sizes)).tolist()
    return tuple(
        LandmarkScore(
            landmark_id=landmark, n_gallery=n, n_images=n_images[row], n_right=n_right[row]
        )
        for row, (landmark, n) in enumerate(sizes.items())
    )
