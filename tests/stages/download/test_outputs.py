import errno
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import JsonValue

from cairn.base.errors import DiskError
from cairn.images.keeping import KeptImage
from cairn.images.store import FolderStore
from cairn.records.catalog import KEPT
from cairn.stages.download.journal import Journal, Outcome
from cairn.stages.download.outputs import FolderOutput, ShardOutput

WRITER = """
import sys
from pathlib import Path
from tests.stages.download.test_outputs import keep, sharded
from cairn.stages.download.journal import Journal

root, first = Path(sys.argv[1]), int(sys.argv[2])
with Journal.open(root / "journal.sqlite") as journal:
    output = sharded(root, journal, shard_images=7)
    for start in range(first, first + 1_000_000, 3):
        keep(output, *range(start, start + 3))
        print(start + 3, flush=True)
"""


def image(number: int, *, suffix: str = ".jpg") -> KeptImage:
    content = f"photo {number} ".encode() * (100 + number)
    return KeptImage(content, suffix, 4, 3, "ab" * 32, "cd" * 32, bytes(64))


def outcome(number: int, path: str) -> Outcome:
    size_bytes = len(image(number).content)
    return Outcome(
        key=number, status=KEPT, path=path, size_bytes=size_bytes, attempts=1, fetched_at_ms=0
    )


def told(image_id: str) -> dict[str, JsonValue]:
    url = "http://host/é"
    return {"id": image_id, "landmark_id": "tower", "url": url, "licence": "CC0", "author": None}


def sharded(root: Path, journal: Journal, *, shard_images: int = 3) -> ShardOutput:
    return ShardOutput(
        root,
        journal,
        place=lambda index: f"images/tower/{index:03}",
        about=lambda index: told(f"{index:03}"),
        shard_images=shard_images,
    )


def written(output: FolderOutput | ShardOutput, *numbers: int) -> list[str]:
    """Where the images lie, written together; the first error is raised."""
    ends = output.write([(number, image(number)) for number in numbers])
    for end in ends:
        if isinstance(end, DiskError):
            raise end
    return [str(end) for end in ends]


def keep(output: ShardOutput, *numbers: int) -> None:
    """What a crew does with images: written, flushed, recorded."""
    paths = written(output, *numbers)
    output.flush()
    output.record([outcome(number, path) for number, path in zip(numbers, paths, strict=True)])


def shards(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "shards").iterdir())


def members(root: Path, name: str) -> list[str]:
    with tarfile.open(root / "shards" / name) as tar:
        return tar.getnames()


def readable(root: Path, journal: Journal) -> list[int]:
    """The keys of the journal's images, each of which reads as it was written."""
    found = [row for table in journal.files() for row in table.iter_rows()]
    for key, path, _ in found:
        assert FolderStore(root).read(path) == image(key).content
    return sorted(key for key, _, _ in found)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def test_an_image_lies_in_its_folder_whole_and_alone(tmp_path: Path) -> None:
    output = FolderOutput(tmp_path, lambda index: f"images/tower/{index}")
    (path,) = output.write([(5, image(5, suffix=".png"))])
    assert isinstance(path, str)
    output.flush()
    assert path == "images/tower/5.png"
    assert (tmp_path / path).read_bytes() == image(5).content
    assert [file.name for file in (tmp_path / "images/tower").iterdir()] == ["5.png"]


def test_an_image_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    output = FolderOutput(tmp_path, lambda index: "images/tower/a")
    paths = [*written(output, 1), *written(output, 2)]
    assert paths[0] == paths[1]
    assert (tmp_path / paths[0]).read_bytes() == image(2).content


def test_a_folder_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(b"")
    with pytest.raises(DiskError, match=r"images/tower/a\.jpg could not be written"):
        written(FolderOutput(tmp_path, lambda index: "images/tower/a"), 0)


