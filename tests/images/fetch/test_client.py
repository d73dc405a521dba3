import asyncio
import errno
import gzip
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.client import Client, ClientSettings
from cairn.images.fetch.resolving import Resolver
from cairn.images.pixels import Cause, PixelError
from tests.images.fetch.servers import (
    SETTINGS,
    Handler,
    answering,
    client_for,
    dripping,
    fetched,
    lookup,
    reply,
    run,
    serving,
    settings_with,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def failed(handler: Handler, using: ClientSettings = SETTINGS) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetched(handler, using)
    return caught.value


def test_a_photo_comes_as_it_was_sent() -> None:
    body = bytes(range(256)) * 2000
    assert fetched(answering(reply(body))).content == body


def test_what_is_asked_says_who_asks_and_wants_no_packing() -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply(b"photo"))

    fetched(listen, path="/a%20b,(c).jpg?d=%7E")
    lines = heard[0].decode().split("\r\n")
    assert lines[0] == "GET /a%20b,(c).jpg?d=%7E HTTP/1.1"
    assert "User-Agent: cairn-test/1 (+tester@example.org)" in lines
    assert "Accept-Encoding: identity" in lines
    assert not [line for line in lines if line.startswith(("Cookie", "Authorization", "Referer"))]


def test_connections_and_cookies_are_kept_and_not_kept() -> None:
    heard: list[bytes] = []
    n_connections = 0

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_connections
        n_connections += 1
        while True:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            status = "404 Not Found" if len(heard) == 1 else "200 OK"
            writer.write(reply(b"photo", "Set-Cookie: id=1", status=status))

    async def ask_three_times() -> None:
        async with serving(listen) as port, client_for() as client:
            with pytest.raises(FetchError):
                await client.hop(f"http://photos.test:{port}/a")
            for path in "bc":
                await client.hop(f"http://photos.test:{port}/{path}")

    run(ask_three_times())
    assert n_connections == 1
    assert not [request for request in heard if b"ookie" in request]


def test_an_empty_answer_is_an_empty_photo() -> None:
    assert fetched(answering(reply())).content == b""
    assert fetched(answering(b"HTTP/1.1 204 No Content\r\n\r\n")).status == 204


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    assert fetched(answering(reply(b"photo", length=False), ends=True)).content == b"photo"


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        ("401 Unauthorized", FetchCause.REFUSED),
        ("403 Forbidden", FetchCause.REFUSED),
        ("404 Not Found", FetchCause.NOT_FOUND),
        ("410 Gone", FetchCause.GONE),
        ("429 Too Many Requests", FetchCause.BUSY),
        ("451 Unavailable", FetchCause.LEGAL),
        ("500 Oops", FetchCause.HOST_ERROR),
        ("503 Busy", FetchCause.BUSY),
        ("300 Multiple Choices", FetchCause.REFUSED),
        ("206 Partial Content", FetchCause.CUT_OFF),
        ("407 Proxy Authentication Required", FetchCause.NO_CONNECTION),
    ],
)
def test_each_status_has_its_cause(status: str, cause: FetchCause) -> None:
    error = failed(answering(reply(b"no", status=status)))
    assert (error.cause, error.http_status) == (cause, int(status[:3]))


def test_a_busy_host_says_when_to_come_back() -> None:
    busy = answering(reply(b"", "Retry-After: 120", status="503 Busy"))
    assert failed(busy).retry_after_s == 120


def test_a_redirect_is_handed_back_and_not_followed() -> None:
    answer = fetched(answering(reply(b"moved", "Location: ../b c.jpg#x", status="301 Moved")), path="/x/a.jpg")  # fmt: skip
    assert answer.location == answer.url.replace("/x/a.jpg", "/b%20c.jpg")
    assert (answer.status, answer.content) == (301, b"")


@pytest.mark.parametrize(
    ("location", "cause"),
    [
        ("Location: ftp://photos.test/", FetchCause.BAD_ADDRESS),
        ("Location: file:///etc/passwd", FetchCause.BAD_ADDRESS),
        ("Location: http://[::1/", FetchCause.BAD_ADDRESS),
        ("Location: http://me:word@photos.test/", FetchCause.BAD_ADDRESS),
        ("Location:", FetchCause.REFUSED),
        ("X-None: 1", FetchCause.REFUSED),
    ],
)
def test_a_redirect_to_nowhere_has_a_cause(location: str, cause: FetchCause) -> None:
    assert failed(answering(reply(b"", location, status="302 Found"))).cause is cause


def test_a_host_that_asks_to_be_left_is_left_unless_told_otherwise() -> None:
    said = answering(reply(b"photo", "X-Robots-Tag: otherbot: all", "X-Robots-Tag: noai"))
    assert failed(said).cause is FetchCause.OPTED_OUT
    assert fetched(said, replace(SETTINGS, opt_out=False)).content == b"photo"


