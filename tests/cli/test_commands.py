import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from cairn.cli.main import COMMANDS, main
from tests.make import landmark_folder

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "recognition.schema.json").read_text())


def test_recognize_prints_a_table_and_counts_that_add_up(
    finished: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    photos = finished / "photos" / "landmark_1"
    (tmp_path / "text.jpg").write_text("no photo")
    bundle = finished / "work/models/default"
    assert main(["recognize", str(bundle), str(photos), str(tmp_path / "text.jpg")]) == 0
    said = capsys.readouterr()
    assert "landmark 1" in said.out
    assert said.out.splitlines()[-1].startswith("11 photos: ")
    assert said.out.splitlines()[-1].endswith("1 failed")
    assert "text.jpg: the file is no image" in said.err


def test_recognize_json_keeps_its_promise(
    finished: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    photo, none = finished / "photos/landmark_1/001.jpg", finished / "photos/_none/001.jpg"
    (tmp_path / "bad.jpg").write_text("x")
    paths = [str(photo), str(none), str(tmp_path / "bad.jpg")]
    assert main(["recognize", str(finished / "work/models/default"), *paths, "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for answer in answers:
        jsonschema.validate(answer, SCHEMA)
    assert [answer["image"] for answer in answers] == paths
    assert answers[0]["answer"] == answers[0]["answers"][0] == "landmark_1"
    assert len(answers[0]["landmarks"]) == 4
    scores = [candidate["score"] for candidate in answers[0]["landmarks"]]
    assert scores == sorted(scores, reverse=True)
    assert [answer["none_because"] for answer in answers] == [None, "below_threshold", "unreadable"]


@pytest.mark.slow
def test_import_split_train_index_evaluate_say_what_they_did_and_what_is_next(
    tmp_path: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, work = landmark_folder(tmp_path / "photos"), str(tmp_path / "work")
    (photos / "landmark_0" / "bad.jpg").write_text("x")
    backbone = ["--backbone", str(tiny_backbone), "--sides-px", "64"]
    for arguments, words in (
        (
            ["import", work, "--folder", str(photos)],
            "53 files: 52 kept, 1 failed: not an image; 4 landmarks",
        ),
        (["split", work, "--ratio", "50/0/50"], "52 images: 26 train, 26 test"),
        (["train", work, *backbone], "fitted on 20 images of 4 landmarks and 6 distractors"),
        (["index", work], "(20 images of 4 landmarks, "),
        (["evaluate", work, "--n-bootstrap", "9"], "GAP with distractors"),
    ):
        assert main(arguments) == 0
        said = capsys.readouterr().out
        assert words in said
        assert "\nnext: cairn " in said


@pytest.mark.slow
def test_a_flat_folder_gets_a_proposal(
    tmp_path: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sorted_photos, flat = landmark_folder(tmp_path / "photos", n_none=0), tmp_path / "flat"
    flat.mkdir()
    for path in sorted_photos.glob("*/*.jpg"):
        (flat / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    arguments = ["import", str(tmp_path / "work"), "--folder", str(flat)]
    assert main(arguments) == 1
    assert "--group" in capsys.readouterr().err
    assert main([*arguments, "--group", "--backbone", str(tiny_backbone), "--sides-px", "64"]) == 0
    assert "40 photos: " in capsys.readouterr().out
    assert len(list((tmp_path / "work/proposal").glob("*/*.jpg"))) == 40
    assert len(list(flat.iterdir())) == 40
    assert main([*arguments, "--group", "--backbone", str(tiny_backbone), "--sides-px", "64"]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "there is no command 'nonsense'"),
        (["splitt", "w"], 2, "did you mean split?"),
        (["split", "w", "--ratio", "1"], 2, "a setting is wrong"),
        (["run", "w"], 2, "--folder"),
        (["bench", "embd"], 2, "did you mean embed?"),
        (["split", "/nowhere"], 1, "is no work folder"),
        (["recognize", "/nowhere", "a.jpg"], 1, "does not exist"),
    ],
)
def test_wrong_usage_and_our_errors_have_their_exit_codes(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    said = capsys.readouterr()
    assert words in said.err
    assert not said.out
    assert "Traceback" not in said.err


@pytest.mark.slow
def test_an_empty_folder_a_folder_of_text_and_one_landmark_are_each_told(
    tmp_path: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(folder: Path) -> str:
        work = str(tmp_path / f"work_{folder.name}")
        backbone = ["--backbone", str(tiny_backbone), "--sides-px", "64"]
        assert main(["run", work, "--folder", str(folder), *backbone]) == 1
        return capsys.readouterr().err

    (tmp_path / "empty").mkdir()
    (tmp_path / "text" / "notes").mkdir(parents=True)
    (tmp_path / "text" / "notes" / "a.txt").write_text("words")
    landmark_folder(tmp_path / "one", n_landmarks=1, n_none=0)
    assert "is empty; a folder for each landmark was expected" in told(tmp_path / "empty")
    assert "holds no photo that can be kept (1 not an image)" in told(tmp_path / "text")
    assert "one landmark (landmark_0) and 0 distractors" in told(tmp_path / "one")


def test_every_command_has_help_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in overview
        if name != "bench":
            with pytest.raises(SystemExit) as caught:
                main([name, "--help"])
            assert caught.value.code == 0
            assert f"usage: cairn {name}" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from cairn.cli.main import main; main(['--help']); "
        "print({'numpy', 'polars', 'pydantic', 'openvino', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr.strip() == "set()"


@pytest.mark.slow
def test_ctrl_c_stops_with_a_word_and_the_next_run_goes_on(
    tmp_path: Path, tiny_backbone: Path
) -> None:
    photos = landmark_folder(tmp_path / "photos", n_landmarks=8, n_photos=40)
    command = [
        sys.executable, "-m", "cairn.cli.main", "run", str(tmp_path / "work"), "--folder", str(photos),
        "--backbone", str(tiny_backbone), "--sides-px", "512", "--n-bootstrap", "9",
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    deadline = time.monotonic() + 60
    while not (tmp_path / "work/images").is_dir() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again to go on" in said
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "332 kept" in again.stdout


@pytest.mark.slow
def test_a_full_disk_is_told_and_running_again_goes_on(
    tmp_path: Path,
    tiny_backbone: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photos = landmark_folder(tmp_path / "photos")
    room = [30]
    write = os.fsync

    def fsync_until_full(handle: int) -> None:
        room[0] -= 1
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        write(handle)

    monkeypatch.setattr(os, "fsync", fsync_until_full)
    arguments = ["run", str(tmp_path / "w"), "--folder", str(photos), "--backbone", str(tiny_backbone),
                 "--sides-px", "64", "--n-bootstrap", "9"]  # fmt: skip
    assert main(arguments) == 1
    assert "the disk is full" in capsys.readouterr().err
    room[0] = 10**6
    assert main(arguments) == 0
    assert "52 kept" in capsys.readouterr().out


@pytest.mark.slow
def test_a_reader_that_leaves_ends_answers_but_not_work(
    finished: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    run = [
        "run", str(tmp_path / "w"), "--folder", str(finished / "photos"), "--backbone", str(tiny_backbone),
        "--sides-px", "64", "--n-bootstrap", "9",
    ]  # fmt: skip
    ask = [
        "recognize",
        str(finished / "work/models/default"),
        *[str(finished / "photos")] * 3,
        "--json",
    ]
    for arguments, code in ((run, 0), (ask, 141)):
        process = subprocess.Popen(
            [sys.executable, "-m", "cairn.cli.main", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == code
    assert (tmp_path / "w/reports/default/report.html").is_file()


@pytest.mark.slow
def test_without_distractors_and_with_few_photos_the_words_warn(
    tmp_path: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = landmark_folder(tmp_path / "photos", n_none=0)
    backbone = ["--backbone", str(tiny_backbone), "--sides-px", "64", "--n-bootstrap", "0"]
    assert main(["run", str(tmp_path / "work"), "--folder", str(photos), *backbone]) == 0
    said = capsys.readouterr().out
    assert "'none' is a guess" in said
    assert "only 4 test images: read the intervals" in said


def test_python_m_cairn_is_cairn() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "cairn", "--version"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("cairn ")