def test_an_image_that_cannot_be_written_costs_the_others_of_its_batch_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1").write_bytes(b"no folder")
    output = FolderOutput(tmp_path, lambda index: f"images/{index}/a")
    ends = output.write([(number, image(number)) for number in range(3)])
    assert [isinstance(end, DiskError) for end in ends] == [False, True, False]
    assert sorted(path.read_bytes() for path in tmp_path.rglob("a.jpg")) == sorted(
        [image(0).content, image(2).content]
    )
    assert not list(tmp_path.rglob("*.part"))


def test_a_shard_is_a_tar_with_an_image_and_what_is_told_of_it_under_each_key(
    tmp_path: Path, journal: Journal
) -> None:
    output = sharded(tmp_path, journal, shard_images=2)
    keep(output, 0, 1)
    with tarfile.open(tmp_path / "shards/00000.tar") as tar:
        assert tar.getnames() == ["000.json", "000.jpg", "001.json", "001.jpg"]
        member = tar.extractfile("001.json")
        assert member is not None
        assert json.load(member) == {
            "id": "001", "landmark_id": "tower", "url": "http://host/é", "licence": "CC0",
            "author": None, "width": 4, "height": 3,
        }  # fmt: skip


def test_the_path_of_an_image_says_where_in_its_shard_it_lies(
    tmp_path: Path, journal: Journal
) -> None:
    output = sharded(tmp_path, journal)
    keep(output, *range(7))
    output.close()
    assert readable(tmp_path, journal) == list(range(7))
    assert shards(tmp_path) == ["00000.tar", "00001.tar", "00002.tar"]


def test_a_shard_has_its_name_once_it_is_full_and_recorded(
    tmp_path: Path, journal: Journal
) -> None:
    output = sharded(tmp_path, journal)
    paths = written(output, *range(4))
    output.flush()
    assert shards(tmp_path) == [".00000.tar.part", ".00001.tar.part"]
    output.record([outcome(0, paths[0]), outcome(1, paths[1]), outcome(3, paths[3])])
    assert shards(tmp_path) == [".00000.tar.part", ".00001.tar.part"]
    output.record([outcome(2, paths[2])])
    assert shards(tmp_path) == [".00001.tar.part", "00000.tar"]


def test_the_next_run_fills_the_last_shard_in_a_copy(tmp_path: Path, journal: Journal) -> None:
    first = sharded(tmp_path, journal)
    keep(first, 0, 1)
    first.close()
    before = (tmp_path / "shards/00000.tar").read_bytes()
    second = sharded(tmp_path, journal)
    assert shards(tmp_path) == ["00000.tar"]
    second.flush()
    (path,) = written(second, 2)
    assert (tmp_path / "shards/00000.tar").read_bytes() == before
    second.flush()
    second.record([outcome(2, path)])
    assert readable(tmp_path, journal) == [0, 1, 2]
    assert members(tmp_path, "00000.tar")[-1] == "002.jpg"


def test_a_run_that_keeps_nothing_leaves_no_shard(tmp_path: Path, journal: Journal) -> None:
    sharded(tmp_path, journal).close()
    assert not (tmp_path / "shards").exists()
    output = sharded(tmp_path, journal)
    written(output, 0)
    output.close()
    assert shards(tmp_path) == []


def test_what_the_journal_does_not_know_after_a_kill_is_cut_off(
    tmp_path: Path, journal: Journal
) -> None:
    killed = sharded(tmp_path, journal, shard_images=9)
    keep(killed, 0, 1)
    written(killed, 2)
    output = sharded(tmp_path, journal, shard_images=9)
    keep(output, 3)
    output.close()
    assert readable(tmp_path, journal) == [0, 1, 3]
    assert [name for name in members(tmp_path, "00000.tar") if name.endswith(".jpg")] == [
        "000.jpg", "001.jpg", "003.jpg"
    ]  # fmt: skip


