from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.images.store import FolderStore, Inside


def test_an_image_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.write("images/a/b.jpg", b"photo")
    assert store.read("images/a/b.jpg") == b"photo"


def test_an_image_inside_of_a_file_is_read_from_its_place(tmp_path: Path) -> None:
    FolderStore(tmp_path).write("shards/00000.tar", b"before, photo, after")
    assert FolderStore(tmp_path).read("shards/00000.tar#8+5") == b"photo"


def test_a_place_inside_of_a_file_reads_as_it_is_written() -> None:
    inside = Inside("shards/00000.tar", 512, 1234)
    assert Inside.of(str(inside)) == inside
    assert Inside.of("images/a/b.jpg") is None


@pytest.mark.parametrize("path", ["images/a.jpg", "shards/00001.tar#0+1"])
def test_a_file_that_has_gone_is_told(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        FolderStore(tmp_path).read(path)


def test_a_file_that_ends_within_an_image_is_told(tmp_path: Path) -> None:
    FolderStore(tmp_path).write("shards/00000.tar", b"1234")
    with pytest.raises(
        InputError, match="ends after 2 bytes; the 5 bytes of an image were expected"
    ):
        FolderStore(tmp_path).read("shards/00000.tar#2+5")
