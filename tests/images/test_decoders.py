"""Real processes that are killed, stopped and overfed."""

import asyncio
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from cairn.base.errors import CairnError
from cairn.images import decoders
from cairn.images.decoder_words import (
    HEAD,
    Orders,
    packed_image,
    packed_refusal,
    unpacked_answer,
)
from cairn.images.decoders import Decoders
from cairn.images.keeping import Fit, keep
from cairn.images.pixels import Cause, Limits, PixelError
from tests.make import encoded, jpeg, pixels

ROOT = Path(__file__).parents[2]
FIT = Fit(max_side_px=64)
LIMITS = Limits(max_pixels=100_000_000, max_bytes=20_000_000)
PHOTO = jpeg(1, height=300, width=400)
Result = TypeVar("Result")


def made(
    n: int = 1, *, fit: Fit = FIT, memory_bytes: int = 128_000_000, deadline_s: float = 20.0
) -> Decoders:
    return Decoders(n, fit=fit, limits=LIMITS, memory_bytes=memory_bytes, deadline_s=deadline_s)


def with_decoders(
    work: Callable[[Decoders], Awaitable[Result]], own: Decoders | None = None
) -> Result:
    async def run() -> Result:
        async with own or made() as running:
            return await work(running)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[asyncio.Runner, Decoders]]:
    """One process for all the tests that leave it as it was."""
    with asyncio.Runner() as runner:
        running = made()
        runner.run(running.__aenter__())
        yield runner, running
        runner.run(running.__aexit__(None, None, None))


async def cause_of(running: Decoders, content: bytes) -> Cause:
    with pytest.raises(PixelError) as caught:
        await running.keep(content)
    assert str(caught.value)
    return caught.value.cause


