import asyncio
import hashlib
import io
import tarfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from cairn.base.errors import InputError
from cairn.base.watching import Advance, Silent, Watch
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.stages.gld.datasets import DATASETS, md5_place
from cairn.stages.gld.resuming import FileFetcher, Patience
from cairn.stages.gld.tar_fetching import DatasetFetcher
from cairn.stages.gld.tar_state import TarRecord, TarState
from cairn.stages.gld.tars import TarCause, TarError, TarReader
from tests.stages.gld.range_server import Served, client, no_wait, serving

TAR, FIRST = "train/images_001.tar", "train/images_000.tar"
GLD = DATASETS["gld-v2"]
ID = "0123456789abcdef"
T = TypeVar("T")


class Noting:
    """A watch that remembers its notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """One line more."""
        self.notes.append(text)

    def phase(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """A stretch of work that nobody looks at."""
        return Silent().phase(name, total)


def tar_of(*image_ids: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for image_id in image_ids:
            made = tarfile.TarInfo(f"{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg")
            made.size = 3
            tar.addfile(made, io.BytesIO(b"abc"))
    return buffer.getvalue()


def publish(served: Served, tar: str, content: bytes, *, md5: str | None = None) -> None:
    served.files[tar] = content
    served.etags[tar] = f'"{hashlib.md5(content).hexdigest()}"'
    told = md5 or hashlib.md5(content).hexdigest()
    served.files[md5_place(tar)] = f"{told}  {tar.rpartition('/')[2]}\n".encode()


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(Served()) as state:
        publish(state, TAR, tar_of(ID))
        yield state


def using(
    served: Served, folder: Path, work: Callable[[DatasetFetcher], Awaitable[T]], watch: Watch | None = None
) -> T:  # fmt: skip
    async def run() -> T:
        async with client() as http:
            files = FileFetcher(http, patience=Patience(2, sleep=no_wait))
            return await work(
                DatasetFetcher(files, GLD, folder, base=served.base, watch=watch or Silent())
            )

    return asyncio.run(run())


def fetch_tar(served: Served, folder: Path, tar: str = TAR, watch: Watch | None = None) -> Path:
    return using(served, folder, lambda fetcher: fetcher.tar(tar), watch)


def state(folder: Path) -> TarState:
    return TarState(folder / "tar_state.json")


def test_a_tar_comes_checked_and_is_recorded(served: Served, tmp_path: Path) -> None:
    path = fetch_tar(served, tmp_path)
    assert path.read_bytes() == served.files[TAR]
    record = state(tmp_path).of(TAR)
    assert record is not None
    assert (record.status, record.checked_by, record.size_bytes) == ("fetched", "md5", 10240)
    assert record.etag == served.etags[TAR]


def test_a_tar_that_is_here_and_checked_is_not_asked_for_again(
    served: Served, tmp_path: Path
) -> None:
    fetch_tar(served, tmp_path)
    served.asked.clear()
    fetch_tar(served, tmp_path)
    assert served.asked == []


def test_a_tar_that_a_kill_left_unchecked_is_checked_and_not_fetched(
    served: Served, tmp_path: Path
) -> None:
    fetch_tar(served, tmp_path)
    (tmp_path / "tar_state.json").unlink()
    fetch_tar(served, tmp_path)
    assert served.starts(TAR) == [0]


def test_a_damaged_tar_is_fetched_once_more(served: Served, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / TAR).write_bytes(b"damaged")
    watch = Noting()
    assert fetch_tar(served, tmp_path, watch=watch).read_bytes() == served.files[TAR]
    assert "it is fetched anew" in watch.notes[0]


def test_a_tar_that_stays_damaged_fails_with_its_cause_and_only_it_is_fetched_again(
    served: Served, tmp_path: Path
) -> None:
    publish(served, TAR, tar_of(ID), md5="0" * 32)
    publish(served, FIRST, tar_of(ID))
    fetch_tar(served, tmp_path, FIRST)
    with pytest.raises(TarError, match=r"md5 is \w{32} where 0{32} is published, twice"):
        fetch_tar(served, tmp_path)
    assert served.starts(TAR) == [0, 0]
    assert not (tmp_path / TAR).exists()
    assert state(tmp_path).failed() == {TAR: "md5 differs"}


def test_the_tar_whose_published_md5_is_known_to_be_wrong_is_taken_with_a_warning(
    served: Served, tmp_path: Path
) -> None:
    publish(served, FIRST, tar_of(ID), md5=GLD.wrong_md5[FIRST])
    watch = Noting()
    fetch_tar(served, tmp_path, FIRST, watch)
    assert "verified by decoding it whole" in watch.notes[0]
    record = state(tmp_path).of(FIRST)
    assert record is not None
    assert record.checked_by == "decoding"


def test_once_that_md5_is_mended_it_counts_like_any_other(served: Served, tmp_path: Path) -> None:
    publish(served, FIRST, tar_of(ID), md5="1" * 32)
    with pytest.raises(TarError):
        fetch_tar(served, tmp_path, FIRST)


@pytest.mark.parametrize(
    "told", [None, b"", b"<html>", b"0" * 32 + b"  images_002.tar", b"x" * 9999]
)
def test_a_tar_without_a_published_md5_fails_before_it_is_fetched(
    served: Served, tmp_path: Path, told: bytes | None
) -> None:
    del served.files[md5_place(TAR)]
    if told is not None:
        served.files[md5_place(TAR)] = told
    with pytest.raises(TarError) as caught:
        fetch_tar(served, tmp_path)
    assert caught.value.cause == TarCause.NO_MD5
    assert served.starts(TAR) == []


def test_a_tar_that_cannot_be_had_is_recorded_and_goes_on_in_another_run(
    served: Served, tmp_path: Path
) -> None:
    served.cut_at = [10_000, 5000, 6000]
    with pytest.raises(FetchError):
        fetch_tar(served, tmp_path)
    assert state(tmp_path).left([TAR]) == [TAR]
    assert fetch_tar(served, tmp_path).read_bytes() == served.files[TAR]
    assert served.starts(TAR) == [0, 5000, 6000]


def test_a_tar_that_is_done_is_removed_and_never_left_again(served: Served, tmp_path: Path) -> None:
    path = fetch_tar(served, tmp_path)
    reader = TarReader(path, max_bytes=2)
    assert list(reader) == []

    async def done(fetcher: DatasetFetcher) -> None:
        fetcher.done(TAR, reader, ids=np.array([int(ID, 16)], np.uint64))

    using(served, tmp_path, done)
    record = state(tmp_path).of(TAR)
    assert record is not None
    assert (record.n_members, record.refused) == (1, {"too many bytes": 1})
    assert state(tmp_path).left([FIRST, TAR]) == [FIRST]
    assert not path.exists()


def test_a_tar_that_turns_out_damaged_is_fetched_again_in_another_run(
    served: Served, tmp_path: Path
) -> None:
    path = fetch_tar(served, tmp_path)

    async def failed(fetcher: DatasetFetcher) -> None:
        fetcher.failed(TAR, TarError(TarCause.DAMAGED, path, "x"))

    using(served, tmp_path, failed)
    assert state(tmp_path).failed() == {TAR: "damaged tar"}
    assert not path.exists()


def test_a_list_is_fetched_once(served: Served, tmp_path: Path) -> None:
    served.files["metadata/test.csv"] = b"id\n"
    for _ in range(2):
        path = using(served, tmp_path, lambda fetcher: fetcher.list_file("test.csv"))
        assert path.read_bytes() == b"id\n"
    assert len(served.asked) == 1


def test_a_record_that_cannot_be_read_says_what_follows_from_that(tmp_path: Path) -> None:
    (tmp_path / "tar_state.json").write_text("{")
    with pytest.raises(InputError, match="remove it and run the same command again"):
        state(tmp_path)


def test_records_survive_being_written_and_keep_their_order(tmp_path: Path) -> None:
    for tar in (TAR, FIRST):
        state(tmp_path).put(tar, TarRecord(status="failed", cause=str(FetchCause.BUSY)))
    assert list(state(tmp_path).failed().items()) == [
        (FIRST, "host too busy"),
        (TAR, "host too busy"),
    ]
