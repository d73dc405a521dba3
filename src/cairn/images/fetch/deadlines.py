"""How long a try may take: each stretch of it with a deadline and a cause of its own."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType

from cairn.images.fetch.causes import FetchCause, FetchError


@dataclass(frozen=True)
class Deadlines:
    """Seconds for each stretch of a try, and the least speed of a body.

    connect_s: for a connection, with its handshakes.
    first_byte_s: from the request until all that stands before the body is there.
    silence_s: in which nothing of the body may come. The least speed is that of any stretch so long.
    photo_s: for the whole try, with its lookups of names and all its redirects.
    """

    connect_s: float = 10.0
    first_byte_s: float = 20.0
    silence_s: float = 15.0
    photo_s: float = 120.0
    least_bytes_per_s: float = 1_000.0


class Opening:
    """The time until an answer's headers are there, as `async with`: first for a connection, then for the answer.

    Raises FetchError: NO_CONNECTION_IN_TIME, or NO_ANSWER once `asked` was called.
    """

    __slots__ = ("_first_byte_s", "_is_asked", "_timeout")

    def __init__(self, deadlines: Deadlines) -> None:
        self._first_byte_s = deadlines.first_byte_s
        self._timeout = asyncio.timeout(deadlines.connect_s)
        self._is_asked = False

    async def __aenter__(self) -> "Opening":
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            cause = FetchCause.NO_ANSWER if self._is_asked else FetchCause.NO_CONNECTION_IN_TIME
            raise FetchError(cause, _WORDS[cause]) from None

    def asked(self) -> None:
        """There is a connection, and the request goes out."""
        self._is_asked = True
        self._timeout.reschedule(asyncio.get_running_loop().time() + self._first_byte_s)


_WORDS = {
    FetchCause.NO_CONNECTION_IN_TIME: "the host took no connection in time",
    FetchCause.NO_ANSWER: "the host did not begin its answer in time",
}


class Clock:
    """The time of one whole try, as `async with`: when it is up, what runs inside ends with FetchError (TOOK_TOO_LONG).

    spent_s: seconds of the try that are gone already, at hosts that led on.
    """

    __slots__ = ("_end", "_loop", "_photo_s", "_timeout", "stopped_s")

    def __init__(self, deadlines: Deadlines, *, spent_s: float = 0.0) -> None:
        self._photo_s = deadlines.photo_s
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + deadlines.photo_s - spent_s
        self._timeout = asyncio.timeout_at(self._end)
        self.stopped_s = 0.0

    async def __aenter__(self) -> "Clock":
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError:
            raise FetchError(
                FetchCause.TOOK_TOO_LONG, f"the photo was not there after {self._photo_s:g} s"
            ) from None

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """What runs inside counts against no deadline of the try."""
        start = self._loop.time()
        self._timeout.reschedule(None)
        yield
        waited_s = self._loop.time() - start
        self.stopped_s += waited_s
        self._end += waited_s
        self._timeout.reschedule(self._end)

    @property
    def spent_s(self) -> float:
        """Seconds of the whole try that are gone, without the stops."""
        return self._photo_s - (self._end - self._loop.time())

    def now(self) -> float:
        """Seconds by which speed is measured: those of the loop, without the stops."""
        return self._loop.time() - self.stopped_s


class SpeedGauge:
    """Watches that a body comes at the least speed, over a window that slides in quarters."""

    __slots__ = ("_least", "_marks", "_window_s")

    def __init__(self, deadlines: Deadlines, *, start: float) -> None:
        self._least = deadlines.least_bytes_per_s
        self._window_s = deadlines.silence_s
        self._marks = deque([(start, 0)])

    def came(self, n_bytes: int, *, now: float) -> None:
        """Take note that `n_bytes` have come in all.

        Raises FetchError (TOO_SLOW) where a whole window passed at less than the least speed.
        """
        marks = self._marks
        if now - marks[-1][0] < self._window_s / 4:
            return
        marks.append((now, n_bytes))
        while now - marks[1][0] >= self._window_s:
            marks.popleft()
        seconds = now - marks[0][0]
        speed = (n_bytes - marks[0][1]) / seconds
        if seconds >= self._window_s and speed < self._least:
            raise FetchError(
                FetchCause.TOO_SLOW,
                f"{speed:,.0f} bytes a second came for {seconds:.1f} s; at least {self._least:,.0f} were expected",
            )
