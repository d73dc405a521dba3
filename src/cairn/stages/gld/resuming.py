"""Big files over HTTP: fetched by byte ranges beside their place, resumed where they broke off, moved when whole."""

import asyncio
import errno
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from cairn.base.errors import DiskError
from cairn.base.files import disk_errors, write_text
from cairn.base.watching import Advance
from cairn.images.fetch.addresses import host_of
from cairn.images.fetch.causes import PASSING, FetchCause, FetchError
from cairn.images.fetch.client import Client, Stream
from cairn.images.fetch.deadlines import SpeedGauge
from cairn.images.fetch.manners import PATIENCE, backoff_s
from cairn.stages.download.space import free_at

PARTIAL = 206
RANGE_BEYOND_THE_END = 416
# A try that brought less than this counts as one that brought nothing.
PROGRESS_BYTES = 1 << 20
MOST_BYTES = 20_000_000_000
# A wait that is longer is told of.
QUIET_WAIT_S = 60.0
Pace = Callable[[str, int], Awaitable[None]]


async def unhurried(host: str, n_bytes: int) -> None:
    """Nothing: bytes may come as fast as they do."""


def _unsaid(text: str) -> None:
    """Nothing: nobody listens."""


@dataclass(frozen=True)
class Patience:
    """How often a file that breaks off is tried, and how long is waited in between.

    attempts: tries in a row that bring (almost) nothing; one that brings more starts the count anew.
    longest_wait_s: where a host asks for more, the file is left for another run.
    """

    attempts: int = 6
    longest_wait_s: float = PATIENCE.longest_wait_s
    wait_s: Callable[[int, random.Random, float | None], float] = backoff_s
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)


@dataclass(frozen=True)
class Fetched:
    """A file that is here whole; `received_bytes` of it came in this run, the others were here already."""

    path: Path
    size_bytes: int
    etag: str | None
    received_bytes: int


class FileFetcher:
    """Fetches files whole; what was fetched of one before is never fetched again.

    spare_bytes: less than this is never left on the disk.
    pace: awaited with host and bytes for all that comes, to count it and to keep to a bandwidth; its waiting is not
        held against the host's speed.
    note: told in words of each long wait.
    """

    def __init__(
        self,
        client: Client,
        *,
        patience: Patience | None = None,
        spare_bytes: int = 0,
        pace: Pace = unhurried,
        note: Callable[[str], None] = _unsaid,
    ) -> None:
        self._client, self._pace, self._note = client, pace, note
        self._patience = patience or Patience()
        self._spare_bytes = spare_bytes

    async def fetch(
        self,
        url: str,
        path: Path,
        *,
        most_bytes: int = MOST_BYTES,
        advance: Advance = lambda n_bytes: None,
    ) -> Fetched:
        """The file at `url`, now whole at `path`; until then it lies in `path` + `.part`.

        advance: told of each byte that is here, those of earlier runs at once; a file that begins anew takes
        its bytes back.
        Raises FetchError where the host does not give it, DiskError (a full disk) where there is no room for it.
        """
        part = PartFile(path, url)
        advance(part.size_bytes)
        received = 0

        def arrived(n_bytes: int) -> None:
            nonlocal received
            received += max(n_bytes, 0)
            advance(n_bytes)

        tries = 0
        while not part.is_whole:
            before = received
            try:
                await self._one_try(part, most_bytes, arrived)
            except FetchError as error:
                if error.http_status == RANGE_BEYOND_THE_END and part.size_bytes:
                    arrived(-part.begin(None, None))
                elif error.cause not in PASSING:
                    raise
                tries = 1 if received - before >= PROGRESS_BYTES else tries + 1
                asked_s = error.retry_after_s or 0.0
                if tries >= self._patience.attempts or asked_s > self._patience.longest_wait_s:
                    raise
                wait_s = self._patience.wait_s(tries, self._patience.rng, error.retry_after_s)
                if wait_s > QUIET_WAIT_S:
                    self._note(f"{url}: {error.cause}; tried again in {wait_s:,.0f} s")
                await self._patience.sleep(wait_s)
        return await asyncio.to_thread(part.finish, received)

    async def _one_try(self, part: "PartFile", most_bytes: int, arrived: Advance) -> None:
        """`part` has grown as far as this request brought it; raises FetchError where it is not whole then."""
        etag = part.etag if part.size_bytes else None
        async with self._client.stream(part.url, start=part.size_bytes, if_range=etag) as answer:
            if answer.status == PARTIAL and part.size_bytes:
                if not part.goes_on_with(answer):
                    arrived(-part.begin(None, None))
                    raise FetchError(FetchCause.BROKEN, f"{part.url} changed while it was fetched")
            else:
                arrived(-part.begin(answer.etag, answer.total_bytes))
            self._require_room(part, most_bytes)
            with part.opened() as file:
                await self._append(part, file, answer, most_bytes, arrived)
        if part.total_bytes is not None and part.size_bytes < part.total_bytes:
            raise FetchError(
                FetchCause.CUT_OFF,
                f"{part.url} broke off at byte {part.size_bytes:,} of {part.total_bytes:,}",
            )
        part.is_whole = True

    async def _append(
        self, part: "PartFile", file: BinaryIO, answer: Stream, most_bytes: int, arrived: Advance
    ) -> None:
        """All that `answer` brings is in the file; raises FetchError where that is too much, or comes too slowly."""
        host, received, paced_s = host_of(answer.url), 0, 0.0
        gauge = SpeedGauge(self._client.deadlines, start=time.monotonic())
        async for chunk in answer.chunks:
            problem = _too_many(part, len(chunk), most_bytes)
            if problem is not None:
                arrived(-part.begin(None, None))
                raise problem
            part.append(file, chunk)
            arrived(len(chunk))
            received += len(chunk)
            came_at = time.monotonic()
            await self._pace(host, len(chunk))
            gauge.came(received, now=came_at - paced_s)
            paced_s += time.monotonic() - came_at

    def _require_room(self, part: "PartFile", most_bytes: int) -> None:
        """Nothing, where what is still to come will fit; raises DiskError, or FetchError if it is too much."""
        problem = _too_many(part, (part.total_bytes or 0) - part.size_bytes, most_bytes)
        if problem is not None:
            raise problem
        wanted = max((part.total_bytes or 0) - part.size_bytes, 0) + self._spare_bytes
        free = free_at(part.path.parent).n_bytes
        if free < wanted:
            raise DiskError(
                f"the disk has {free / 1e6:,.0f} MB left and {part.path.name} needs {wanted / 1e6:,.0f} MB with "
                "what is to stay free; room for it was expected; free some space and run the same command "
                "again: it goes on where it was"
            ) from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _too_many(part: "PartFile", n_more: int, most_bytes: int) -> FetchError | None:
    """Why `n_more` bytes are not added to `part`; None where they may be."""
    size = part.size_bytes + n_more
    if part.total_bytes is not None and size > part.total_bytes:
        detail = f"{part.url} has more bytes than its host announced"
        return FetchError(FetchCause.BROKEN, detail)
    if size > most_bytes:
        detail = f"{part.url} has more than the {most_bytes:,} bytes that were expected"
        return FetchError(FetchCause.REFUSED, detail)
    return None


