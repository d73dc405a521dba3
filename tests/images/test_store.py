"""The contract of a place where images lie, kept by files and by shards alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.images.keeping import KeptImage
from cairn.images.store import FolderStore, Inside, read_pixels, thumbnail
from cairn.stages.download.shard_files import OpenShard, sample_bytes
from tests.make import jpeg

Lay = Callable[[Path, Sequence[bytes]], list[str]]


def in_files(root: Path, contents: Sequence[bytes]) -> list[str]:
    paths = [f"images/a/{number}.jpg" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        FolderStore(root).write(path, content)
    return paths


def in_shards(root: Path, contents: Sequence[bytes]) -> list[str]:
    """Two images in each shard, as a download writes them."""
    paths = []
    for number in range(0, len(contents), 2):
        shard = OpenShard(root, number // 2)
        for place, content in enumerate(contents[number : number + 2], number):
            about = dict.fromkeys(("id", "landmark_id", "url", "licence", "author"), "a")
            packed, start = sample_bytes(str(place), about, kept(content))
            paths.append(shard.append(packed, start, len(content)))
        shard.finish()
    return paths


def kept(content: bytes) -> KeptImage:
    return KeptImage(content, ".jpg", 128, 96, "", "", b"")


LAYOUTS = pytest.mark.parametrize("lay", [in_files, in_shards])


@LAYOUTS
def test_images_are_read_in_any_order_as_they_were_written(lay: Lay, tmp_path: Path) -> None:
    contents = [jpeg(number) for number in range(5)]
    paths = lay(tmp_path, contents)
    store = FolderStore(tmp_path)
    for number in (3, 0, 4, 4, 1, 2):
        assert store.read(paths[number]) == contents[number]


@LAYOUTS
def test_pixels_and_thumbnails_do_not_tell_where_an_image_lies(lay: Lay, tmp_path: Path) -> None:
    (path,) = lay(tmp_path, [jpeg(1)])
    (alone,) = in_files(tmp_path / "other", [jpeg(1)])
    here, there = FolderStore(tmp_path), FolderStore(tmp_path / "other")
    assert read_pixels(here, path).tobytes() == read_pixels(there, alone).tobytes()
    assert thumbnail(here, path) == thumbnail(there, alone)


@LAYOUTS
def test_a_file_that_has_gone_is_told(lay: Lay, tmp_path: Path) -> None:
    (path,) = lay(tmp_path, [jpeg(1)])
    (tmp_path / path.partition("#")[0]).unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        FolderStore(tmp_path).read(path)


def test_no_file_stays_open(tmp_path: Path) -> None:
    paths = in_shards(tmp_path, [jpeg(number) for number in range(8)])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in paths:
        FolderStore(tmp_path).read(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_place_inside_of_a_file_reads_as_it_is_written() -> None:
    inside = Inside("shards/00000.tar", 512, 1234)
    assert Inside.of(str(inside)) == inside
    assert Inside.of("images/a/b.jpg") is None


def test_a_file_that_ends_within_an_image_is_told(tmp_path: Path) -> None:
    FolderStore(tmp_path).write("shards/00000.tar", b"1234")
    with pytest.raises(
        InputError, match="ends after 2 bytes; the 5 bytes of an image were expected"
    ):
        FolderStore(tmp_path).read("shards/00000.tar#2+5")
