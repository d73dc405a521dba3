"""What the hostile server can answer: each function here makes one way of treating a request."""

import asyncio
import gzip
import time
import zlib
from email.utils import formatdate

from tests.hostile.exchanges import Answer, Exchange, head
from tests.hostile.packing import GZIP_BITS, zeros_packed
from tests.hostile.photos import Photo

DRIP_S = 1.0
TRICKLE_S = 0.1
PIECE = bytes(1 << 16)


async def whole(exchange: Exchange, photo: Photo) -> None:
    """The photo, as it should be sent."""
    await exchange.reply(200, photo.content, media_type=photo.media_type)


def with_headers(*headers: str, status: int = 200) -> Answer:
    """The photo, with further headers."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.reply(status, photo.content, headers=headers)

    return answer


def says(status: int, *headers: str, body: bytes = b"Sorry.\n") -> Answer:
    """A status, and no photo."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        kept = b"" if status in (204, 304) else body
        await exchange.reply(status, kept, media_type="text/html", headers=headers)

    return answer


def first(*before: Answer, then: Answer = whole) -> Answer:
    """Each of these answers once, in turn, and `then` from there on."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        turn = exchange.number - 1
        await (before[turn] if turn < len(before) else then)(exchange, photo)

    return answer


def busy_until(seconds: float) -> Answer:
    """503 with the moment, as an HTTP date, from which the host wants to be asked again."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        moment = formatdate(time.time() + seconds, usegmt=True)
        await exchange.reply(503, headers=(f"Retry-After: {moment}",))

    return answer


def moved(status: int, location: str) -> Answer:
    """A redirect, and the photo where it leads: `location` may name the server's ports and the case."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        if exchange.asked.path.endswith("/good.jpg"):
            await whole(exchange, photo)
            return
        await exchange.reply(status, headers=(f"Location: {exchange.fill(location)}",))

    return answer


def moved_on(times: int) -> Answer:
    """So many redirects, one after the other, and the photo at their end."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        steps = exchange.asked.path.rsplit("/", 1)[-1]
        done = int(steps) if steps.isdecimal() else 0
        if done == times:
            await whole(exchange, photo)
        else:
            await exchange.reply(302, headers=(exchange.fill(f"Location: /{{slug}}/{done + 1}"),))

    return answer


def sends(content: bytes) -> Answer:
    """These raw bytes, and the end of the connection."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.send(content)

    return answer


def lengths(*claims: str, share: float = 1.0) -> Answer:
    """The photo under these Content-Length headers, `{size}` being the truth; only a share of it is sent."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        size = len(photo.content)
        told = [claim.format(size=size, more=size + 5000, less=size // 2) for claim in claims]
        headers = [f"Content-Length: {claim}" for claim in told]
        # In one go: what is too much must be there when the end that was told comes.
        said = head(200, "Content-Type: image/jpeg", *headers)
        await exchange.send(said + photo.content[: int(size * share)])

    return answer


def without_length(version: str = "1.1", share: float = 1.0) -> Answer:
    """The photo, whose end is that of the connection."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.send(f"HTTP/{version} 200\r\nContent-Type: image/jpeg\r\n\r\n".encode())
        await exchange.send(photo.content[: int(len(photo.content) * share)])

    return answer


def chunked(*, last: bytes = b"0\r\n\r\n") -> Answer:
    """The photo in chunks of 1,000 bytes, and then `last`."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.send(head(200, "Transfer-Encoding: chunked"))
        for start in range(0, len(photo.content), 1000):
            piece = photo.content[start : start + 1000]
            await exchange.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await exchange.send(last)

    return answer


def packed(encoding: str, *, cut_bytes: int = 0, wbits: int = GZIP_BITS) -> Answer:
    """The photo, packed although nobody asked for that."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        packer = zlib.compressobj(6, zlib.DEFLATED, wbits)
        content = packer.compress(photo.content) + packer.flush()
        body = content[: len(content) - cut_bytes]
        await exchange.reply(200, body, headers=(f"Content-Encoding: {encoding}",))

    return answer


def packed_twice() -> Answer:
    """The photo, packed by gzip and then once more."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        body = gzip.compress(gzip.compress(photo.content))
        await exchange.reply(200, body, headers=("Content-Encoding: gzip, gzip",))

    return answer


def not_packed() -> Answer:
    """The photo as it is, with a header that says that it is packed."""
    return with_headers("Content-Encoding: gzip")


def bomb(n_bytes: int) -> Answer:
    """A little gzip that unpacks to very much."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        body = zeros_packed(n_bytes, wbits=GZIP_BITS)
        await exchange.reply(200, body, headers=("Content-Encoding: gzip",))

    return answer


def endless(*headers: str, is_chunked: bool = False) -> Answer:
    """A body without an end, as fast as it is taken."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        framing = ("Transfer-Encoding: chunked",) if is_chunked else ()
        await exchange.send(head(200, *framing, *headers) + (b"" if is_chunked else photo.content))
        piece = f"{len(PIECE):x}\r\n".encode() + PIECE + b"\r\n" if is_chunked else PIECE
        while True:
            await exchange.send(piece)

    return answer


def announced(n_bytes: int) -> Answer:
    """A head that announces so many bytes, and a first piece of them."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.send(head(200, f"Content-Length: {n_bytes}") + PIECE)
        await asyncio.sleep(DRIP_S)

    return answer


def drips(bytes_per_s: float, *, pause_s: float = DRIP_S) -> Answer:
    """The photo at a steady, slow pace."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        await exchange.send(head(200, f"Content-Length: {len(photo.content)}"))
        step = max(1, round(bytes_per_s * pause_s))
        for start in range(0, len(photo.content), step):
            await exchange.send(photo.content[start : start + step])
            await asyncio.sleep(pause_s)

    return answer


def drips_headers() -> Answer:
    """A head that comes byte by byte."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        for byte in head(200, f"Content-Length: {len(photo.content)}"):
            await exchange.send(bytes([byte]))
            await asyncio.sleep(TRICKLE_S * 5)
        await exchange.send(photo.content)

    return answer


def goes_silent(*, after: float | None) -> Answer:
    """The head and this share of the photo, then nothing more; None: nothing at all."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        if after is not None:
            size = len(photo.content)
            await exchange.send(head(200, f"Content-Length: {size}"))
            await exchange.send(photo.content[: int(size * after)])
        await asyncio.Event().wait()

    return answer


def hints_forever() -> Answer:
    """Answers that only announce an answer (103), one after the other."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        while True:
            await exchange.send(head(103))
            await asyncio.sleep(TRICKLE_S)

    return answer


def header_bomb(count: int, value_bytes: int) -> Answer:
    """So many headers of such a length."""

    async def answer(exchange: Exchange, photo: Photo) -> None:
        value = "x" * value_bytes
        headers = (f"X-Header-{number}: {value}" for number in range(count))
        await exchange.send(head(200, *headers, f"Content-Length: {len(photo.content)}"))
        await exchange.send(photo.content)

    return answer


async def reset(exchange: Exchange, photo: Photo) -> None:
    """The connection ends at once, without a word."""