def is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def zeros_png(side_px: int, *, bits: int) -> bytes:
    """A black PNG with one channel of so many bits, of a few bytes."""
    packer = zlib.compressobj(1)
    row = bytes(1 + side_px * bits // 8)
    data = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def test_a_process_keeps_what_this_one_would_keep(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    runner, running = shared
    for content in (PHOTO, jpeg(2, height=40, width=50), encoded(pixels(3), "PNG")):
        assert runner.run(running.keep(content)) == keep(content, fit=FIT, limits=LIMITS)


def test_a_refused_photo_has_its_cause_and_costs_no_process(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    runner, running = shared
    before = running.process_ids
    wanted = {b"": Cause.EMPTY, b"text": Cause.NOT_AN_IMAGE, PHOTO[:-99]: Cause.TRUNCATED}
    assert {c: runner.run(cause_of(running, c)) for c in wanted} == wanted
    assert running.process_ids == before


def test_many_photos_at_once_come_back_each_to_its_own(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    async def work() -> None:
        photos = [jpeg(seed, height=70, width=90) for seed in range(20)]
        images = await asyncio.gather(*(running.keep(photo) for photo in photos))
        assert [image.digest for image in images] == [
            keep(photo, fit=FIT, limits=LIMITS).digest for photo in photos
        ]

    runner, running = shared
    runner.run(work())


def test_an_idle_process_is_small(shared: tuple[asyncio.Runner, Decoders]) -> None:
    status = Path(f"/proc/{shared[1].process_ids[0]}/status")
    if not status.exists():
        pytest.skip("this system tells nothing of a process's memory")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    assert int(lines["VmRSS"].split()[0]) < 60_000


def test_requests_to_stop_are_left_to_the_one_who_asked_for_the_photo(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    runner, running = shared
    before = running.process_ids
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(before[0], number)
    assert runner.run(running.keep(PHOTO)).suffix == ".jpg"
    assert running.process_ids == before


def test_a_killed_process_costs_the_photo_that_it_had(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    async def work(number: signal.Signals) -> str:
        (process_id,) = running.process_ids
        # It stands still, so that the photo surely is on its way when the process is killed.
        os.kill(process_id, signal.SIGSTOP)
        task = asyncio.create_task(running.keep(PHOTO))
        await asyncio.sleep(0.01)
        os.kill(process_id, number)
        os.kill(process_id, signal.SIGCONT)
        with pytest.raises(PixelError) as caught:
            await task
        assert caught.value.cause == Cause.CRASHED
        assert (await running.keep(PHOTO)).suffix == ".jpg"
        return str(caught.value)

    runner, running = shared
    for number in (signal.SIGKILL, signal.SIGSEGV):
        assert number.name in runner.run(work(number))


def test_a_process_that_dies_between_photos_costs_none(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    async def work() -> None:
        (process_id,) = running.process_ids
        os.kill(process_id, signal.SIGKILL)
        while is_alive(process_id):
            await asyncio.sleep(0.001)
        assert (await running.keep(PHOTO)).suffix == ".jpg"

    runner, running = shared
    runner.run(work())


def test_who_gives_up_a_photo_leaves_a_process_for_the_next(
    shared: tuple[asyncio.Runner, Decoders],
) -> None:
    async def work() -> None:
        (process_id,) = running.process_ids
        os.kill(process_id, signal.SIGSTOP)
        task = asyncio.create_task(running.keep(PHOTO))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        photo = jpeg(5)
        assert (await running.keep(photo)).digest == keep(photo, fit=FIT, limits=LIMITS).digest
        assert not is_alive(process_id)

    runner, running = shared
    runner.run(work())


@pytest.mark.slow
def test_a_photo_that_takes_too_long_is_given_up() -> None:
    async def work(running: Decoders) -> None:
        before = running.process_ids
        assert await cause_of(running, zeros_png(3000, bits=8)) == Cause.TOO_LONG
        assert (await running.keep(jpeg(1))).suffix == ".jpg"
        assert running.process_ids != before

    with_decoders(work, made(deadline_s=0.02))


@pytest.mark.slow
def test_a_process_that_stands_still_is_given_up() -> None:
    async def work(running: Decoders) -> float:
        os.kill(running.process_ids[0], signal.SIGSTOP)
        began = time.monotonic()
        assert await cause_of(running, PHOTO) == Cause.TOO_LONG
        return time.monotonic() - began

    assert with_decoders(work, made(deadline_s=0.2)) < 5


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory has no limit here")
def test_a_bomb_that_wants_too_much_memory_is_refused_and_harms_nobody() -> None:
    async def work(running: Decoders) -> None:
        assert (await running.keep(PHOTO)).suffix == ".jpg"
        assert await cause_of(running, zeros_png(9000, bits=16)) == Cause.OUT_OF_MEMORY
        assert (await running.keep(PHOTO)).suffix == ".jpg"

    with_decoders(work)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory has no limit here")
def test_libraries_that_do_not_say_that_they_lacked_memory_are_understood() -> None:
    async def work(running: Decoders) -> None:
        black = np.zeros((6000, 6000, 3), dtype=np.uint8)
        for content in (
            encoded(black, "JPEG", progressive=True),
            encoded(black, "WEBP", lossless=True, method=0),
            encoded(black, "AVIF", speed=10),
        ):
            assert await cause_of(running, content) == Cause.OUT_OF_MEMORY

    with_decoders(work, made(memory_bytes=40_000_000))


def test_too_many_bytes_never_reach_a_process(shared: tuple[asyncio.Runner, Decoders]) -> None:
    runner, running = shared
    assert runner.run(cause_of(running, bytes(LIMITS.max_bytes + 1))) == Cause.TOO_MANY_BYTES


@pytest.mark.slow
def test_a_process_is_killed_in_the_middle_of_decoding() -> None:
    async def work(running: Decoders) -> None:
        bomb = zeros_png(9000, bits=8)
        for pause_s in (0.0, 0.01, 0.05, 0.1):
            await running.keep(PHOTO)
            task = asyncio.create_task(running.keep(bomb))
            await asyncio.sleep(pause_s)
            os.kill(running.process_ids[0], signal.SIGKILL)
            with pytest.raises(PixelError, match="SIGKILL"):
                await task

    with_decoders(work, made(memory_bytes=1_500_000_000))


def test_a_large_photo_goes_through_whole(shared: tuple[asyncio.Runner, Decoders]) -> None:
    runner, running = shared
    content = encoded(pixels(1, height=1500, width=2000), "BMP")
    assert len(content) > 8_000_000
    assert runner.run(running.keep(content)) == keep(content, fit=FIT, limits=LIMITS)


@pytest.mark.slow
def test_a_large_photo_that_is_kept_as_it_came_comes_back_whole() -> None:
    async def work(running: Decoders) -> None:
        content = encoded(pixels(1, height=1500, width=2000), "BMP")
        assert (await running.keep(content)).content == content

    with_decoders(work, made(fit=replace(FIT, as_it_came=True)))


@pytest.mark.slow
def test_leaving_ends_every_process() -> None:
    async def work(running: Decoders) -> list[int]:
        assert len(running.process_ids) == 2
        return running.process_ids

    assert not any(map(is_alive, with_decoders(work, made(2))))


@pytest.mark.slow
def test_processes_end_when_the_program_is_killed() -> None:
    program = (
        "import asyncio, sys\n"
        "from tests.images.test_decoders import made\n"
        "async def run():\n"
        "    async with made(2) as running:\n"
        "        print(*running.process_ids, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(run())\n"
    )
    words = [sys.executable, "-c", program]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(children) == 2
    until = time.monotonic() + 10
    while any(map(is_alive, children)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(is_alive, children))


def test_processes_that_do_not_start_are_told_with_what_they_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoders, "PROGRAM", "cairn.images.no_such_room")
    with pytest.raises(CairnError, match=r"did not start in 3 tries.*no_such_room"):
        with_decoders(lambda running: running.keep(PHOTO))


@pytest.mark.slow
def test_what_lies_in_the_folder_of_the_call_is_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "PIL.py").write_text("raise SystemExit('taken for a library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert with_decoders(lambda running: running.keep(PHOTO)).suffix == ".jpg"


def test_a_process_loads_nothing_heavy() -> None:
    asked = "import sys, cairn.images.decoder; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    heavy = {"aiohttp", "asyncio", "faiss", "openvino", "polars", "pydantic", "torch"}
    assert not heavy & set(said.stdout.split())


def test_answers_come_back_as_they_were_said() -> None:
    image = keep(PHOTO, fit=FIT, limits=LIMITS)
    assert unpacked_answer(packed_image(image)) == image
    with pytest.raises(PixelError, match="two\nlines") as caught:
        unpacked_answer(packed_refusal(Cause.UNREADABLE, "two\nlines \udcff"))
    assert caught.value.cause == Cause.UNREADABLE
    orders = Orders(FIT, LIMITS, 10**9, 1.5)
    assert Orders.unpacked(orders.packed()[4:]) == orders
    assert HEAD.size == 5


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"K",
        HEAD.pack(b"?", 0),
        HEAD.pack(b"R", 3) + b"abc",
        HEAD.pack(b"R", 2) + b"\xff\xfe",
        HEAD.pack(b"K", 4) + b"abcd",
        packed_image(keep(jpeg(1), fit=Fit(), limits=Limits())).replace(b".jpg\0", b"/../a"),
    ],
)
def test_an_answer_that_is_none_is_no_image(answer: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        unpacked_answer(answer)
