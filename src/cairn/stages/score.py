"""Score: what a contest file scores by the truth that was published, part by part."""

from collections.abc import Mapping

from cairn.algorithms.metrics import gap_of_answers
from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.records.contest_scores import IGNORED, SCORED, ContestScores, ContestTruth, PartScore
from cairn.records.submissions import Submission


def score(submission: Submission, truth: Mapping[str, ContestTruth]) -> ContestScores:
    """GAP and top-1 of Public and of Private, of those that the truth has; ignored photos count nowhere.

    Raises InputError where the photos of the two are not the same, or no scored photo shows a landmark.
    """
    submission.require_photos(truth.keys(), of="the truth")
    n_ignored = sum(told.usage == IGNORED for told in truth.values())
    parts = [_part(usage, submission, truth) for usage in SCORED]
    found = tuple(part for part in parts if part.n_photos)
    if not any(part.n_with_landmark for part in found):
        raise InputError(
            f"none of the {counted(len(truth) - n_ignored, 'photo')} that the truth scores shows a landmark, so GAP divides "
            "by 0; at least one was expected; name the truth that was published"
        )
    return ContestScores(found, n_ignored)


def _part(usage: str, submission: Submission, truth: Mapping[str, ContestTruth]) -> PartScore:
    shown = {image_id: told.landmark_ids for image_id, told in truth.items() if told.usage == usage}
    asked = {image_id: submission.answers[image_id] for image_id in shown}
    given = {image_id: answer for image_id, answer in asked.items() if answer is not None}
    n_with_landmark = sum(1 for landmarks in shown.values() if landmarks)
    if not n_with_landmark:
        return PartScore(usage, len(shown), 0, len(given), None, None)
    gap = gap_of_answers(
        list(given),
        [answer.landmark_id for answer in given.values()],
        [answer.score for answer in given.values()],
        truth=shown,
    )
    n_right = sum(answer.landmark_id in shown[image_id] for image_id, answer in given.items())
    return PartScore(usage, len(shown), n_with_landmark, len(given), gap, n_right / n_with_landmark)
