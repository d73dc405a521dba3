"""The body of an answer: read within its limits, and unpacked within them where a host packed it unasked."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress

from aiohttp import ClientResponse

from cairn.images.fetch.answers import content_length
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.deadlines import Clock, SpeedGauge
from cairn.images.fetch.failures import LET_OUT, in_the_body
from cairn.images.pixels import Cause, PixelError

# A body past so many bytes needs a permit: a few are large at once, so that memory stays bounded.
BIG_BYTES = 2_000_000
# What comes is told to the bandwidth's keeper in such portions: the wait is for bandwidth, not for packets.
PORTION_BYTES = 65_536
# Packed at best 1 : 1,032, so that a step makes at most 17 MB.
PACKED_STEP_BYTES = 16_384
MOST_CODINGS = 2
LEFTOVER_BYTES = 65_536
LEFTOVER_S = 1.0
# While nothing comes, the connection is looked at so often.
LOOK_S = 0.5
_GZIP_OR_ZLIB = 47
_BARE_DEFLATE = -15

Paced = Callable[[int], Awaitable[None]]


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
    most_bytes: int,
    clock: Clock,
    gauge: SpeedGauge,
    permits: asyncio.Semaphore,
    paced: Paced | None,
) -> bytes:
    """The bytes of a body, of which `chunks` are the parts as they come.

    Raises PixelError (TOO_MANY_BYTES) past `most_bytes`, FetchError (TOO_SLOW) below the gauge's speed.
    """
    parts: list[bytes] = []
    total = told = 0
    has_permit = False
    try:
        async for part in chunks:
            parts.append(part)
            total += len(part)
            if total > most_bytes:
                raise too_many_bytes(total, most_bytes)
            gauge.came(total, now=clock.now())
            if total > BIG_BYTES and not has_permit:
                async with clock.stopped():
                    has_permit = await permits.acquire()
            if paced and total - told >= PORTION_BYTES:
                async with clock.stopped():
                    await paced(total - told)
                told = total
        if paced and total > told:
            async with clock.stopped():
                await paced(total - told)
        return parts[0] if len(parts) == 1 else b"".join(parts)
    finally:
        if has_permit:
            permits.release()


async def read_leftover(response: ClientResponse) -> None:
    """Read an answer without a photo to its end, if that is little and soon, so that its connection can be used again."""
    total = 0
    if (content_length(response.headers) or 0) > LEFTOVER_BYTES:
        return
    with suppress(FetchError, TimeoutError):
        async with asyncio.timeout(LEFTOVER_S):
            async for part in parts_of(response, silence_s=LEFTOVER_S):
                total += len(part)
                if total > LEFTOVER_BYTES:
                    return


def too_many_bytes(size_bytes: int, most_bytes: int) -> PixelError:
    """The error for a body that is larger than allowed."""
    return PixelError(
        Cause.TOO_MANY_BYTES,
        f"the photo has {size_bytes:,} bytes or more; at most {most_bytes:,} were expected; raise --max-bytes",
    )


async def unpacked(content: bytes, codings: list[str], *, most_bytes: int) -> bytes:
    """`content` as it was before the host packed it.

    codings: outermost first, as `answers.content_codings` gives them.
    Raises FetchError: BROKEN for a coding that was not asked for and is not known, or for bytes that are not so packed; BOMB
    where more than `most_bytes` come out; CUT_OFF where the end is missing.
    """
    if len(codings) > MOST_CODINGS:
        raise FetchError(FetchCause.BROKEN, f"the body is packed {len(codings)} times")
    for coding in codings:
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise FetchError(FetchCause.BROKEN, f"the body is packed as {coding[:40]!r}, unasked")
        content = await _inflated(content, most_bytes=most_bytes)
    return content


async def _inflated(content: bytes, *, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    inflater = zlib.decompressobj(_window_bits(content))
    with memoryview(content) as view:
        for start in range(0, len(content), PACKED_STEP_BYTES):
            try:
                part = inflater.decompress(
                    view[start : start + PACKED_STEP_BYTES], most_bytes - total + 1
                )
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
