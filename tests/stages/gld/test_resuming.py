import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from cairn.base.errors import DiskError
from cairn.images.fetch.causes import PASSING, FetchCause, FetchError
from cairn.stages.gld.resuming import Fetched, FileFetcher, Patience
from tests.stages.gld.range_server import Served, client, no_wait, serving

SIZE = 3 << 20
CONTENT = bytes(range(251)) * (SIZE // 251 + 1)
CONTENT = CONTENT[:SIZE]
OTHER = CONTENT[::-1]


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(Served(files={"x": CONTENT}, etags={"x": '"1"'})) as state:
        yield state


def fetch(
    served: Served,
    path: Path,
    *,
    attempts: int = 3,
    most_bytes: int = 10 * SIZE,
    spare_bytes: int = 0,
    told: list[int] | None = None,
) -> Fetched:
    async def run() -> Fetched:
        async with client() as http:
            files = FileFetcher(
                http, patience=Patience(attempts, sleep=no_wait), spare_bytes=spare_bytes
            )
            heard = told if told is not None else []
            url = f"{served.base}/x"
            return await files.fetch(url, path, most_bytes=most_bytes, advance=heard.append)

    return asyncio.run(run())


def error_of(served: Served, path: Path, *, attempts: int = 3) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetch(served, path, attempts=attempts)
    return caught.value


def left_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if file != path)


def test_a_file_comes_whole_and_leaves_nothing_beside_it(served: Served, tmp_path: Path) -> None:
    told: list[int] = []
    path = tmp_path / "deep/x"
    assert fetch(served, path, told=told) == Fetched(path, SIZE, '"1"', SIZE)
    assert path.read_bytes() == CONTENT
    assert sum(told) == SIZE
    assert left_beside(path) == []


def test_a_file_that_breaks_off_goes_on_where_it_was(served: Served, tmp_path: Path) -> None:
    served.cut_at = [1 << 20, 2 << 20]
    assert fetch(served, tmp_path / "x").received_bytes == SIZE
    assert served.starts("x") == [0, 1 << 20, 2 << 20]
    assert served.sent == SIZE
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_another_run_goes_on_where_the_last_one_was(served: Served, tmp_path: Path) -> None:
    served.cut_at = [1 << 20]
    assert error_of(served, tmp_path / "x", attempts=1).cause in PASSING
    told: list[int] = []
    assert fetch(served, tmp_path / "x", told=told).received_bytes == 2 << 20
    assert (told[0], sum(told)) == (1 << 20, SIZE)
    assert served.sent == SIZE


def test_a_whole_part_takes_its_place_without_a_request(served: Served, tmp_path: Path) -> None:
    served.cut_at = [1 << 20]
    error_of(served, tmp_path / "x", attempts=1)
    (tmp_path / "x.part").write_bytes(CONTENT)
    assert fetch(served, tmp_path / "x").received_bytes == 0
    assert len(served.asked) == 1


def test_a_host_that_ignores_ranges_begins_anew(served: Served, tmp_path: Path) -> None:
    served.cut_at, served.has_ranges = [1 << 20], False
    told: list[int] = []
    fetch(served, tmp_path / "x", told=told)
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert sum(told) == SIZE


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_a_file_that_changed_begins_anew_and_is_never_mixed(
    served: Served, tmp_path: Path, heeds_if_range: bool
) -> None:
    served.cut_at, served.heeds_if_range = [1 << 20], heeds_if_range
    error_of(served, tmp_path / "x", attempts=1)
    served.files["x"], served.etags["x"] = OTHER, '"2"'
    assert fetch(served, tmp_path / "x").etag == '"2"'
    assert (tmp_path / "x").read_bytes() == OTHER


