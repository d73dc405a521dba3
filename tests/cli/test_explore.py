"""What `cairn explore` says: counts that add up, where the page lies, and the next command."""

import shutil
from pathlib import Path

import pytest

from cairn.cli.main import main


def test_it_says_counts_that_add_up_the_report_and_what_is_next(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = shutil.copytree(finished / "work", tmp_path / "work")
    assert main(["explore", str(work), "--sheet-images", "2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "52 rows: 52 kept"
    assert said[1] == "52 images: 40 of 4 landmarks, 12 that show none, 0 unlabelled"
    assert said[3].split() == ["middle", "5", "to", "19", "4", "40"]
    assert "parts: 26 train, 0 val, 26 test" in said
    assert f"report: {work}/reports/explore/report.html" in said
    assert said[-1] == f"next: cairn scrub {work} --backbone NAME-OR-FOLDER"


def test_without_descriptors_it_says_how_to_make_a_map(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = shutil.copytree(finished / "work", tmp_path / "work")
    shutil.rmtree(work / "descriptors")
    assert main(["explore", str(work), "--no-sheets"]) == 0
    assert f"to make some: cairn explore {work} --map" in capsys.readouterr().out
