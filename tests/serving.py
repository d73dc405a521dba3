"""A plain photo server on the loopback, in a thread of its own, lists of its photos, and how they are downloaded."""

import asyncio
import contextlib
import csv
import io
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from cairn.base.settings import DownloadSettings
from tests.hostile.exchanges import Asked, Book, Exchange

LOOPBACK = "127.0.0.1"
STOP_S = 10.0
# The loopback needs no manners, and no room is spared on the disk of a test.
SETTINGS = DownloadSettings(
    allow_private=True, host_rate=100_000, host_concurrency=16, spare_disk_mb=0, decoders=2
)
COMMAND = (sys.executable, "-m", "cairn", "download")
FLAGS = (
    "--allow-private", "--host-rate", "100000", "--host-concurrency", "16", "--spare-disk-mb", "0",
    "--decoders", "2",
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """What the server says at one path in place of a photo, or how it says it.

    content: None is the photo that the path names. delay_s: before a word is said.
    """

    status: int = 200
    content: bytes | None = None
    headers: tuple[str, ...] = ()
    delay_s: float = 0.0


PHOTO = Said()


class PhotoServer:
    """A context in which `/N.jpg` is photo N, at `n_hosts` ports of the loopback, each a host of its own.

    said: what is said otherwise, by path; may be changed at any time. delay_s: before every answer.
    book: the requests that came.
    """

    def __init__(self, n_hosts: int = 1) -> None:
        self.book = Book()
        self.said: dict[str, Said] = {}
        self.delay_s = 0.0
        self.ports: list[int] = []
        self._n_hosts = n_hosts
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="photos", daemon=True)
        self._talks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(STOP_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    def url(self, number: int, *, host: int = 0) -> str:
        """Where photo `number` is, at one of the hosts."""
        return f"http://{LOOPBACK}:{self.ports[host]}/{number}.jpg"

    def n_asked(self, number: int) -> int:
        """How often photo `number` was asked for."""
        return self.book.by_path()[f"/{number}.jpg"]

    async def _start(self) -> None:
        for _ in range(self._n_hosts):
            listener = socket.create_server((LOOPBACK, 0), backlog=256)
            self.ports.append(listener.getsockname()[1])
            self._servers.append(await asyncio.start_server(self._met, sock=listener))

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        # One more turn, in which the transports that were closed let go of their sockets.
        await asyncio.sleep(0)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)
        try:
            with contextlib.suppress(OSError, EOFError):
                while await self._answered(reader, writer):
                    pass
        except asyncio.CancelledError:
            writer.transport.abort()
        else:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may follow the one that was answered here."""
        asked = _read(await reader.readuntil(b"\r\n\r\n"))
        said = self.said.get(asked.path, PHOTO)
        exchange = Exchange(asked, 1, writer)
        with self.book.running(asked):
            if self.delay_s + said.delay_s:
                await asyncio.sleep(self.delay_s + said.delay_s)
            content = said.content
            if content is None:
                content = photo(int(asked.path[1:].removesuffix(".jpg")))
            await exchange.reply(said.status, content, headers=said.headers)
        return exchange.may_go_on


def _read(head: bytes) -> Asked:
    line, *rest = head.decode("latin-1").rstrip().split("\r\n")
    pairs = (header.partition(":") for header in rest)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Asked(time.monotonic(), line.split(" ")[1], headers, LOOPBACK)


@cache
def photo(number: int) -> bytes:
    """A small JPEG of noise that no other number has."""
    noise = np.random.default_rng(number).integers(0, 256, (64, 96, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG", quality=60)
    return file.getvalue()


def listed(server: PhotoServer, n_rows: int, *, n_landmarks: int = 7) -> list[dict[str, object]]:
    """Rows of a list: photo after photo, at one host after the other, of one landmark after the other."""
    return [
        {
            "id": f"i{number:05}",
            "url": server.url(number, host=number % len(server.ports)),
            "landmark_id": f"landmark_{number % n_landmarks}",
        }
        for number in range(n_rows)
    ]


def write_list(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    """`path`, which holds the rows under the names of their columns."""
    given = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(given[0]))
        writer.writeheader()
        writer.writerows(given)
    return path


def begun(work: Path, urls: Path, *flags: str, mark: str = "") -> subprocess.Popen[str]:
    """`cairn download` in a process of its own; `mark` stands in its environment and its children's."""
    return subprocess.Popen(
        [*COMMAND, str(work), "--urls", str(urls), *FLAGS, *flags],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"MARK": mark},
    )  # fmt: skip


def marked(mark: str) -> set[int]:
    """The ids of the processes that live and have `mark` in their environment; Linux only."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/environ"):
        # Processes come and go, and those of others do not tell.
        with contextlib.suppress(OSError):
            if f"MARK={mark}\0".encode() in path.read_bytes():
                found.add(int(path.parent.name))
    return found


def resident_bytes(mark: str) -> int:
    """The memory of a download and its decoding processes, which all have `mark` in their environment."""
    n_pages = 0
    for process in marked(mark):
        with contextlib.suppress(OSError):
            n_pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return n_pages * os.sysconf("SC_PAGESIZE")
