"""One request and the way to answer it, and the book that every request is written into."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tests.hostile.photos import Photo

MOST_SENT_BYTES = 64_000_000


@dataclass(frozen=True)
class Asked:
    """One request: when it came (seconds, monotonic), for what, and at which of the server's addresses."""

    at: float
    path: str
    headers: dict[str, str]
    reached: str

    @property
    def host(self) -> str:
        """The name that the client believes to be talking to, with its port."""
        return self.headers.get("host", "")

    @property
    def slug(self) -> str:
        """The first part of the path, by which the server knows the case; empty where there is one part only."""
        parts = self.path.split("/")
        return parts[1] if len(parts) > 2 else ""


@dataclass
class Book:
    """Every request that came, and how many were under way at once; written by the server only."""

    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    most_at_once_by_host: Counter[str] = field(default_factory=Counter)
    _running: Counter[str] = field(default_factory=Counter)

    @contextlib.contextmanager
    def running(self, asked: Asked) -> Iterator[None]:
        """Inside it, the request counts as under way."""
        self.asked.append(asked)
        self._running[asked.host] += 1
        self.most_at_once = max(self.most_at_once, self._running.total())
        here = max(self.most_at_once_by_host[asked.host], self._running[asked.host])
        self.most_at_once_by_host[asked.host] = here
        try:
            yield
        finally:
            self._running[asked.host] -= 1

    def of(self, slug: str) -> list[Asked]:
        """The requests for paths below `/slug/`, in the order they came."""
        return [asked for asked in self.asked if asked.slug == slug]

    def by_path(self) -> Counter[str]:
        """The number of requests for each path."""
        return Counter(asked.path for asked in self.asked)

    def gaps_s(self, slug: str) -> list[float]:
        """The seconds between the beginnings of one request of a case and the next."""
        times = [asked.at for asked in self.of(slug)]
        return [after - before for before, after in itertools.pairwise(times)]


class Exchange:
    """One request and the way to answer it; answers may break every rule.

    number: of this request among those of its case, from 1.
    fill: puts the server's ports and the case's slug into an address.
    """

    def __init__(
        self,
        asked: Asked,
        number: int,
        writer: asyncio.StreamWriter,
        fill: Callable[[str], str] = str,
    ) -> None:
        self.asked = asked
        self.number = number
        self.fill = fill
        self.may_go_on = False
        self._writer = writer
        self._sent_bytes = 0

    async def send(self, content: bytes) -> None:
        """Sends raw bytes; raises ConnectionError where the client has gone, or has had more than enough."""
        self._sent_bytes += len(content)
        if self._sent_bytes > MOST_SENT_BYTES:
            raise ConnectionAbortedError("more than any client should have taken")
        self._writer.write(content)
        await self._writer.drain()

    async def reply(
        self,
        status: int,
        body: bytes = b"",
        *,
        media_type: str = "image/jpeg",
        headers: Sequence[str] = (),
    ) -> None:
        """Sends a whole and proper answer; the connection may be used again, where the client wants that."""
        own = (f"Content-Type: {media_type}", f"Content-Length: {len(body)}")
        await self.send(head(status, *own, *headers) + body)
        self.may_go_on = self.asked.headers.get("connection") != "close"


Answer = Callable[[Exchange, Photo], Awaitable[None]]


def head(status: int, *headers: str) -> bytes:
    """The head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status} Said", *headers, "", ""]).encode("latin-1")
