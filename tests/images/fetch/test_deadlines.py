import asyncio
import socket
import time
from contextlib import ExitStack

import pytest

from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.deadlines import Clock, Deadlines, SpeedGauge
from tests.images.fetch.servers import (
    Handler,
    client_for,
    dripping,
    fetched,
    reply,
    run,
    serving,
    settings_with,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ends(handler: Handler, **deadlines: float) -> tuple[FetchCause, float]:
    start = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetched(handler, settings_with(**deadlines))
    return caught.value.cause, time.monotonic() - start


def test_a_host_that_accepts_and_says_nothing() -> None:
    cause, seconds = ends(dripping(b""), first_byte_s=0.1)
    assert cause is FetchCause.NO_ANSWER
    assert 0.1 <= seconds < 2


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"HTTP/1.1 20", b""),
        (b"", b"H"),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"\r\n"),
    ],
    ids=["half a status line", "a letter at a time", "headers without end", "please wait", "blank lines"],
)  # fmt: skip
def test_an_answer_that_begins_and_never_gets_to_its_body(head: bytes, drop: bytes) -> None:
    cause, seconds = ends(dripping(head, drop), connect_s=0.1, first_byte_s=0.1)
    assert cause in (FetchCause.NO_ANSWER, FetchCause.BROKEN)
    assert seconds < 2


@pytest.mark.parametrize("head", [HEAD, HEAD + b"photo", CHUNKED, CHUNKED + b"ff\r\nphoto"])
def test_a_host_that_goes_silent(head: bytes) -> None:
    cause, seconds = ends(dripping(head), silence_s=0.1)
    assert cause is FetchCause.SILENT
    assert 0.1 <= seconds < 2


def test_a_body_that_comes_a_byte_at_a_time_is_too_slow() -> None:
    cause, seconds = ends(dripping(HEAD, b"x"), silence_s=0.2, least_bytes_per_s=1000)
    assert cause is FetchCause.TOO_SLOW
    assert 0.2 <= seconds < 2


def test_a_body_that_starts_quickly_and_then_drips_is_too_slow() -> None:
    cause, _ = ends(dripping(HEAD + bytes(500_000), b"x"), silence_s=0.2, least_bytes_per_s=1000)
    assert cause is FetchCause.TOO_SLOW


@pytest.mark.parametrize(
    ("head", "drop"), [(HEAD, b"x"), (CHUNKED, b"1\r\nx\r\n"), (CHUNKED, b"0"), (HEAD, bytes(1000))]
)
def test_a_photo_that_is_never_whole_takes_too_long(head: bytes, drop: bytes) -> None:
    cause, seconds = ends(dripping(head, drop), photo_s=0.2)
    assert cause is FetchCause.TOOK_TOO_LONG
    assert 0.2 <= seconds < 2


def test_the_whole_tries_deadline_holds_for_the_answer_too() -> None:
    assert ends(dripping(b""), photo_s=0.1)[0] is FetchCause.TOOK_TOO_LONG


def test_a_refusal_that_drips_is_not_waited_for() -> None:
    drip = dripping(reply(b"", "Content-Length: 9", status="404 Not Found", length=False), b"x", every_s=0.5)  # fmt: skip
    cause, seconds = ends(drip)
    assert cause is FetchCause.NOT_FOUND
    assert seconds < 3


def test_a_host_that_takes_no_connection() -> None:
    async def ask() -> None:
        # A full backlog: the system takes no more connections, and refuses none.
        with ExitStack() as held:
            server = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
            port = server.getsockname()[1]
            for _ in range(3):
                waiting = held.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            async with client_for(settings_with(connect_s=0.1)) as client:
                await client.hop(f"http://photos.test:{port}/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.NO_CONNECTION_IN_TIME


@pytest.mark.parametrize("head", [b"", HEAD, HEAD + b"photo", CHUNKED + b"ff"])
def test_a_request_that_is_cancelled_leaves_nothing_open(head: bytes) -> None:
    closed: list[bool] = []

    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        closed.append(await reader.read() == b"")

    async def cancel() -> None:
        async with serving(watch) as port, client_for() as client:
            task = asyncio.create_task(client.hop(f"http://photos.test:{port}/a.jpg"))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task], timeout=1)
            assert task.cancelled()
            await asyncio.sleep(0.05)
            assert closed == [True]

    run(cancel())


def test_a_clock_counts_no_stops() -> None:
    async def stop() -> float:
        async with Clock(Deadlines(photo_s=0.1)) as clock:
            async with clock.stopped():
                await asyncio.sleep(0.2)
            return clock.stopped_s

    assert run(stop()) >= 0.19


def test_a_clock_that_was_stopped_still_runs_out() -> None:
    async def stop() -> None:
        async with Clock(Deadlines(photo_s=0.05)) as clock:
            async with clock.stopped():
                await asyncio.sleep(0.01)
            await asyncio.sleep(5)

    with pytest.raises(FetchError, match="not there after"):
        run(stop())


def test_speed_is_that_of_the_last_window_and_not_of_the_start() -> None:
    gauge = SpeedGauge(Deadlines(silence_s=10, least_bytes_per_s=100), start=0.0)
    for second in range(1, 10):
        gauge.came(second, now=second)
    gauge.came(5000, now=10)
    for second in range(11, 20):
        gauge.came(5000, now=second)
    with pytest.raises(FetchError, match="bytes a second"):
        gauge.came(5000, now=23)


def test_redirects_that_each_take_most_of_the_deadline_take_too_long_together() -> None:
    async def leads_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.55)
            writer.write(reply(b"", "Location: /b.jpg", status="302 Found"))

    async def ask() -> list[float]:
        async with serving(leads_on) as port, client_for(settings_with(photo_s=1.5)) as client:
            at, spent = f"http://photos.test:{port}/a.jpg", [0.0]
            for _ in range(2):
                spent.append((await client.hop(at, spent_s=spent[-1])).spent_s)
            with pytest.raises(FetchError, match=r"not there after 1\.5 s"):
                await client.hop(at, spent_s=spent[-1])
        return spent

    first, second, third = run(ask())
    assert (first, 0.55 <= second < 1.1 <= third < 1.5) == (0.0, True)


def test_finding_the_host_counts_against_the_deadline() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(1.5)
        return ["127.0.0.1"]

    async def ask() -> None:
        async with client_for(settings_with(photo_s=0.1), lookup=slow) as client:
            await client.hop("http://photos.test/a.jpg")

    start = time.monotonic()
    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.TOOK_TOO_LONG
    assert time.monotonic() - start < 1.4


def test_a_clock_tells_what_is_spent_without_its_stops() -> None:
    async def tell() -> float:
        async with Clock(Deadlines(photo_s=9), spent_s=3) as clock:
            async with clock.stopped():
                await asyncio.sleep(0.6)
            return clock.spent_s

    assert 3 <= run(tell()) < 3.5
