"""Scores check themselves and come back from their file as they went."""

from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.records.scores import (
    CalibrationBin,
    Estimate,
    LandmarkScore,
    QueryCounts,
    RiskPoint,
    Scores,
    SizeScore,
)

GOOD = Estimate(value=0.5, low=0.4, high=0.75, n=4)
UNDEFINED = Estimate(value=None, n=0, because="nothing to ask about")


def scores(**changes: object) -> Scores:
    fields = {
        name: GOOD for name, info in Scores.model_fields.items() if info.annotation is Estimate
    }
    values: dict[str, object] = {
        **fields,
        "unseen_refused": UNDEFINED,
        "counts": QueryCounts(known=4, unseen=0, distractors=1),
        "wanted_precision": 0.95,
        "risk_coverage": (RiskPoint(coverage=0.5, risk=0), RiskPoint(coverage=1, risk=0.25)),
        "calibration": (CalibrationBin(probability=0.1, right=0.2, n=5),),
        "by_size": (
            SizeScore(name="all", smallest=1, largest=None, n_landmarks=1, top1=GOOD, recall=GOOD),
        ),
        "by_landmark": (LandmarkScore(landmark_id="a", n_gallery=3, n_images=4, n_right=2),),
    }
    return Scores.model_validate(values | changes)


def test_scores_come_back_from_their_file(tmp_path: Path) -> None:
    scores().write(tmp_path / "scores.json")
    assert Scores.read(tmp_path / "scores.json") == scores()


def test_the_share_of_distractors_is_of_the_images_that_are_scored() -> None:
    assert QueryCounts(known=2, unseen=1, distractors=1, unlabelled=9).distractor_share == 0.25
    assert QueryCounts(known=0, unseen=0, distractors=0).distractor_share == 0


def test_every_estimate_has_words_without_a_hole_in_them() -> None:
    for name in scores().estimates():
        title, sentence = scores().words(name)
        assert title
        assert sentence.endswith(".")
        assert "{" not in title + sentence
    assert (
        scores().words("answered_at_precision")[0] == "Answered at 95\N{NO-BREAK SPACE}% precision"
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "because"),
    [
        (None, None, None, None),
        (0.5, None, None, "why"),
        (0.5, 0.6, 0.7, None),
        (0.5, 0.4, None, None),
        (None, 0.4, 0.6, "why"),
    ],
)
def test_an_estimate_that_contradicts_itself_is_refused(
    value: float | None, low: float | None, high: float | None, because: str | None
) -> None:
    with pytest.raises(InputError, match="an estimate has the value"):
        Estimate(value=value, low=low, high=high, n=1, because=because)


def test_counts_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match="by landmark count 4 images of known landmarks; 5 were"):
        scores(counts=QueryCounts(known=5, unseen=0, distractors=0))


def test_a_curve_that_goes_back_is_refused() -> None:
    with pytest.raises(InputError, match="goes back and forth"):
        scores(risk_coverage=(RiskPoint(coverage=1, risk=0), RiskPoint(coverage=0.5, risk=0)))


def test_missing_and_damaged_files_say_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Scores.read(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"gap": 3}')
    with pytest.raises(InputError, match="damaged or of another version"):
        Scores.read(tmp_path / "bad.json")
