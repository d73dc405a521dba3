import asyncio
from dataclasses import replace

import pytest

from cairn.images.fetch.causes import FetchCause, FetchError
from tests.images.fetch.servers import (
    SETTINGS,
    Handler,
    answering,
    client_for,
    dripping,
    reply,
    run,
    serving,
    settings_with,
)

FILE = bytes(range(256)) * 20_000  # more than a photo may have


def streamed(
    handler: Handler, *, start: int = 0, if_range: str | None = None, **deadlines: float
) -> tuple[int, int | None, str | None, bytes]:
    async def ask() -> tuple[int, int | None, str | None, bytes]:
        async with serving(handler) as port, client_for(settings_with(**deadlines)) as client:
            url = f"http://photos.test:{port}/a.tar"
            async with client.stream(url, start=start, if_range=if_range) as stream:
                content = b"".join([chunk async for chunk in stream.chunks])
                return stream.status, stream.total_bytes, stream.etag, content

    return run(ask())


async def ranged(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = (await reader.readuntil(b"\r\n\r\n")).decode()
    if "Range: bytes=1000-" in asked and 'If-Range: "v1"' in asked:
        size = len(FILE)
        part = [f"Content-Range: bytes 1000-{size - 1}/{size}", 'ETag: "v1"']
        writer.write(reply(FILE[1000:], *part, status="206 Partial Content"))
    else:
        writer.write(reply(FILE, 'ETag: "v1"'))
    await writer.drain()


def test_a_large_file_comes_without_a_limit_and_beyond_a_photos_deadline() -> None:
    assert streamed(ranged, photo_s=0.001) == (200, len(FILE), '"v1"', FILE)


def test_the_rest_of_a_file_comes_from_the_byte_asked_for() -> None:
    ended = streamed(ranged, start=1000, if_range='"v1"')
    assert ended == (206, len(FILE), '"v1"', FILE[1000:])


def test_a_file_that_is_another_now_comes_whole() -> None:
    assert streamed(ranged, start=1000, if_range='"v0"')[0] == 200


def test_a_file_is_found_through_redirects() -> None:
    moved = reply(b"", "Location: /b.tar", status="301 Moved")
    assert streamed(answering(moved, moved, reply(b"tar")))[3] == b"tar"
    with pytest.raises(FetchError, match="more than 5 redirects"):
        streamed(answering(moved))


def test_a_redirect_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cairn.images.fetch.resolving.is_public", lambda ip: ip == "127.0.0.1")

    async def ask() -> None:
        moved = answering(reply(b"", "Location: http://inside.test/", status="301 Moved"))
        walled = replace(SETTINGS, allow_private=False)
        async with (
            serving(moved) as port,
            client_for(walled) as client,
            client.stream(f"http://photos.test:{port}/a.tar"),
        ):
            pass

    with pytest.raises(FetchError) as caught:
        run(ask())
    assert caught.value.cause is FetchCause.PRIVATE


@pytest.mark.parametrize(
    ("handler", "cause"),
    [
        (answering(reply(b"tar", "Content-Encoding: gzip")), FetchCause.BROKEN),
        (answering(reply(b"no", status="416 Range Not Satisfiable")), FetchCause.REFUSED),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", ends=True), FetchCause.CUT_OFF),
        (dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), FetchCause.SILENT),
        (dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n", n_drops=1), FetchCause.BROKEN),
    ],
)  # fmt: skip
def test_a_stream_that_fails_has_a_cause(handler: Handler, cause: FetchCause) -> None:
    with pytest.raises(FetchError) as caught:
        streamed(handler, silence_s=1.0)
    assert caught.value.cause is cause


def test_a_stream_that_is_left_early_leaves_nothing_open() -> None:
    async def leave() -> bytes:
        async with (
            serving(answering(reply(FILE))) as port,
            client_for() as client,
            client.stream(f"http://photos.test:{port}/a.tar") as stream,
        ):
            return await anext(stream.chunks)

    assert FILE.startswith(run(leave()))