class _Mark(BaseModel):
    """What a part file is a part of."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    url: str
    etag: str
    total_bytes: int | None


class PartFile:
    """A file that is being fetched: its bytes in `path` + `.part`, and beside them what they are a part of.

    Bytes of which nobody knows the version are never added to: only a strong ETag says that the rest belongs
    to them.
    """

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self._part = path.with_name(path.name + ".part")
        self._mark = path.with_name(path.name + ".part.json")
        self.etag: str | None = None
        self.total_bytes: int | None = None
        self.size_bytes = 0
        mark = self._read_mark()
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            found = self._part.stat().st_size if self._part.exists() else 0
        if mark and mark.url == url and found <= (mark.total_bytes or found):
            self.etag, self.total_bytes, self.size_bytes = mark.etag, mark.total_bytes, found
        self.is_whole = bool(found) and self.size_bytes == self.total_bytes

    def _read_mark(self) -> _Mark | None:
        try:
            return _Mark.model_validate_json(self._mark.read_bytes())
        except (OSError, ValidationError):
            return None

    def begin(self, etag: str | None, total_bytes: int | None) -> int:
        """The number of bytes that were thrown away: the file begins anew, in this version."""
        lost = self.size_bytes
        # The old bytes go before the new mark comes, so that a kill in between never joins the two.
        with disk_errors(self._part):
            self._mark.unlink(missing_ok=True)
            self._part.write_bytes(b"")
        self.etag = etag if etag and not etag.startswith("W/") else None
        self.total_bytes, self.size_bytes = total_bytes, 0
        if self.etag is not None:
            mark = _Mark(url=self.url, etag=self.etag, total_bytes=total_bytes)
            write_text(self._mark, mark.model_dump_json())
        return lost

    def goes_on_with(self, answer: Stream) -> bool:
        """Whether `answer` is the rest of the version that is here in part."""
        same_size = self.total_bytes is None or answer.total_bytes in (None, self.total_bytes)
        return same_size and answer.etag in (None, self.etag)

    def opened(self) -> BinaryIO:
        """The file, to append to."""
        with disk_errors(self._part):
            return self._part.open("ab", buffering=0)

    def append(self, file: BinaryIO, chunk: bytes) -> None:
        """`chunk` is in the file."""
        with disk_errors(self._part):
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        self.size_bytes += len(chunk)

    def finish(self, received_bytes: int) -> Fetched:
        """The file is at its place, and on the disk."""
        with disk_errors(self.path):
            with self._part.open("rb+") as file:
                os.fsync(file.fileno())
            self._part.replace(self.path)
            self._mark.unlink(missing_ok=True)
        return Fetched(self.path, self.size_bytes, self.etag, received_bytes)
