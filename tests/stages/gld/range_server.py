"""A server of files by byte ranges on the loopback, with the faults that tests ask for, and a client for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cairn.images.fetch.client import Client, ClientSettings, Deadlines
from cairn.images.fetch.resolving import Resolver


@dataclass
class Served:
    """What is served and how badly; `asked` holds path and first byte of each request, `sent` all bytes of bodies.

    cut_at: the next answers break off at this byte of the file, one after another; pause_s: between
    chunks. slow_after: the next answers send a byte at a time from this byte of the file on.
    retry_after: what a refusal asks for.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    has_ranges: bool = True
    cut_at: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    has_length: bool = True
    heeds_if_range: bool = True
    pause_s: float = 0.0
    slow_after: list[int] = field(default_factory=list)
    retry_after: str = ""
    asked: list[tuple[str, int]] = field(default_factory=list)
    sent: int = 0
    base: str = ""

    def starts(self, path: str) -> list[int]:
        """The first byte of each request for `path`."""
        return [start for asked, start in self.asked if asked == path]


@contextmanager
def serving(served: Served) -> Iterator[Served]:
    """`served`, with its address in `base`, while the context lasts."""

    class Handler(_Handler):
        state = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    served.base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def no_wait(seconds: float) -> None:
    """Nothing."""


def client(*, silence_s: float = 5, least_bytes_per_s: float = 0) -> Client:
    """A client that may ask the loopback."""
    settings = ClientSettings(
        user_agent="test",
        allow_private=True,
        deadlines=Deadlines(
            connect_s=5,
            first_byte_s=5,
            silence_s=silence_s,
            photo_s=5,
            least_bytes_per_s=least_bytes_per_s,
        ),
    )
    return Client(settings, Resolver(allow_private=True, deadline_s=5))


class _Handler(BaseHTTPRequestHandler):
    state: Served
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        state = self.state
        path = self.path.removeprefix("/")
        content = state.files.get(path)
        start = self._start(path)
        state.asked.append((path, start))
        status = state.statuses.pop(0) if state.statuses else 200
        if content is None or status != 200:
            wait = {"Retry-After": state.retry_after} if state.retry_after else None
            self._refuse(404 if content is None else status, wait)
        elif start and start >= len(content):
            self._refuse(416, {"Content-Range": f"bytes */{len(content)}"})
        else:
            self._give(path, content, start)

    def _start(self, path: str) -> int:
        asked = self.headers.get("Range", "")
        if_range = self.headers.get("If-Range")
        is_other = if_range is not None and if_range != self.state.etags.get(path)
        if not asked or not self.state.has_ranges or (is_other and self.state.heeds_if_range):
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def _refuse(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def _give(self, path: str, content: bytes, start: int) -> None:
        state = self.state
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if state.has_length:
            self.send_header("Content-Length", str(len(content) - start))
        if path in state.etags:
            self.send_header("ETag", state.etags[path])
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        end = state.cut_at.pop(0) if state.cut_at else len(content)
        slow_after = state.slow_after.pop(0) if state.slow_after else end
        self._send(content[start : min(slow_after, end)], 1 << 16, state.pause_s)
        self._send(content[slow_after:end], 1, 0.02)

    def _send(self, content: bytes, at_once: int, pause_s: float) -> None:
        pause = threading.Event()
        for at in range(0, len(content), at_once):
            chunk = content[at : at + at_once]
            try:
                self.wfile.write(chunk)
            except OSError:
                return
            self.state.sent += len(chunk)
            pause.wait(pause_s)

    def log_request(self, *_: object) -> None:
        """Nothing is logged."""
