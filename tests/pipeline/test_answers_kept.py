"""Answers kept beside a contest file: known again afterwards, and a full disk is told as one."""

import os
from pathlib import Path

import pytest

from cairn.base.errors import DiskError
from cairn.pipeline.answers_kept import answers_kept
from cairn.records.submissions import ContestAnswer
from cairn.stages.submit import PhotoAnswer

ANSWER = ContestAnswer("1", 1e-300)


def test_answers_are_known_again_and_photos_without_one_are_not(tmp_path: Path) -> None:
    with answers_kept(tmp_path / "out.csv", made_from="x") as kept:
        kept.keep(PhotoAnswer("a", ANSWER))
        kept.keep(PhotoAnswer("b", None, "unreadable", "no photo"))
    with answers_kept(tmp_path / "out.csv", made_from="x") as kept:
        assert kept.known == {"a": ANSWER}
    with answers_kept(tmp_path / "out.csv", made_from="y") as kept:
        assert kept.known == {}


def fill(out: Path) -> None:
    """One answer is kept, then the disk is full."""
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with answers_kept(out, made_from="x") as kept:
            kept.keep(PhotoAnswer("a", ANSWER))
            os.dup2(full, kept.file.fileno())
            kept.keep(PhotoAnswer("b", ANSWER))
    finally:
        os.close(full)


def test_a_disk_that_is_full_is_told_and_what_was_kept_before_is_known(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="the disk is full"):
        fill(tmp_path / "out.csv")
    with answers_kept(tmp_path / "out.csv", made_from="x") as kept:
        assert kept.known == {"a": ANSWER}
