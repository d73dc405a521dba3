"""Raw servers on the loopback that answer, or misbehave, exactly as told, and a client that finds them by name."""

import asyncio
import gc
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

from cairn.images.fetch.client import Client, ClientSettings, Deadlines, Pace, Reply
from cairn.images.fetch.resolving import Lookup, Resolver

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
T = TypeVar("T")

# What is imported by now holds no connections: looking through it for leaks after each test takes long.
gc.collect()
gc.freeze()

HOSTS = {"photos.test": ["127.0.0.1"], "inside.test": ["10.0.0.1"]}
# Long for what is not under test; a test shortens the one that is.
PATIENT = Deadlines(connect_s=5, first_byte_s=5, silence_s=5, photo_s=20, least_bytes_per_s=0.001)
SETTINGS = ClientSettings(
    user_agent="cairn-test/1 (+tester@example.org)", deadlines=PATIENT, max_bytes=3_000_000, allow_private=True
)  # fmt: skip


def lookup(host: str, port: int) -> Sequence[str]:
    """The names of these tests; there are no others."""
    if host not in HOSTS:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return HOSTS[host]


def reply(body: bytes = b"", *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    """A whole answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answering(*answers: bytes, ends: bool = False) -> Handler:
    """A server that gives each request the next answer, the last one over and over."""
    waiting = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(waiting[0] if len(waiting) == 1 else waiting.pop(0))
            await writer.drain()
            if ends:
                return

    return handle


def dripping(
    head: bytes, drop: bytes = b"", *, every_s: float = 0.02, n_drops: int = 10_000
) -> Handler:
    """A server that sends `head`, and then `drop` now and again; without one it is silent."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head)
        for _ in range(n_drops):
            await writer.drain()
            await asyncio.sleep(every_s)
            writer.write(drop)

    return handle


@asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that gives each connection to `handler`, and closes it afterwards."""
    running: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0.01)


def client_for(
    settings: ClientSettings = SETTINGS, *, lookup: Lookup = lookup, pace: Pace | None = None
) -> Client:
    """A client that finds only the names of these tests."""
    resolver = Resolver(allow_private=settings.allow_private, deadline_s=5, lookup=lookup)
    return Client(settings, resolver, pace=pace)


def settings_with(**deadlines: float) -> ClientSettings:
    """The tests' settings with some deadlines shorter."""
    return replace(SETTINGS, deadlines=replace(PATIENT, **deadlines))


def fetched(
    handler: Handler, settings: ClientSettings = SETTINGS, *, path: str = "/a.jpg"
) -> Reply:
    """What one request to a server that runs `handler` ends in."""

    async def ask() -> Reply:
        async with serving(handler) as port, client_for(settings) as client:
            return await client.hop(f"http://photos.test:{port}{path}")

    return run(ask())


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives, in at most ten seconds and with nothing left open behind it."""
    try:
        return asyncio.run(asyncio.wait_for(work, 10))
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ResourceWarning)
            gc.collect()
