"""The body of an answer: read within its limits, and unpacked within them where a host packed it unasked."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from aiohttp import ClientResponse

from cairn.images.fetch.answers import content_length
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.deadlines import Clock, SpeedGauge
from cairn.images.fetch.failures import LET_OUT, in_the_body
from cairn.images.pixels import Cause, PixelError

# A body past so many bytes takes what it needs from a budget, so that memory stays bounded.
BIG_BYTES = 2_000_000
# What comes is told to the bandwidth's keeper in such portions: the wait is for bandwidth, not for packets.
PORTION_BYTES = 65_536
# Packed at best 1 : 1,032, so that a step makes at most 17 MB.
PACKED_STEP_BYTES = 16_384
BEST_PACKING = 1032
MOST_CODINGS = 2
LEFTOVER_BYTES = 65_536
LEFTOVER_S = 1.0
# While nothing comes, the connection is looked at so often.
LOOK_S = 0.5
_GZIP_OR_ZLIB = 47
_BARE_DEFLATE = -15

Paced = Callable[[int], Awaitable[None]]
Came = Callable[[int], None]


class Budget:
    """Bytes of memory that large bodies share: who comes first is served first.

    A body may need more and more while others do too. So that they never all wait for each other, the first in line may take
    more than is left, if nobody else did: at most one body goes beyond the budget.
    """

    def __init__(self, n_bytes: int) -> None:
        self._left_bytes = n_bytes
        self._waiting: deque[tuple[Holding, int, asyncio.Future[None]]] = deque()
        self._beyond: Holding | None = None

    @contextmanager
    def holding(self, clock: Clock) -> "Iterator[Holding]":
        """What one body holds, nothing at first; given back at the end. Waiting for more counts against no deadline."""
        holding = Holding(self, clock)
        try:
            yield holding
        finally:
            self._left_bytes += holding.n_bytes
            if self._beyond is holding:
                self._beyond = None
            self._serve()

    async def take(self, holding: "Holding", n_bytes: int) -> None:
        """So many bytes more for `holding`, as soon as it is its turn."""
        is_first = self._beyond is holding or not self._waiting
        if is_first and self._is_given(holding, n_bytes):
            return
        turn = (holding, n_bytes, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        try:
            async with holding.clock.stopped():
                await turn[2]
        finally:
            # It gave up waiting, and others behind it may now have their turn.
            if turn in self._waiting:
                self._waiting.remove(turn)
                self._serve()

    def _serve(self) -> None:
        while self._waiting:
            holding, n_bytes, future = self._waiting[0]
            if not future.cancelled() and not self._is_given(holding, n_bytes):
                return
            self._waiting.popleft()
            if not future.done():
                future.set_result(None)

    def _is_given(self, holding: "Holding", n_bytes: int) -> bool:
        if n_bytes > self._left_bytes:
            if self._beyond not in (None, holding):
                return False
            self._beyond = holding
        self._left_bytes -= n_bytes
        holding.n_bytes += n_bytes
        return True


class Holding:
    """What one body holds of a budget."""

    __slots__ = ("_budget", "clock", "n_bytes")

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._budget = budget
        self.clock = clock
        self.n_bytes = 0

    async def up_to(self, n_bytes: int) -> None:
        """Nothing, once so many bytes are held; what is held already counts, and a little needs no budget."""
        if n_bytes > max(BIG_BYTES, self.n_bytes):
            await self._budget.take(self, n_bytes - self.n_bytes)


async def parts_of(response: ClientResponse, *, silence_s: float) -> AsyncGenerator[bytes, None]:
    """The body as it comes, in parts that are never empty.

    Raises FetchError: SILENT where nothing comes for `silence_s`, CUT_OFF where the body ends too early, BROKEN where it makes
    no sense.
    """
    while True:
        try:
            part = await _next_part(response, silence_s)
        except LET_OUT as error:
            raise in_the_body(error, status=response.status) from error
        if not part:
            return
        yield part


async def _next_part(response: ClientResponse, silence_s: float) -> bytes:
    content = response.content
    # Mostly there is something, and no deadline needs to be set.
    ready = content.read_nowait()
    if ready or content.at_eof():
        return ready
    waited_s = 0.0
    while waited_s < silence_s:
        step_s = min(LOOK_S, silence_s - waited_s)
        try:
            async with asyncio.timeout(step_s):
                return await content.readany()
        except TimeoutError:
            waited_s += step_s
        # A body that breaks the rules of chunks makes aiohttp close the connection and say so to nobody who waits for it.
        if response.connection is not None and response.connection.closed:
            raise FetchError(
                FetchCause.BROKEN, "the body makes no sense", http_status=response.status
            )
    raise FetchError(
        FetchCause.SILENT, f"nothing came for {silence_s:g} s", http_status=response.status
    )


async def body_of(
    chunks: AsyncIterator[bytes],
    *,
    came: Came,
    most_bytes: int,
    clock: Clock,
    gauge: SpeedGauge,
    holding: Holding,
    size_bytes: int | None,
    paced: Paced | None,
) -> bytes:
    """The bytes of a body, of which `chunks` are the parts as they come.

    came: told of the bytes of each part. size_bytes: of the whole body, if told.
    Raises PixelError (TOO_MANY_BYTES) past `most_bytes`, FetchError (TOO_SLOW) below the gauge's speed.
    """
    parts: list[bytes] = []
    total = told = 0
    async for part in chunks:
        came(len(part))
        parts.append(part)
        total += len(part)
        if total > most_bytes:
            raise too_many_bytes(total, most_bytes)
        gauge.came(total, now=clock.now())
        if total > max(BIG_BYTES, holding.n_bytes):
            await holding.up_to(min(size_bytes or 2 * total, most_bytes))
        if paced and total - told >= PORTION_BYTES:
            async with clock.stopped():
                await paced(total - told)
            told = total
    if paced and total > told:
        async with clock.stopped():
            await paced(total - told)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_leftover(response: ClientResponse, *, came: Came) -> None:
    """Read an answer without a photo to its end, if that is little and soon, so that its connection can be used again.

    came: told of the bytes of each part.
    """
    total = 0
    if (content_length(response.headers) or 0) > LEFTOVER_BYTES:
        return
    with suppress(FetchError, TimeoutError):
        async with asyncio.timeout(LEFTOVER_S):
            async for part in parts_of(response, silence_s=LEFTOVER_S):
                came(len(part))
                total += len(part)
                if total > LEFTOVER_BYTES:
                    return


def too_many_bytes(size_bytes: int, most_bytes: int) -> PixelError:
    """The error for a body that is larger than allowed."""
    return PixelError(
        Cause.TOO_MANY_BYTES,
        f"the photo has {size_bytes:,} bytes or more; at most {most_bytes:,} were expected; raise --max-bytes",
    )


async def unpacked(
    content: bytes, codings: list[str], *, most_bytes: int, holding: Holding
) -> bytes:
    """`content` as it was before the host packed it.

    codings: outermost first, as `answers.content_codings` gives them. holding: takes what comes out besides `content`.
    Raises FetchError: BROKEN for a coding that was not asked for and is not known, or for bytes that are not so packed; BOMB
    where more than `most_bytes` come out; CUT_OFF where the end is missing.
    """
    if len(codings) > MOST_CODINGS:
        raise FetchError(FetchCause.BROKEN, f"the body is packed {len(codings)} times")
    for coding in codings:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(FetchCause.BROKEN, f"the body is packed as {coding[:40]!r}, unasked")
        content = await _inflated(content, most_bytes=most_bytes, holding=holding)
    return content


async def _inflated(content: bytes, *, most_bytes: int, holding: Holding) -> bytes:
    parts: list[bytes] = []
    total = 0
    inflater = zlib.decompressobj(_window_bits(content))
    with memoryview(content) as view:
        for start in range(0, len(content), PACKED_STEP_BYTES):
            packed = view[start : start + PACKED_STEP_BYTES]
            most_now = min(total + BEST_PACKING * len(packed), most_bytes)
            await holding.up_to(len(content) + most_now)
            try:
                part = inflater.decompress(packed, most_bytes - total + 1)
            except zlib.error as error:
                raise FetchError(
                    FetchCause.BROKEN, f"the body is not packed as told: {error}"
                ) from None
            parts.append(part)
            total += len(part)
            if total > most_bytes:
                raise FetchError(
                    FetchCause.BOMB, f"{len(content):,} bytes unpack to more than {most_bytes:,}"
                )
            if inflater.eof:
                return b"".join(parts)
            # Other photos go on while a large one is unpacked.
            await asyncio.sleep(0)
    if not content:
        return b""
    raise FetchError(FetchCause.CUT_OFF, "the packed body ends too early")


def _window_bits(content: bytes) -> int:
    """`deflate` means zlib's wrapping, and some hosts send it without."""
    is_zlib = len(content) > 1 and content[0] & 15 == 8 and (content[0] << 8 | content[1]) % 31 == 0
    return _GZIP_OR_ZLIB if is_zlib or content.startswith(b"\x1f\x8b") else _BARE_DEFLATE
