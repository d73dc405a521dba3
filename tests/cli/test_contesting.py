"""`cairn submit` and `cairn score`: what they say adds up."""

import json
from pathlib import Path

import pytest

from cairn.cli.main import main


def test_submit_and_score_tell_counts_that_add_up(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, test, out = finished / "photos/landmark_1", tmp_path / "test.csv", tmp_path / "out.csv"
    test.write_text("id\n001\n002\n" + "".join(f"gone{i}\n" for i in range(7)) + "001\n")
    truth = "".join(f"gone{i},,Ignored\n" for i in range(7))
    (tmp_path / "truth.csv").write_text(
        f"id,landmarks,Usage\n001,landmark_1,Public\n002,x,Private\n{truth}"
    )
    words = ["--test", str(test), "--photos", str(photos), "--out", str(out)]
    assert main(["submit", str(finished / "work/models/default"), *words]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "9 photos: 2 answered, 7 not found"
    assert "gone0: not found: no gone0.jpg in" in said.err
    assert "… and 2 more without an answer" in said.err
    assert "1 row of the list named a photo again" in said.err
    assert main(["score", str(out), "--truth", str(tmp_path / "truth.csv")]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split() == ["Public", "1.000000", "1.0000", "1", "1", "1"]
    assert said.out.splitlines()[-1] == "9 photos: 1 Public, 1 Private, 7 Ignored"
    assert main(["score", str(out), "--truth", str(tmp_path / "truth.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"][1]["gap"] == 0.0


def test_what_is_wrong_in_a_file_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.csv").write_text("id,landmarks\na,1 nan\n")
    assert main(["score", str(tmp_path / "s.csv"), "--truth", str(tmp_path / "t.csv")]) == 1
    said = capsys.readouterr()
    assert "line 2 of" in said.err
    assert not said.out
