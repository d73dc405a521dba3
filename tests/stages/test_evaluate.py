"""Scores of small made-up answers, and that no image is lost on the way."""

import numpy as np
import polars as pl
import pytest

from cairn.algorithms.metrics import gap_of_answers
from cairn.base.errors import InputError
from cairn.base.settings import EvaluateSettings
from cairn.records.recognitions import BELOW_THRESHOLD, UNREADABLE, Candidate, Recognition
from cairn.records.scores import Scores
from cairn.stages.evaluate import OUT_OF_FOLD_SCHEMA, TRUTH_SCHEMA, evaluate

GALLERY = {"big": 30, "mid": 8, "one": 1, "gone": 0}


def truth(shown: dict[str, list[str] | None]) -> pl.DataFrame:
    rows = [(image_id, landmarks, image_id) for image_id, landmarks in shown.items()]
    return pl.DataFrame(rows, schema=TRUTH_SCHEMA, orient="row")


def recognition(image: str, *best: str, score: float = 0.0, answered: bool = True) -> Recognition:
    probability = float(1 / (1 + np.exp(-score)))
    candidates = tuple(Candidate(landmark, landmark, score, probability) for landmark in best)
    if not best:
        return Recognition(image, (), (), none_because=UNREADABLE)
    because = None if answered else BELOW_THRESHOLD
    return Recognition(image, best[:1] if answered else (), candidates, none_because=because)


SHOWN: dict[str, list[str] | None] = {
    "a": ["big"], "b": ["big", "mid"], "c": ["one"], "d": [], "e": ["nowhere"], "f": ["mid"],
    "g": None,
}  # fmt: skip
ANSWERS = [
    recognition("a", "big", score=4),
    recognition("b", "mid", score=3),
    recognition("c", "big", "one", score=1, answered=False),
    recognition("d", "big", score=2),
    recognition("e", "one", score=-2, answered=False),
    recognition("f"),
    recognition("g", "big", score=9),
]


def scored(
    answers: list[Recognition] = ANSWERS, shown: dict[str, list[str] | None] = SHOWN,
    out_of_fold: pl.DataFrame | None = None, n_bootstrap: int = 50,
) -> Scores:  # fmt: skip
    settings = EvaluateSettings(n_bootstrap=n_bootstrap)
    return evaluate(
        answers, truth(shown), gallery_counts=GALLERY, out_of_fold=out_of_fold, settings=settings
    )


def test_every_test_image_is_counted_once() -> None:
    counts = scored().counts
    assert (counts.known, counts.unseen, counts.distractors, counts.unlabelled) == (4, 1, 1, 1)


def test_the_shares_are_those_counted_by_hand() -> None:
    found = {name: estimate.value for name, estimate in scored().estimates().items()}
    assert found == pytest.approx(
        {
            "gap": 2 / 4, "gap_without_distractors": 2 / 4, "top1": 2 / 4, "top5": 3 / 4,
            "mean_recall": 1 / 3, "answered_at_precision": 2 / 6, "precision_when_sure": 1.0,
            "answered": 3 / 6, "answered_precision": 2 / 3, "known_answered_rightly": 2 / 4,
            "distractors_refused": 0.0, "unseen_refused": 1.0, "unseen_refused_out_of_fold": None,
            "calibration_error": found["calibration_error"],
        }
    )  # fmt: skip


def test_gap_is_that_of_the_best_candidates_whether_answered_or_not() -> None:
    rng = np.random.default_rng(0)
    names = ["big", "mid", "one"]
    shown: dict[str, list[str] | None] = {
        str(i): [str(rng.choice(names))] if rng.random() < 0.7 else [] for i in range(60)
    }
    answers = [
        recognition(
            i,
            str(rng.choice([*(shown[i] or []), *names])),
            score=float(rng.integers(9)),
            answered=False,
        )
        for i in shown
    ]
    best = [answer.landmarks[0] for answer in answers]
    expected = gap_of_answers(
        list(shown), [c.landmark_id for c in best], [c.score for c in best],
        truth={image: set(landmarks or []) for image, landmarks in shown.items()},
    )  # fmt: skip
    assert scored(answers, shown).gap.value == pytest.approx(expected)


def test_a_distractor_above_a_right_answer_costs_gap_only_where_distractors_count() -> None:
    answers = [recognition("a", "big", score=1), recognition("d", "big", score=2)]
    found = scored(answers, {"a": ["big"], "d": []})
    assert (found.gap.value, found.gap_without_distractors.value) == (0.5, 1.0)


def test_an_image_counts_for_its_first_landmark_that_the_gallery_holds() -> None:
    found = scored([recognition("a", "mid")], {"a": ["nowhere", "mid", "big"]})
    assert {row.landmark_id: row.n_right for row in found.by_landmark} == {
        "big": 0,
        "mid": 1,
        "one": 0,
    }
    assert {row.name: row.top1.n for row in found.by_size} == {
        "head": 0,
        "middle": 1,
        "tail": 0,
        "singleton": 0,
    }


def test_the_numbers_come_with_intervals_and_the_same_seed_gives_the_same() -> None:
    found = scored()
    assert found == scored()
    assert found.top1.low is not None
    assert found.top1.high is not None
    assert 0 <= found.top1.low < 0.5 < found.top1.high <= 1


def test_a_share_without_exception_is_not_taken_for_certain() -> None:
    shown: dict[str, list[str] | None] = {str(i): ["big"] for i in range(10)}
    found = scored([recognition(i, "big", score=float(i)) for i in shown], shown).top1
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.7225, abs=1e-4)


def test_without_resamplings_there_are_no_intervals() -> None:
    assert scored(n_bootstrap=0).top1.low is None


def test_what_cannot_be_measured_says_why() -> None:
    found = scored([recognition("d", "big", answered=False)], {"d": []})
    assert (found.gap.value, found.gap.because) == (
        None,
        "no test image shows a landmark of the gallery",
    )
    assert found.answered_precision.because == "no test image was answered"
    assert found.distractors_refused.value == 1.0


def test_an_empty_test_part_is_scored_as_undefined() -> None:
    found = scored([], {})
    assert all(estimate.value is None for estimate in found.estimates().values())


def test_the_unseen_refused_out_of_fold_are_those_of_the_fitting() -> None:
    rows = [
        (str(i), str(i), kind, 0.1, 0.2, False, i == 0)
        for i, kind in enumerate(["unseen"] * 4 + ["known"])
    ]
    table = pl.DataFrame(rows, schema=OUT_OF_FOLD_SCHEMA, orient="row")
    found = scored(out_of_fold=table).unseen_refused_out_of_fold
    assert (found.value, found.n) == (0.75, 4)


def test_the_curves_end_where_everything_is_answered() -> None:
    found = scored()
    assert found.risk_coverage[-1].coverage == 5 / 6
    assert found.risk_coverage[-1].risk == 3 / 5
    assert sum(part.n for part in found.calibration) == 6


def test_images_and_truth_that_do_not_match_are_refused() -> None:
    with pytest.raises(InputError, match=r"1 test image without a recognition and 0 .*first: a"):
        scored(ANSWERS[1:])
    with pytest.raises(InputError, match=r"0 test images .* and 1 recognition without truth"):
        scored([*ANSWERS, recognition("h", "big")])
    with pytest.raises(InputError, match="the image a has 2 rows of recognition"):
        scored([*ANSWERS, ANSWERS[0]])
