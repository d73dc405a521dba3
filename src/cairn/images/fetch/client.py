"""One guarded HTTP request at a time: checked addresses, deadlines, limits; redirects are handed back, not followed."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType, TracebackType

import aiohttp
from yarl import URL

from cairn.base.errors import InputError
from cairn.images.fetch.addresses import checked_address, host_of
from cairn.images.fetch.answers import (
    REDIRECTS,
    check_status,
    content_codings,
    content_length,
    is_bounded,
    next_address,
    total_bytes,
)
from cairn.images.fetch.bodies import (
    Budget,
    body_of,
    parts_of,
    read_leftover,
    too_many_bytes,
    unpacked,
)
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.fetch.connecting import (
    ClientSettings,
    http_session,
    proxy_address,
    tls_context,
)
from cairn.images.fetch.deadlines import Clock, Deadlines, Opening, SpeedGauge
from cairn.images.fetch.failures import LET_OUT, before_the_body
from cairn.images.fetch.keeping_alive import KeepingAlive
from cairn.images.fetch.optouts import opt_out
from cairn.images.fetch.resolving import Resolver

__all__ = ["Client", "ClientSettings", "Deadlines", "Reply", "Stream"]

Pace = Callable[[str, int], Awaitable[None]]
Came = Callable[[str, int], None]

# What bodies over 2 MB may fill together.
BIG_BODIES_BYTES = 256_000_000
MOST_REDIRECTS = 5
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def unnoticed(host: str, n_bytes: int) -> None:
    """Nothing: nobody counts."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A host's answer: a body, or the checked address to ask next.

    url: the address that was asked. location: the next one, where the host leads on; `content` is empty then.
    is_bounded: whether the host told where the body ends; otherwise it may have been cut off unnoticed.
    spent_s: seconds that the try has taken so far, those of earlier hops counted.
    """

    url: str
    status: int
    content: bytes
    location: str | None = None
    is_bounded: bool = True
    spent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Stream:
    """A large file as it comes.

    url: where it lies in the end. status: 206 where it comes from the byte asked for, 200 where from the first.
    total_bytes: of the whole file, if told. etag: what to give as `if_range` when asking for the rest.
    """

    url: str
    status: int
    total_bytes: int | None
    etag: str | None
    chunks: AsyncIterator[bytes]


class Client:
    """Asks hosts for photos, as `async with`; one for a whole run.

    pace: awaited with host and bytes while a body comes, to keep to a bandwidth; its waiting counts against no deadline.
    came: told of host and bytes of every body that `hop` reads, as they come over the wire, whatever becomes of them.
    The resolver is closed with the client.
    Raises InputError for settings that cannot be kept to.
    """

    def __init__(
        self, settings: ClientSettings, resolver: Resolver, *, pace: Pace | None = None,
        came: Came = unnoticed,
    ) -> None:  # fmt: skip
        if settings.allow_private != resolver.allow_private:
            raise InputError(
                f"allow_private is {settings.allow_private} for the client and {resolver.allow_private} for its resolver; "
                "the same was expected; give both the setting --allow-private"
            )
        self._settings = settings
        self._resolver = resolver
        self._pace, self._came = pace, came
        self._proxy = proxy_address(settings.proxy)
        self._tls = tls_context(settings.certificates)
        self._budget = Budget(max(BIG_BODIES_BYTES, 2 * settings.max_bytes))
        self._keeping_alive = KeepingAlive()
        self._open = AsyncExitStack()
        self._http: aiohttp.ClientSession | None = None

    @property
    def deadlines(self) -> Deadlines:
        """How long each stretch of a try may take."""
        return self._settings.deadlines

    async def __aenter__(self) -> "Client":
        self._open.push_async_callback(self._resolver.close)
        self._http = await self._open.enter_async_context(
            http_session(
                self._settings.user_agent, self._resolver, proxy=self._proxy, tls=self._tls
            )
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http = None
        await self._open.aclose()

    async def hop(
        self, url: str, *, headers: Mapping[str, str] = _NO_HEADERS, spent_s: float = 0.0
    ) -> Reply:
        """What the host answers at `url`, a checked address; redirects are handed back as `location`.

        headers: sent besides the client's own.
        spent_s: of the try's time, what is gone already: the `spent_s` of the reply that led here.
        Raises FetchError, and PixelError (TOO_MANY_BYTES) for a body over the limit.
        """
        host = host_of(url)
        async with (
            Clock(self._settings.deadlines, spent_s=spent_s) as clock,
            self._reached(url, {**self._keeping_alive.headers(host), **headers}) as response,
        ):
            status, came = response.status, partial(self._came, host)
            if status in REDIRECTS:
                location = next_address(url, status, response.headers)
                await read_leftover(response, came=came)
                return Reply(url, status, b"", location, spent_s=clock.spent_s)
            if not 200 <= status < 300:
                await read_leftover(response, came=came)
            check_status(status, response.headers)
            if status == 206 and "Range" not in headers:
                raise FetchError(FetchCause.CUT_OFF, "only a part came, unasked", http_status=206)
            self._check_opt_out(response)
            content = await self._body(response, host, clock)
            return Reply(url, status, content, is_bounded=is_bounded(status, response.headers))

    @asynccontextmanager
    async def stream(
        self, url: str, *, start: int = 0, if_range: str | None = None
    ) -> AsyncIterator[Stream]:
        """A large file at `url`, chunk by chunk, through up to five redirects, each address checked.

        start: the first byte wanted. if_range: the file's ETag as it was; the whole file comes (200) if it is another now.
        There is no limit of bytes and no deadline for all of it, but for the connection, the answer and silence; its
        speed is for who reads it.
        Raises FetchError, also while the chunks come.
        """
        headers = {"Accept": "*/*"}
        if start:
            headers["Range"] = f"bytes={start}-"
        if start and if_range:
            headers["If-Range"] = if_range
        url = checked_address(url)
        for _ in range(MOST_REDIRECTS + 1):
            async with self._reached(url, headers) as response:
                status, said = response.status, response.headers
                if status in REDIRECTS:
                    url = next_address(url, status, said)
                    continue
                check_status(status, said)
                if content_codings(said):
                    raise FetchError(
                        FetchCause.BROKEN, "the file is packed, unasked", http_status=status
                    )
                size = total_bytes(status, said, start=start)
                async with aclosing(
                    parts_of(response, silence_s=self._settings.deadlines.silence_s)
                ) as chunks:
                    yield Stream(url, status, size, said.get("ETag"), chunks)
                return
        raise FetchError(
            FetchCause.REDIRECTS, f"more than {MOST_REDIRECTS} redirects, last to {url}"
        )

    async def _check_host(self, url: str) -> None:
        parts = URL(url, encoded=True)
        host = parts.raw_host or ""
        if self._proxy:
            self._resolver.check_literal(host)
        else:
            await self._resolver.addresses(host, parts.port or 0)

    @asynccontextmanager
    async def _reached(
        self, url: str, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer of a host that may be asked, as far as its headers; afterwards its connection is free or closed."""
        if self._http is None:
            raise RuntimeError("the client is closed; use it inside `async with`")
        await self._check_host(url)
        async with Opening(self._settings.deadlines) as opening:
            try:
                response = await self._http.get(
                    URL(url, encoded=True),
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    trace_request_ctx=opening,
                )
            except LET_OUT as error:
                raise before_the_body(error) from error
        try:
            yield response
        finally:
            _let_go(response)

    def _check_opt_out(self, response: aiohttp.ClientResponse) -> None:
        if not self._settings.opt_out:
            return
        said = opt_out(response.headers.getall("X-Robots-Tag", ()))
        if said:
            raise FetchError(
                FetchCause.OPTED_OUT,
                f"the host says {said!r} in X-Robots-Tag",
                http_status=response.status,
            )

    async def _body(self, response: aiohttp.ClientResponse, host: str, clock: Clock) -> bytes:
        most_bytes = self._settings.max_bytes
        size_bytes = content_length(response.headers)
        if size_bytes is not None and size_bytes > most_bytes:
            raise too_many_bytes(size_bytes, most_bytes)
        codings = content_codings(response.headers)
        with self._budget.holding(clock) as holding:
            async with aclosing(
                parts_of(response, silence_s=self._settings.deadlines.silence_s)
            ) as chunks:
                content = await body_of(
                    chunks,
                    came=partial(self._came, host),
                    most_bytes=most_bytes,
                    clock=clock,
                    gauge=SpeedGauge(self._settings.deadlines, start=clock.now()),
                    holding=holding,
                    size_bytes=size_bytes,
                    paced=partial(self._pace, host) if self._pace else None,
                )
            return await unpacked(content, codings, most_bytes=most_bytes, holding=holding)


def _let_go(response: aiohttp.ClientResponse) -> None:
    """Free the connection of an answer that was read to its end; break off any other."""
    connection = response.connection
    if connection is not None and connection.transport is not None:
        # A farewell over TLS waits half a minute for a host that is silent.
        connection.transport.abort()
    response.release()