def test_a_file_that_became_shorter_begins_anew(served: Served, tmp_path: Path) -> None:
    served.cut_at, served.heeds_if_range = [2 << 20], False
    error_of(served, tmp_path / "x", attempts=1)
    served.files["x"] = OTHER[: 1 << 20]
    fetch(served, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == OTHER[: 1 << 20]


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_bytes_of_an_unsure_version_are_never_added_to(
    served: Served, tmp_path: Path, etag: str
) -> None:
    served.cut_at, served.etags = [1 << 20], {"x": etag} if etag else {}
    error_of(served, tmp_path / "x", attempts=1)
    served.files["x"] = OTHER
    fetch(served, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == OTHER
    assert served.starts("x") == [0, 0]


def test_bytes_from_another_address_are_never_added_to(served: Served, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(OTHER[:1000])
    mark = {"url": "http://other/x", "etag": '"1"', "total_bytes": SIZE}
    (tmp_path / "x.part.json").write_text(json.dumps(mark))
    fetch(served, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_damaged_mark_begins_anew(served: Served, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(OTHER[:1000])
    (tmp_path / "x.part.json").write_text("{")
    fetch(served, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == CONTENT


def test_a_host_that_errs_is_asked_again_and_then_given_up(served: Served, tmp_path: Path) -> None:
    served.statuses = [500, 503]
    fetch(served, tmp_path / "x")
    served.statuses = [500] * 3
    assert error_of(served, tmp_path / "y").cause == FetchCause.HOST_ERROR


def test_a_file_that_is_not_there_is_asked_for_once(served: Served, tmp_path: Path) -> None:
    del served.files["x"]
    assert error_of(served, tmp_path / "x").cause == FetchCause.NOT_FOUND
    assert len(served.asked) == 1


def test_tries_that_bring_something_do_not_count(served: Served, tmp_path: Path) -> None:
    served.cut_at = [1 << 20, 2 << 20]
    assert fetch(served, tmp_path / "x", attempts=2).received_bytes == SIZE


def test_tries_that_bring_a_little_count(served: Served, tmp_path: Path) -> None:
    served.cut_at = [1000, 2000, 3000, 4000]
    error_of(served, tmp_path / "x", attempts=3)
    assert served.starts("x") == [0, 1000, 2000]


def test_a_file_without_a_length_is_whole_when_it_ends(served: Served, tmp_path: Path) -> None:
    served.has_length = False
    assert fetch(served, tmp_path / "x").size_bytes == SIZE


@pytest.mark.parametrize("has_length", [True, False])
def test_a_file_that_is_too_large_is_refused(
    served: Served, tmp_path: Path, has_length: bool
) -> None:
    served.has_length = has_length
    with pytest.raises(FetchError, match="has more than the 1,000 bytes") as caught:
        fetch(served, tmp_path / "x", most_bytes=1000)
    assert caught.value.cause == FetchCause.REFUSED


def test_a_disk_without_room_is_told_before_anything_is_written(
    served: Served, tmp_path: Path
) -> None:
    with pytest.raises(DiskError, match="free some space and run the same command again"):
        fetch(served, tmp_path / "x", spare_bytes=1 << 60)
    assert (tmp_path / "x.part").stat().st_size == 0


CHILD = """
import asyncio, sys
from pathlib import Path
from tests.stages.gld.range_server import client
from cairn.stages.gld.resuming import FileFetcher
async def run():
    async with client() as http:
        await FileFetcher(http).fetch(sys.argv[1] + "/x", Path(sys.argv[2]))
asyncio.run(run())
"""


def test_a_file_that_comes_too_slowly_goes_on_where_it_was_in_another_try(
    served: Served, tmp_path: Path
) -> None:
    served.slow_after = [2 << 20]
    path, paced = tmp_path / "x", list[int]()

    async def slow_reader(host: str, n_bytes: int) -> None:
        # What a bandwidth asks for is no fault of the host's.
        paced.append(n_bytes)
        await asyncio.sleep(0.05 if n_bytes > 1000 else 0)

    async def run() -> Fetched:
        async with client(silence_s=0.4, least_bytes_per_s=50_000_000) as http:
            files = FileFetcher(http, patience=Patience(3, sleep=no_wait), pace=slow_reader)
            return await files.fetch(f"{served.base}/x", path)

    assert asyncio.run(asyncio.wait_for(run(), 20)).size_bytes == sum(paced) == SIZE
    first, second = served.starts("x")
    assert (first, (2 << 20) <= second < (2 << 20) + 100) == (0, True)
    assert path.read_bytes() == CONTENT


def test_a_file_that_is_always_too_slow_says_so(served: Served, tmp_path: Path) -> None:
    served.slow_after = [0, 0]

    async def run() -> None:
        async with client(silence_s=0.2, least_bytes_per_s=1000) as http:
            files = FileFetcher(http, patience=Patience(2, sleep=no_wait))
            await files.fetch(f"{served.base}/x", tmp_path / "x")

    with pytest.raises(FetchError) as caught:
        asyncio.run(asyncio.wait_for(run(), 20))
    assert caught.value.cause == FetchCause.TOO_SLOW


@pytest.mark.parametrize(
    ("asked_s", "notes"), [("30", []), ("600", ["host too busy; tried again in 60"]), ("86400", [])]
)
def test_a_host_that_asks_for_an_hour_is_waited_for_and_one_that_asks_for_a_day_is_left(
    served: Served, tmp_path: Path, asked_s: str, notes: list[str]
) -> None:
    served.statuses, served.retry_after = [503], asked_s
    waited, told = list[float](), list[str]()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def run() -> None:
        async with client() as http:
            files = FileFetcher(http, patience=Patience(3, sleep=sleep), note=told.append)
            await files.fetch(f"{served.base}/x", tmp_path / "x")

    with pytest.raises(FetchError) if asked_s == "86400" else nullcontext():
        asyncio.run(run())
    assert [int(asked_s) <= seconds < int(asked_s) + 2 for seconds in waited] == [True] * (
        asked_s != "86400"
    )
    assert len(told) == len(notes)
    assert all(words in line for words, line in zip(notes, told, strict=True))


@pytest.mark.slow
def test_killed_in_the_middle_again_and_again_no_byte_is_fetched_twice(
    served: Served, tmp_path: Path
) -> None:
    served.pause_s = 0.02
    path, part = tmp_path / "x", tmp_path / "x.part"
    sizes = [0]
    for n_more in (100_000, 700_000, 300_000):
        command = [sys.executable, "-c", CHILD, served.base, str(path)]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and (
            not part.exists() or part.stat().st_size < sizes[-1] + n_more
        ):
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        child.wait()
        sizes.append(part.stat().st_size)
    served.pause_s = 0
    assert fetch(served, path).received_bytes == SIZE - sizes[-1]
    assert path.read_bytes() == CONTENT
    assert served.starts("x") == sizes
