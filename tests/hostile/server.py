"""The hostile server: real sockets on the loopback, in a thread of its own, answering as docs/hostile.md tells."""

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from tests.hostile.cases import Case, by_slug, make_photos
from tests.hostile.certificates import self_signed
from tests.hostile.exchanges import Asked, Book, Exchange
from tests.hostile.names import LOOPBACK, PUBLIC_FACE, Names

HEAD_LIMIT_BYTES = 1 << 17
LONGEST_CONNECTION_S = 60.0
STOP_S = 10.0
TLS_HELLO = 0x16


class HostileServer:
    """A context in which a server answers each case as docs/hostile.md tells, and fake names lead to it.

    It listens on the loopback only, gives each connection a minute and 64 MB at most, and ends with the context.
    book: the requests that came. names: the lookups that were asked for. has_public_face: whether it is
    also reached at an address that the list of private addresses takes for a public one.
    """

    def __init__(self) -> None:
        self.book = Book()
        self.names = Names()
        self.ports: dict[str, int] = {}
        self.has_public_face = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile", daemon=True)
        self._conversations: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        make_photos()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(STOP_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.names.release()
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()
        for held in self._held:
            held.close()

    def url(self, case: Case, number: int = 1) -> str:
        """The address that the list gives in the row of this number of the case's rows."""
        return self.filled(case.rows[number - 1].address, case.slug, number)

    def filled(self, template: str, slug: str, number: int = 1) -> str:
        """`template` with the server's ports, the case's slug and the row's number for the words in braces."""
        words = {"slug": slug, "n": str(number)}
        words |= {name: str(port) for name, port in self.ports.items()}
        for word, value in words.items():
            template = template.replace(f"{{{word}}}", value)
        return template

    def lookup(self, host: str, port: int) -> Sequence[str]:
        """What the fake DNS says of a name; raises socket.gaierror where it knows none, and may hang."""
        return self.names.lookup(host, port)

    async def _start(self) -> None:
        main = socket.create_server((LOOPBACK, 0), backlog=256)
        self.ports["port"] = main.getsockname()[1]
        await self._serve(main)
        # Other systems have 127.0.0.1 only; what needs the second face is left out there.
        with contextlib.suppress(OSError):
            face = socket.create_server((PUBLIC_FACE, self.ports["port"]), backlog=256)
            await self._serve(face)
            self.has_public_face = True
        secure = socket.create_server((LOOPBACK, 0))
        self.ports["tls_port"] = secure.getsockname()[1]
        await self._serve(secure, _untrusted())
        # Bound, but nobody listens: connections are refused, and nobody else gets the port.
        self.ports["closed_port"], _ = self._hold()
        self.ports["mute_port"], mute = self._hold()
        mute.listen(64)
        self.ports["full_port"], full = self._hold()
        full.listen(0)
        self._fill(self.ports["full_port"])

    async def _serve(self, listener: socket.socket, context: ssl.SSLContext | None = None) -> None:
        served = await asyncio.start_server(
            self._met, sock=listener, limit=HEAD_LIMIT_BYTES, ssl=context
        )
        self._servers.append(served)

    def _hold(self) -> tuple[int, socket.socket]:
        held = socket.socket()
        held.bind((LOOPBACK, 0))
        self._held.append(held)
        return held.getsockname()[1], held

    def _fill(self, port: int) -> None:
        """Takes the places in a listener's queue, so that further connections are left waiting."""
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex((LOOPBACK, port))
            self._held.append(waiting)

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        # One more turn, in which the transports that were closed let go of their sockets.
        await asyncio.sleep(0)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        # What the client does to us is its affair: it is judged by what it makes of the photos.
        broken = (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError)
        try:
            with contextlib.suppress(*broken):
                async with asyncio.timeout(LONGEST_CONNECTION_S):
                    while await self._answered(reader, writer):
                        pass
        except asyncio.CancelledError:
            writer.transport.abort()
        else:
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may follow the one that was answered here."""
        start = await reader.readexactly(1)
        if start[0] == TLS_HELLO:
            writer.write(b"HTTP/1.1 400 Said\r\nConnection: close\r\n\r\n")
            return False
        asked = _read(start + await reader.readuntil(b"\r\n\r\n"), writer)
        with self.book.running(asked):
            number = len(self.book.of(asked.slug))
            exchange = Exchange(asked, number, writer, lambda text: self.filled(text, asked.slug))
            case = by_slug(asked.slug)
            if case is None:
                await exchange.reply(404)
            else:
                await case.answer(exchange, case.photo(case.number_of(asked.path)))
            return exchange.may_go_on


def _read(content: bytes, writer: asyncio.StreamWriter) -> Asked:
    """The request that these bytes are, which are told from one another as loosely as can be."""
    line, *rest = content.decode("latin-1").rstrip().split("\r\n")
    pairs = (header.partition(":") for header in rest)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    _, _, target = line.partition(" ")
    path = target.partition(" ")[0]
    return Asked(time.monotonic(), path, headers, writer.get_extra_info("sockname")[0])


def _untrusted() -> ssl.SSLContext:
    """TLS with a certificate that nobody has signed but itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        path = Path(folder, "both.pem")
        path.write_text(self_signed("photos.test"))
        context.load_cert_chain(path)
    return context
