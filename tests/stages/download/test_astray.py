import errno
import os
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import DiskError
from cairn.records.catalog import KEPT
from cairn.stages.download.astray import KnownPaths, Swept, forget_lost, sweep_images
from cairn.stages.download.journal import Journal, Outcome


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def files(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"12345")


def left(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / "images").rglob("*"))


def known(*paths: str) -> KnownPaths:
    return KnownPaths([pl.Series(paths[:1]), pl.Series([*paths[1:], None], dtype=pl.String)])


def test_half_written_files_go_and_whole_ones_stay(tmp_path: Path) -> None:
    files(tmp_path, "images/a/1.jpg", "images/a/.1.jpg.x7.part", "images/b/.2.jpg.y8.part")
    assert sweep_images(tmp_path, None) == Swept(n_parts=2, n_orphans=0)
    assert left(tmp_path) == ["images/a", "images/a/1.jpg", "images/b"]


def test_files_that_nothing_names_go_with_the_folders_that_they_leave_empty(tmp_path: Path) -> None:
    files(tmp_path, "images/a/1.jpg", "images/a/2.jpg", "images/b/3.jpg", "images/c/.3.jpg.z.part")
    swept = sweep_images(tmp_path, known("images/a/2.jpg", "images/b/9.jpg"))
    assert swept == Swept(n_parts=1, n_orphans=2)
    assert left(tmp_path) == ["images/a", "images/a/2.jpg", "images/c"]


def test_links_deeper_folders_and_strange_names_are_nobodys_to_sweep(tmp_path: Path) -> None:
    files(tmp_path, "images/a/deep/1.jpg", "images/a/ü.jpg", "images/a/.hidden", "images/loose.jpg")
    files(tmp_path, "elsewhere/1.jpg")
    (tmp_path / "images/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images/a/link.jpg").symlink_to(tmp_path / "elsewhere/1.jpg")
    before = left(tmp_path)
    assert sweep_images(tmp_path, known("x", "y")) == Swept(n_parts=0, n_orphans=0)
    assert left(tmp_path) == before
    assert (tmp_path / "elsewhere/1.jpg").exists()


def test_files_that_cairn_would_not_call_so_are_the_users(tmp_path: Path) -> None:
    files(
        tmp_path, "images/a/my notes.txt", "images/a/README.md", "images/a/photo.xmp", "images/a/my 1.jpg",
        "images/a/1.JPG", "images/a/jpg", "images/my own/1.jpg",
    )  # fmt: skip
    before = left(tmp_path)
    files(tmp_path, "images/a/b.c.jpg", "images/a/2.heic")
    assert sweep_images(tmp_path, known("x", "y")) == Swept(n_parts=0, n_orphans=2)
    assert left(tmp_path) == before


def test_a_work_folder_without_images_has_none_to_sweep(tmp_path: Path) -> None:
    assert sweep_images(tmp_path, KnownPaths([])) == Swept(n_parts=0, n_orphans=0)


def test_where_nothing_is_named_all_is_unknown() -> None:
    paths = pl.Series(["images/a/1.jpg"])
    assert KnownPaths([]).unknown(paths).to_list() == paths.to_list()


def test_images_that_are_not_there_in_full_are_forgotten(tmp_path: Path, journal: Journal) -> None:
    files(
        tmp_path, "images/a/1.jpg", "images/a/2.jpg", "shards/00000.tar", "shards/.00001.tar.part"
    )
    sizes = {
        "images/a/1.jpg": 5, "images/a/2.jpg": 6, "images/a/3.jpg": 5, "shards/00000.tar#1+4": 4,
        "shards/00000.tar#2+4": 4, "shards/00001.tar#0+5": 5, "shards/00002.tar#0+5": 5,
    }  # fmt: skip
    journal.record(
        [
            Outcome(key=key, status=KEPT, path=path, size_bytes=size, attempts=1, fetched_at_ms=0)
            for key, (path, size) in enumerate(sizes.items())
        ]
    )
    assert forget_lost(tmp_path, journal) == 4
    assert journal.kept_keys().tolist() == [0, 3, 5]
    assert forget_lost(tmp_path, journal) == 0


def test_a_disk_that_errs_makes_nothing_forgotten(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_path: object) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = "images/a/1.jpg"
    files(tmp_path, path)
    journal.record(
        [Outcome(key=1, status=KEPT, path=path, size_bytes=5, attempts=1, fetched_at_ms=0)]
    )
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", broken)
        with pytest.raises(DiskError, match="Input/output error"):
            forget_lost(tmp_path, journal)
    assert journal.kept_keys().tolist() == [1]
