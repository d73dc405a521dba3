import sys
import threading
from pathlib import Path

import pytest

from cairn.base.swapping import swapped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux is asked to swap")


def folder(path: Path, holds: str) -> Path:
    path.mkdir()
    (path / holds).touch()
    return path


def test_two_folders_change_places(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", "a"), folder(tmp_path / "other", "b")
    assert swapped(one, other)
    assert [path.name for path in (*one.iterdir(), *other.iterdir())] == ["b", "a"]


def test_where_one_is_missing_nothing_changes(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", "a")
    assert not swapped(one, tmp_path / "other")
    assert [path.name for path in tmp_path.rglob("*")] == ["one", "a"]


def test_the_place_is_never_empty(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "one", "a"), folder(tmp_path / "other", "b")
    stop, n_missing = threading.Event(), 0

    def swap() -> None:
        while not stop.is_set():
            swapped(one, other)

    swapping = threading.Thread(target=swap)
    swapping.start()
    for _ in range(2_000):
        n_missing += not one.exists()
    stop.set()
    swapping.join()
    assert n_missing == 0
