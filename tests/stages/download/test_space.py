import errno
import os
from pathlib import Path

import pytest

from cairn.base.errors import DiskError
from cairn.base.files import disk_errors
from cairn.stages.download.space import (
    LOOK_AGAIN_S,
    SPARE_FILES,
    Free,
    Room,
    free_at,
    free_for,
    is_full_disk,
    shortage_ahead,
)

FULL = "the disk is full: free some space, and the download goes on by itself"


def room(*answers: Free, spare_bytes: int = 1_000_000) -> Room:
    """Room on a disk that has this left, one after the other and the last over and over."""
    waiting = list(answers)
    return Room(
        lambda: waiting[0] if len(waiting) == 1 else waiting.pop(0), spare_bytes=spare_bytes
    )


def test_what_is_left_is_what_the_system_says(tmp_path: Path) -> None:
    free, told = free_at(tmp_path), os.statvfs(tmp_path)
    assert free.n_bytes == pytest.approx(told.f_bavail * told.f_frsize, rel=0.1)
    assert free.files is None or free.files > 0


def test_a_folder_that_has_gone_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="could not be written: No such file"):
        free_at(tmp_path / "gone")


def test_enough_is_no_shortage_and_less_than_that_is_one() -> None:
    assert room(Free(1_000_000, None)).shortage(0.0) is None
    assert room(Free(949_999, None)).shortage(0.0) == (
        "the disk has 0.9 MB left, less than the 1 MB of --spare-disk-mb: free some space, and the "
        "download goes on by itself"
    )


def test_too_few_files_are_a_shortage_where_the_file_system_counts_them() -> None:
    few = room(Free(10**9, SPARE_FILES - 1)).shortage(0.0)
    assert few is not None
    assert "room for 999 more files" in few
    assert "--output shards" in few
    assert room(Free(10**9, SPARE_FILES)).shortage(0.0) is None


def test_where_no_bytes_are_to_be_spared_files_are_looked_at_all_the_same() -> None:
    assert room(Free(0, None), spare_bytes=0).shortage(0.0) is None
    assert room(Free(0, SPARE_FILES), spare_bytes=0).shortage(0.0) is None
    few = room(Free(10**9, SPARE_FILES - 1), spare_bytes=0).shortage(0.0)
    assert "room for 999 more files" in str(few)


def test_what_is_to_come_is_compared_with_what_is_left() -> None:
    def ahead(free: Free, *, spare_bytes: int = 500) -> str | None:
        return shortage_ahead(10**9, 5000, free=free, spare_bytes=spare_bytes)

    assert ahead(Free(10**9 + 500, 5000 + SPARE_FILES)) is None
    assert ahead(Free(10**9 + 500, None)) is None
    assert "room for 5,999 files left, and about 1.00 GB in 5,000 files" in str(
        ahead(Free(10**12, 4999 + SPARE_FILES))
    )
    assert "the disk has 1.00 GB left" in str(ahead(Free(10**9 + 499, None)))


def test_the_disk_of_a_folder_that_is_not_there_yet_is_that_of_the_one_above(
    tmp_path: Path,
) -> None:
    assert free_for(tmp_path / "a/b").n_bytes == pytest.approx(free_at(tmp_path).n_bytes, rel=0.1)


def test_the_disk_is_looked_at_once_a_second_at_most() -> None:
    found = room(Free(0, None), Free(10**9, None))
    assert found.shortage(5.0) is not None
    assert found.shortage(5.0 + 0.9 * LOOK_AGAIN_S) is not None
    assert found.shortage(5.0 + LOOK_AGAIN_S) is None


def test_a_refused_write_is_a_shortage_until_every_one_went_through() -> None:
    found = room(Free(10**9, None))
    found.refused()
    found.refused()
    found.accepted()
    assert found.shortage(0.0) == FULL
    found.accepted()
    assert found.shortage(0.1) is None


def test_the_cause_that_names_numbers_is_told_before_the_one_that_does_not() -> None:
    found = room(Free(0, None))
    found.refused()
    assert "--spare-disk-mb" in str(found.shortage(0.0))


@pytest.mark.parametrize(
    ("number", "is_full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EROFS, False)]
)
def test_a_full_disk_and_a_quota_are_told_from_a_refusal(number: int, is_full: bool) -> None:
    with pytest.raises(DiskError) as caught, disk_errors(Path("x")):
        raise OSError(number, os.strerror(number))
    assert is_full_disk(caught.value) is is_full


def test_an_error_without_a_reason_is_no_full_disk() -> None:
    assert not is_full_disk(DiskError("in words"))
