"""Submitting to contests: a bundle, a test list and photos become a contest file; the published truth scores it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cairn.base.errors import InputError
from cairn.base.files import digest_json, require_folder
from cairn.base.settings import RecognizeSettings, SubmitSettings
from cairn.base.watching import Silent, Watch
from cairn.pipeline.answers_kept import answers_kept
from cairn.recognizer import Recognizer
from cairn.records.contest_rows import AskedPhotos
from cairn.records.contest_scores import ContestScores, read_truth
from cairn.records.submissions import Submission, require_one_word
from cairn.stages import score as scoring
from cairn.stages import submit as stage
from cairn.version import __version__


@dataclass(frozen=True)
class Submitted:
    """The contest file that was made, and what became of the photos: those with an answer and `unanswered` are all.

    n_known: answers that an earlier run of the same had given. n_repeated: rows of the list that named a photo again.
    """

    path: Path
    submission: Submission
    unanswered: tuple[stage.PhotoAnswer, ...]
    n_known: int
    n_repeated: int

    @property
    def causes(self) -> Mapping[str, int]:
        """How many photos have no answer, by cause."""
        return Counter(found.cause or "" for found in self.unanswered)


def submit(
    bundle: str | Path,
    *,
    test: str | Path,
    photos: str | Path,
    out: str | Path,
    settings: SubmitSettings | None = None,
    recognizing: RecognizeSettings | None = None,
    watch: Watch | None = None,
) -> Submitted:
    """The contest file `out`: an answer of the bundle for each photo of the list `test`; see docs/submit.md.

    photos: the folder with `<id>.jpg`, or with folders a/b/c as Google Landmarks v2 has them.
    Raises InputError where list, folder or landmark ids cannot be used or no photo can be answered, BundleError for a
    bundle that is not whole, DiskError where the disk is full or refuses.
    """
    asked, folder, path = AskedPhotos.read(Path(test)), Path(photos), Path(out)
    require_folder(folder, what="a folder of photos", then="name the one with the contest's photos")
    _require_free(path, Path(test))
    recognizer, ways = Recognizer.load(bundle), recognizing or RecognizeSettings()
    for landmark_id in recognizer.landmark_ids:
        require_one_word(landmark_id)
    with answers_kept(path, made_from=_made_from(recognizer, folder, ways)) as kept:
        known = {
            image_id: kept.known[image_id] for image_id in asked.image_ids if image_id in kept.known
        }
        answered = stage.submit(
            asked.image_ids, ask=stage.asking(recognizer, folder, settings=ways), known=known,
            keep=kept.keep, settings=settings or SubmitSettings(), watch=watch or Silent(),
        )  # fmt: skip
    if not answered.submission.n_answered:
        kept.path.unlink(missing_ok=True)
        raise _nothing_answered(answered, folder)
    answered.submission.write(path)
    _require_written(path, answered.submission, asked)
    kept.path.unlink(missing_ok=True)
    return Submitted(path, answered.submission, answered.unanswered, len(known), asked.n_repeated)


def score(submission: str | Path, *, truth: str | Path) -> ContestScores:
    """What a contest file scores by the published truth, on Public and on Private; see docs/score.md.

    Raises InputError where a file cannot be used, or their photos are not the same.
    """
    return scoring.score(Submission.read(Path(submission)), read_truth(Path(truth)))


def _require_free(out: Path, test: Path) -> None:
    """Nothing, where `out` may be written; told now, not after hours."""
    if out.is_dir() or (out.exists() and out.samefile(test)):
        what = "a folder" if out.is_dir() else "the test list"
        raise InputError(
            f"{out} is {what}; a file to write the answers to was expected; name another with --out"
        )


def _made_from(recognizer: Recognizer, photos: Path, ways: RecognizeSettings) -> str:
    """What answers depend on, as a digest: bundle, photos, settings, version."""
    card = recognizer.bundle.card
    return digest_json(
        {
            "cairn": __version__, "photos": str(photos.resolve()), "settings": ways.as_json(),
            "files": {name: record.digest for name, record in card.files.items()},
            "describe": card.describe.as_json(), "max_side_px": card.max_side_px,
        }
    )  # fmt: skip


def _nothing_answered(answered: stage.Answered, photos: Path) -> InputError:
    first = answered.unanswered[0]
    return InputError(
        f"none of the {len(answered.unanswered):,} photos of the list could be answered (first: {first.image_id}: "
        f"{first.reason}); photos called by their ids were expected in {photos}; name another folder with --photos"
    )


def _require_written(path: Path, meant: Submission, asked: AskedPhotos) -> None:
    """Nothing, where the file read back is what was meant, scores to the last digit."""
    found = Submission.read(path)
    found.require_photos(asked.image_ids, of="the list")
    if dict(found.answers) != dict(meant.answers):
        raise InputError(
            f"{path} holds other answers than were written; the same to the last digit were expected; run the same command "
            "again, and check the disk if it is told again"
        )