@pytest.mark.parametrize(
    "handler",
    [
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 3000001\r\n\r\n"),
        dripping(CHUNKED, b"10000\r\n" + b"x" * 0x10000 + b"\r\n", every_s=0),
        dripping(b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 0x10000, every_s=0),
    ],
    ids=["by its header", "chunked", "without an end"],
)
def test_a_body_over_the_limit_is_refused_while_it_comes(handler: Handler) -> None:
    with pytest.raises(PixelError) as caught:
        fetched(handler)
    assert caught.value.cause is Cause.TOO_MANY_BYTES


@pytest.mark.parametrize(
    "answer",
    [HEAD + b"half", CHUNKED + b"5\r\nhalf", CHUNKED + b"4\r\nhalf\r\n", CHUNKED],
    ids=["by its length", "inside a chunk", "between chunks", "before a chunk"],
)
def test_a_body_that_ends_too_early_is_cut_off(answer: bytes) -> None:
    assert failed(answering(answer, ends=True)).cause is FetchCause.CUT_OFF


def test_a_connection_that_is_torn_down_inside_the_body_is_cut_off() -> None:
    async def tear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + b"half")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    assert failed(tear).cause is FetchCause.CUT_OFF


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01\x02\x00" * 20,
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 999999999999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 100_000 + b"\r\n",
        CHUNKED + b"zz\r\n",
        CHUNKED + b"ffffffffffffffffff\r\nx",
    ],
)
def test_what_is_no_http_is_broken(answer: bytes) -> None:
    assert failed(answering(answer, ends=True)).cause is FetchCause.BROKEN


@pytest.mark.parametrize("tail", [b"zz\r\n", b"5\r\nphotozz\r\n"])
def test_a_body_that_breaks_its_own_rules_is_broken(tail: bytes) -> None:
    # The headers come first and alone, or aiohttp never gets to the body.
    handler = dripping(CHUNKED, tail, n_drops=1)
    assert failed(handler).cause is FetchCause.BROKEN


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=40)
    | st.builds(
        lambda words, tail: b"HTTP/1.1 200 OK\r\n" + b"\r\n".join(words) + b"\r\n\r\n" + tail,
        st.lists(
            st.sampled_from([b"Transfer-Encoding: chunked", b"Content-Length: 5", b"Content-Encoding: gzip", b"Connection: upgrade", b"Upgrade: x"])
            | st.binary(max_size=20),
            max_size=4,
        ),
        st.binary(max_size=40),
    )
)  # fmt: skip
def test_wild_answers_end_as_a_photo_or_with_a_cause(answer: bytes) -> None:
    try:
        fetched(answering(answer, ends=True))
    except (FetchError, PixelError):
        return


def test_no_server_is_no_connection() -> None:
    async def ask_a_closed_port() -> None:
        async with serving(answering(b"")) as port:
            pass
        async with client_for() as client:
            await client.hop(f"http://photos.test:{port}/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask_a_closed_port())
    assert caught.value.cause is FetchCause.NO_CONNECTION


def test_a_name_that_is_not_there_is_an_unknown_host() -> None:
    async def ask() -> None:
        async with client_for() as client:
            await client.hop("http://nowhere.test/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.UNKNOWN_HOST


@pytest.mark.parametrize("host", ["inside.test", "photos.test", "127.0.0.1", "[::1]", "169.254.169.254"])  # fmt: skip
def test_hosts_inside_are_refused_before_anything_is_sent(host: str) -> None:
    async def ask() -> None:
        async with client_for(replace(SETTINGS, allow_private=False)) as client:
            await client.hop(f"http://{host}/a.jpg")

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.PRIVATE


def test_a_name_that_changes_its_mind_is_asked_once_and_the_checked_address_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The server's address counts as public, so that the way is the one of real hosts.
    monkeypatch.setattr("cairn.images.fetch.resolving.is_public", lambda ip: ip == "127.0.0.1")
    answers: list[Sequence[str]] = [["10.0.0.1", "127.0.0.1"], ["10.0.0.1"]]

    async def ask() -> None:
        walled = replace(SETTINGS, allow_private=False)
        find = lambda host, port: answers.pop(0)  # noqa: E731
        async with serving(answering(reply(b"photo"))) as port, client_for(walled, lookup=find) as client:  # fmt: skip
            for _ in range(2):
                assert (await client.hop(f"http://photos.test:{port}/")).content == b"photo"

    run(ask())
    assert answers == [["10.0.0.1"]]


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("identity", bytes)]
)
def test_a_body_packed_unasked_is_unpacked(coding: str, pack: type[bytes]) -> None:
    answer = reply(pack(b"photo" * 1000), f"Content-Encoding: {coding}")
    assert fetched(answering(answer)).content == b"photo" * 1000