def test_shards_go_on_without_a_gap_where_a_kill_left_one_empty(
    tmp_path: Path, journal: Journal
) -> None:
    killed = sharded(tmp_path, journal, shard_images=2)
    paths = written(killed, *range(5))
    killed.flush()
    killed.record([outcome(number, paths[number]) for number in (0, 3, 4)])
    output = sharded(tmp_path, journal, shard_images=2)
    assert readable(tmp_path, journal) == [0]
    keep(output, 5, 6, 7)
    output.close()
    assert shards(tmp_path) == ["00000.tar", "00001.tar", "00002.tar"]
    assert readable(tmp_path, journal) == [0, 5, 6, 7]


def test_what_lies_behind_an_image_that_is_not_known_is_forgotten(
    tmp_path: Path, journal: Journal
) -> None:
    killed = sharded(tmp_path, journal, shard_images=9)
    paths = written(killed, *range(3))
    killed.flush()
    killed.record([outcome(0, paths[0]), outcome(2, paths[2])])
    output = sharded(tmp_path, journal, shard_images=9)
    assert journal.kept_keys().tolist() == [0]
    keep(output, 1, 2)
    output.close()
    assert readable(tmp_path, journal) == [0, 1, 2]


def test_a_torn_end_is_cut_off(tmp_path: Path, journal: Journal) -> None:
    killed = sharded(tmp_path, journal)
    keep(killed, 0, 1)
    part = tmp_path / "shards/.00000.tar.part"
    part.write_bytes(part.read_bytes()[:-700])
    output = sharded(tmp_path, journal)
    assert journal.kept_keys().tolist() == [0]
    keep(output, 1)
    output.close()
    assert readable(tmp_path, journal) == [0, 1]


def test_a_shard_of_another_journal_is_not_added_to(tmp_path: Path, journal: Journal) -> None:
    first = sharded(tmp_path, journal)
    keep(first, 0)
    first.close()
    with Journal.open(tmp_path / "other.sqlite") as other:
        second = sharded(tmp_path, other)
        keep(second, 0)
        second.close()
        assert readable(tmp_path, other) == readable(tmp_path, journal) == [0]
    assert shards(tmp_path) == ["00000.tar", "00001.tar"]


def test_an_image_that_the_disk_has_no_room_for_leaves_no_trace(
    tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_600_bytes(file: int, content: bytes, offset: int) -> int:
        if len(content) < 600:
            raise OSError(errno.ENOSPC, "no room")
        return pwrite(file, content[:600], offset)

    pwrite = os.pwrite
    output = sharded(tmp_path, journal)
    keep(output, 0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", first_600_bytes)
        with pytest.raises(DiskError, match="the disk is full"):
            written(output, 1)
    keep(output, 2)
    output.close()
    assert members(tmp_path, "00000.tar") == ["000.json", "000.jpg", "002.json", "002.jpg"]


def test_dots_in_an_id_do_not_cut_its_key(tmp_path: Path, journal: Journal) -> None:
    stems = ["images/tower/a.b", "images/tower/a_b"]
    output = ShardOutput(
        tmp_path,
        journal,
        place=lambda index: stems[index],
        about=lambda index: told(stems[index]),
        shard_images=9,
    )
    keep(output, 0, 1)
    output.close()
    names = members(tmp_path, "00000.tar")
    assert len({re.split(r"\.", name, maxsplit=1)[0] for name in names}) == 2
    assert all(name.count(".") == 1 for name in names)


@pytest.mark.slow
def test_a_kill_at_any_time_leaves_shards_that_read_as_they_were_written(tmp_path: Path) -> None:
    known = 0
    for n_lines in (1, 3, 8, 15, 2, 30):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(known)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(n_lines):
                writer.stdout.readline()
            os.kill(writer.pid, signal.SIGKILL)
        with Journal.open(tmp_path / "journal.sqlite") as journal:
            output = sharded(tmp_path, journal, shard_images=7)
            known = len(journal.kept_keys())
            output.close()
            assert readable(tmp_path, journal) == list(range(known))
    found = [name for shard in shards(tmp_path) for name in members(tmp_path, shard)]
    assert sorted(found) == sorted(
        f"{i:03}.{kind}" for i in range(known) for kind in ("jpg", "json")
    )
