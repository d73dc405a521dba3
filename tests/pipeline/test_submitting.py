"""The whole way of a contest: list, photos and bundle to a checked file and its score; broken off and taken up."""

import csv
import shutil
from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.pipeline.answers_kept import answers_path
from cairn.pipeline.submitting import Submitted, score, submit
from cairn.recognizer import Recognizer
from tests.watching import Memory


@pytest.fixture
def contest(finished: Path, tmp_path: Path) -> Path:
    """A folder with `photos`, flat and in folders, `test.csv` with an id that is missing and one that is no photo."""
    photos = tmp_path / "photos"
    (photos / "a/b/c").mkdir(parents=True)
    shutil.copy(finished / "photos/landmark_1/001.jpg", photos / "one.jpg")
    shutil.copy(finished / "photos/landmark_2/002.jpg", photos / "a/b/c/abc2.jpg")
    shutil.copy(finished / "photos/_none/001.jpg", photos / "none.jpg")
    (photos / "bad.jpg").write_text("no photo")
    (tmp_path / "test.csv").write_text("id,url\none,\nabc2,\nbad,\ngone,\nnone,\none,\n")
    return tmp_path


def submitted(finished: Path, contest: Path, watch: Memory | None = None) -> Submitted:
    return submit(
        finished / "work/models/default", test=contest / "test.csv", photos=contest / "photos",
        out=contest / "out.csv", watch=watch,
    )  # fmt: skip


def test_every_photo_that_can_be_read_has_the_recognisers_best_answer(
    finished: Path, contest: Path
) -> None:
    done = submitted(finished, contest)
    with (contest / "out.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == ["id", "one", "abc2", "bad", "gone", "none"]
    assert [row[0] for row in rows if not row[1]] == ["bad", "gone"]
    recognizer = Recognizer.load(finished / "work/models/default")
    for image_id, path in (("one", "one.jpg"), ("abc2", "a/b/c/abc2.jpg"), ("none", "none.jpg")):
        best = recognizer.recognize(contest / "photos" / path).landmarks[0]
        answer = done.submission.answers[image_id]
        assert answer
        assert answer.landmark_id == best.landmark_id
        assert answer.score == pytest.approx(best.score)
    assert dict(done.causes) == {"unreadable": 1, "not found": 1}
    assert (done.submission.n_answered, done.n_repeated, done.n_known) == (3, 1, 0)


def test_a_run_that_was_broken_off_leaves_no_file_and_goes_on(
    finished: Path, contest: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        submitted(finished, contest, Memory(break_at=("recognise photos", 2)))
    kept = answers_path(contest / "out.csv")
    assert not (contest / "out.csv").exists()
    with kept.open("a") as file:
        file.write('["none", "landm')
    watch = Memory()
    assert submitted(finished, contest, watch).n_known == 2
    assert watch.steps == {"recognise photos": 3}
    resumed = (contest / "out.csv").read_bytes()
    assert not kept.exists()
    submitted(finished, contest)
    assert (contest / "out.csv").read_bytes() == resumed


def test_answers_of_another_bundle_folder_or_setting_are_not_taken(
    finished: Path, contest: Path
) -> None:
    answers_path(contest / "out.csv").write_text('{"made_from": "x"}\n["one", "wrong", 1.0]\n')
    done = submitted(finished, contest)
    answer = done.submission.answers["one"]
    assert answer
    assert answer.landmark_id != "wrong"
    assert done.n_known == 0


def test_what_cannot_be_done_is_told_before_the_photos_are_read(
    finished: Path, contest: Path
) -> None:
    bundle = finished / "work/models/default"
    test, photos = contest / "test.csv", contest / "photos"
    with pytest.raises(InputError, match="is the test list"):
        submit(bundle, test=test, photos=photos, out=test)
    with pytest.raises(InputError, match="is a folder; a file to write"):
        submit(bundle, test=test, photos=photos, out=photos)
    with pytest.raises(InputError, match="a folder of photos was expected"):
        submit(bundle, test=test, photos=contest / "nowhere", out=contest / "out.csv")
    assert "gone" in test.read_text()


def test_a_folder_without_any_of_the_photos_is_told_and_no_file_is_written(
    finished: Path, contest: Path
) -> None:
    (contest / "empty").mkdir()
    with pytest.raises(InputError, match=r"none of the 5 photos .*\(first: one: no one.jpg in"):
        submit(
            finished / "work/models/default", test=contest / "test.csv", photos=contest / "empty",
            out=contest / "out.csv",
        )  # fmt: skip
    assert not list(contest.glob("out.csv*"))


def test_the_file_is_scored_by_the_published_truth(finished: Path, contest: Path) -> None:
    submitted(finished, contest)
    (contest / "truth.csv").write_text(
        "id,landmarks,Usage\none,landmark_1,Public\nabc2,landmark_2,Private\nbad,,Public\ngone,,Ignored\nnone,,Private\n"
    )
    scores = score(contest / "out.csv", truth=contest / "truth.csv")
    assert [(part.usage, part.n_photos, part.top_1) for part in scores.parts] == [
        ("Public", 2, 1.0),
        ("Private", 2, 1.0),
    ]
    assert scores.n_ignored == 1