def test_a_small_body_that_unpacks_to_a_huge_one_is_a_bomb() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    error = failed(answering(reply(bomb, "Content-Encoding: gzip")))
    assert error.cause is FetchCause.BOMB


def test_settings_that_cannot_be_kept_to_are_told_at_once() -> None:
    for settings_, words in [
        (replace(SETTINGS, proxy="proxy.example:3128"), "--proxy"),
        (replace(SETTINGS, certificates="/no/such.pem"), "--certificates"),
    ]:
        with pytest.raises(InputError, match=words):
            client_for(settings_)
    with pytest.raises(InputError, match="--contact"):
        replace(SETTINGS, user_agent="cairn\r\nHost: inside")
    with pytest.raises(InputError, match="--allow-private"):
        Client(SETTINGS, Resolver(allow_private=False, deadline_s=1, lookup=lookup))


def test_bandwidth_is_kept_to_without_a_deadline_running_out_or_a_byte_lost() -> None:
    told: list[tuple[str, int]] = []

    async def pace(host: str, n_bytes: int) -> None:
        told.append((host, n_bytes))
        await asyncio.sleep(0.05)

    async def ask() -> int:
        hurried = settings_with(photo_s=0.2, least_bytes_per_s=10_000_000, silence_s=0.1)
        async with serving(answering(reply(bytes(1_000_000)), ends=True)) as port, client_for(hurried, pace=pace) as client:  # fmt: skip
            await client.hop(f"http://photos.test:{port}/a.jpg")
            return port

    start = time.monotonic()
    port = run(ask())
    assert {host for host, _ in told} == {f"photos.test:{port}"}
    assert sum(n_bytes for _, n_bytes in told) == 1_000_000
    assert time.monotonic() - start >= 0.05 * len(told)


def test_large_bodies_all_come() -> None:
    async def ask() -> set[int]:
        big = answering(reply(bytes(2_500_000)))
        async with serving(big) as port, client_for() as client:
            hops = [client.hop(f"http://photos.test:{port}/{i}") for i in range(12)]
            return {len(each.content) for each in await asyncio.gather(*hops)}

    assert run(ask()) == {2_500_000}


def test_slow_large_bodies_hold_up_no_other_large_one() -> None:
    # A large share of it comes at once, and the rest never.
    slow = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 2500000\r\n\r\n" + bytes(2_200_000))

    async def ask() -> int:
        async with (
            serving(slow) as slow_port,
            serving(answering(reply(bytes(2_500_000)))) as port,
            client_for() as client,
        ):
            url = f"http://photos.test:{slow_port}/a.jpg"
            stuck = [asyncio.create_task(client.hop(url)) for _ in range(6)]
            await asyncio.sleep(0.3)
            async with asyncio.timeout(2):
                came = await client.hop(f"http://photos.test:{port}/a.jpg")
            for task in stuck:
                task.cancel()
            await asyncio.gather(*stuck, return_exceptions=True)
            return len(came.content)

    assert run(ask()) == 2_500_000


@pytest.mark.parametrize(
    ("answer", "is_bounded"),
    [
        (reply(b"photo"), True),
        (CHUNKED + b"5\r\nphoto\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (reply(b"photo", length=False), False),
    ],
)
def test_an_answer_says_whether_its_end_was_told(answer: bytes, *, is_bounded: bool) -> None:
    assert fetched(answering(answer, ends=True)).is_bounded is is_bounded


def test_too_many_open_files_are_no_hosts_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", refuse)
    with pytest.raises(
        InputError, match=r"too many open files.*expected.*--concurrency.*ulimit -n"
    ):
        fetched(answering(reply(b"photo")))


def test_what_comes_over_the_wire_is_counted_packed_unfinished_and_refused() -> None:
    packed = gzip.compress(bytes(100_000))
    answers = [
        (reply(packed, "Content-Encoding: gzip"), len(packed)),
        (reply(b"gone away", status="404 Not Found"), 9),
        (reply(b"elsewhere", "Location: /b", status="302 Found"), 9),
        (HEAD + b"cut off", 7),
        (reply(bytes(3_100_000), length=False), 3_000_000),
    ]

    async def ask(answer: bytes) -> int:
        told: list[int] = []
        resolver = Resolver(allow_private=True, deadline_s=5, lookup=lookup)
        client = Client(SETTINGS, resolver, came=lambda host, n_bytes: told.append(n_bytes))
        async with serving(answering(answer, ends=True)) as port, client:
            with suppress(FetchError, PixelError):
                await client.hop(f"http://photos.test:{port}/a.jpg")
        return sum(told)

    *others, too_large = [run(ask(answer)) for answer, _ in answers]
    assert others == [n_bytes for _, n_bytes in answers[:-1]]
    assert 3_000_000 < too_large <= 3_100_000
