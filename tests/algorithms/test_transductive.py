"""Rules over a whole test set: against loops, and out of reach of the answers for one photo."""

import math
from pathlib import Path

import numpy as np

import cairn
from cairn.algorithms.transductive import ranked_down


def test_each_score_loses_the_logarithm_of_how_often_its_landmark_was_answered() -> None:
    rng = np.random.default_rng(3)
    scores, landmarks = rng.normal(size=40), rng.choice(list("abcdefgh"), 40)
    slow = [
        score - math.log(sum(other == mine for other in landmarks))
        for score, mine in zip(scores, landmarks, strict=True)
    ]
    assert np.allclose(ranked_down(scores, landmarks), slow)


def test_landmarks_answered_once_and_no_answers_stay_as_they_are() -> None:
    assert ranked_down(np.array([2.0, -1.0]), np.array(["a", "b"])).tolist() == [2.0, -1.0]
    assert ranked_down(np.empty(0), np.empty(0, np.str_)).size == 0


def test_only_the_stage_of_contests_can_reach_the_rule() -> None:
    root = Path(cairn.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "algorithms.transductive" in path.read_text()
    }
    assert users == {"stages/submit.py"}
