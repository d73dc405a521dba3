"""`cairn scrub` as a person meets it: a table whose counts add up, the next commands, errors in words."""

import shutil
from pathlib import Path

import pytest

from cairn.cli.main import main
from cairn.records.findings import Findings


@pytest.mark.slow
def test_scrub_prints_a_table_by_kind_and_what_is_next(
    finished: Path, tiny_backbone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = shutil.copytree(finished / "work", tmp_path / "work")
    words = ["scrub", str(work), "--backbone", str(tiny_backbone), "--sides-px", "64"]
    assert main(words) == 0
    said = capsys.readouterr().out
    counts = Findings.read(work / "findings.parquet").counts()
    assert f": {sum(counts.values()):,} finding" in said.splitlines()[0]
    for kind, n in counts.items():
        assert any(line.startswith(kind) and f" {n:,} " in line for line in said.splitlines())
    assert f"report: {work}/reports/scrub/report.html" in said
    assert f"review {work}\n" in said
    assert said.splitlines()[-1].endswith(f"scrub {work} --apply careful")
    assert main(["scrub", str(work), "--apply", "careful"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"split {work}")


def test_a_policy_that_is_none_is_told_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scrub", str(tmp_path), "--apply", "carefull"]) != 0
    assert "careful" in capsys.readouterr().err


def test_a_folder_that_is_no_work_folder_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["scrub", str(tmp_path)]) == 1
    assert "is no work folder" in capsys.readouterr().err


def test_settings_of_finding_are_refused_where_nothing_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["scrub", str(tmp_path), "--apply", "careful", "--min-side-px", "5", "--backbone", "x"]
    assert main(words) != 0
    said = capsys.readouterr().err
    assert "2 settings are wrong" in said
    assert "--min-side-px would change nothing here" in said
    assert "--backbone would change nothing here" in said
