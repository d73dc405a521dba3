"""Processes that decode photos from outside: a crash, a bomb or an endless photo costs that one photo."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cairn.base.errors import CairnError
from cairn.images.decoder_words import HEAD, LENGTH, READY, Orders, unpacked_answer
from cairn.images.keeping import Fit, KeptImage
from cairn.images.pixels import Cause, Limits, PixelError, require_few_bytes

MOST_STARTS = 3
START_S = 60.0
# A process ends itself at its deadline; one that cannot even do that is ended after so much more.
GRACE_S = 1.0
PIECE_BYTES = 65_536
# An image that is kept may have more bytes than the photo had, but not so many more.
MOST_MORE_BYTES = 500_000_000
SOCKET_BYTES = 4_000_000
POLL_S = 0.01
END_S = 5.0
MOST_SAID = 500
PROGRAM = "cairn.images.decoder"
PACKAGES = Path(__file__).parents[2]
# One thread each: there are as many processes as processors. glibc would give the memory of each photo back
# and fetch it again for the next, which costs a fifth of the time; it keeps up to 64 MB instead.
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}


class Decoders:
    """`n` processes that turn bytes into images to keep, an asynchronous context manager.

    memory_bytes: what one photo may take in its process, besides its own bytes.
    deadline_s: how long one photo may take.
    Entering starts the processes; raises CairnError where they do not start. Leaving ends them; whoever still
    waits for a photo then is to be cancelled before.
    """

    def __init__(
        self, n: int, *, fit: Fit, limits: Limits, memory_bytes: int, deadline_s: float
    ) -> None:
        orders = Orders(fit, limits, memory_bytes, deadline_s)
        self._limits = limits
        self._all = [_Decoder(orders) for _ in range(n)]
        self._free: asyncio.LifoQueue[_Decoder] = asyncio.LifoQueue()

    async def __aenter__(self) -> Self:
        starts = [asyncio.create_task(decoder.start()) for decoder in self._all]
        try:
            await asyncio.gather(*starts)
        except BaseException:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)
            await self._end()
            raise
        for decoder in self._all:
            self._free.put_nowait(decoder)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._end()

    @property
    def process_ids(self) -> list[int]:
        """The ids of the processes that run."""
        return [decoder.process.pid for decoder in self._all if decoder.process is not None]

    async def keep(self, content: bytes) -> KeptImage:
        """What is kept of a photo, as `keeping.keep` says, once a process is free for it.

        Raises PixelError with its cause where the photo cannot be kept, and CairnError where a process
        that has to be replaced does not start again.
        """
        require_few_bytes(content, self._limits)
        decoder = await self._free.get()
        try:
            return await decoder.keep(content)
        finally:
            self._free.put_nowait(decoder)

    async def _end(self) -> None:
        await asyncio.gather(*(decoder.end() for decoder in self._all))


class _Decoder:
    """One process after another: where it is lost, the next photo starts another."""

    def __init__(self, orders: Orders) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._talk: socket.socket | None = None
        self._orders = orders
        self._has_worked = False
        self._lost: list[subprocess.Popen[bytes]] = []

    async def keep(self, content: bytes) -> KeptImage:
        """What is kept of a photo."""
        try:
            image = await self._answer(content)
        except PixelError as error:
            if error.cause != Cause.OUT_OF_MEMORY:
                self._has_worked = True
                raise
            had_worked = self._has_worked
            self.lose()
            if not had_worked:
                raise
            # What earlier photos left behind is to have no say: the verdict of a fresh process counts.
            image = await self.keep(content)
        self._has_worked = True
        return image

    async def start(self) -> None:
        """A process is ready, another one where the last has ended."""
        if self.process is not None and self.process.poll() is None:
            return
        self.lose()
        said = ""
        for _ in range(MOST_STARTS):
            try:
                await self._start()
                return
            except _NotStarted as error:
                said = str(error)
        raise CairnError(
            f"a decoding process did not start in {MOST_STARTS} tries: {said or 'it said nothing'}; one that "
            f"answers was expected of '{sys.executable} -m {PROGRAM}'; see that enough memory is free and "
            "that Cairn is installed whole, then run the same command again"
        )

    async def end(self) -> None:
        """No process is left; one that waits for a photo ends by itself."""
        if self._talk is not None and self.process is not None:
            self._talk.close()
            await _code_of(self.process)
        self.lose()
        for process in self._lost:
            await _code_of(process)

    def lose(self) -> None:
        """The process is ended at once, whatever it does."""
        if self._talk is not None:
            self._talk.close()
        if self.process is not None:
            self.process.kill()
            self._lost = [gone for gone in [*self._lost, self.process] if gone.poll() is None]
        self.process = self._talk = None
        self._has_worked = False

    async def _start(self) -> None:
        with tempfile.TemporaryFile() as errors:
            is_ready = False
            try:
                self.process, self._talk = _started(errors)
                async with asyncio.timeout(START_S):
                    await asyncio.get_running_loop().sock_sendall(self._talk, self._orders.packed())
                    is_ready = (await _reply(self._talk, most_bytes=MOST_MORE_BYTES))[:1] == READY
            except (OSError, EOFError) as error:
                if isinstance(error, TimeoutError):
                    raise _NotStarted(f"it was not ready after {START_S:.0f} s") from None
                if self.process is not None:
                    await _code_of(self.process)
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip()
                raise _NotStarted(said[-MOST_SAID:] or str(error)) from None
            finally:
                if not is_ready:
                    self.lose()

    async def _answer(self, content: bytes) -> KeptImage:
        await self.start()
        process, talk = self.process, self._talk
        if process is None or talk is None:
            raise RuntimeError("a decoding process that has started is there")
        answer = None
        try:
            async with asyncio.timeout(self._orders.deadline_s + GRACE_S):
                await _send(talk, content)
                answer = await _reply(talk, most_bytes=len(content) + MOST_MORE_BYTES)
        except TimeoutError:
            raise self._took_too_long() from None
        except (EOFError, ConnectionError):
            code = await _code_of(process)
            raise self._took_too_long() if code == -signal.SIGALRM else _crashed(code) from None
        finally:
            if answer is None:
                self.lose()
        try:
            return unpacked_answer(answer)
        except (struct.error, ValueError) as error:
            # A photo that has taken over its process gets no further than this.
            self.lose()
            raise _odd(error) from None

    def _took_too_long(self) -> PixelError:
        return PixelError(
            Cause.TOO_LONG,
            f"decoding took more than {self._orders.deadline_s:g} s; a photo that takes less was expected; "
            "make it smaller or raise --decode-s",
        )


class _NotStarted(Exception):
    """What a process said before it ended, or why there was none."""


def _crashed(code: int) -> PixelError:
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
    return PixelError(
        Cause.CRASHED,
        f"decoding ended its process ({name}); a photo that libraries can read was expected; remove it or "
        "save it anew with another program",
    )


def _odd(error: Exception) -> PixelError:
    return PixelError(
        Cause.CRASHED,
        f"the process that decodes gave an answer that is none ({error}); an image or a cause was expected; do not "
        "trust this photo",
    )


def _started(errors: IO[bytes]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A process that writes its errors to a file, and the socket to talk to it."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                # -P: what lies in the folder where the program was called is not to be taken for a library.
                [sys.executable, "-P", "-m", PROGRAM],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": _search_path()},
                # Ctrl-C in a terminal speaks to the whole group of the program.
                process_group=0,
            )
        except OSError:
            ours.close()
            raise
    for side in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        ours.setsockopt(socket.SOL_SOCKET, side, SOCKET_BYTES)
    ours.setblocking(False)
    return process, ours


def _search_path() -> str:
    given = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([str(PACKAGES), *([given] if given else [])])


async def _send(talk: socket.socket, content: bytes) -> None:
    length = LENGTH.pack(len(content))
    try:
        n_sent = talk.sendmsg([length, content])
    except BlockingIOError:
        n_sent = 0
    loop = asyncio.get_running_loop()
    if n_sent < len(length):
        await loop.sock_sendall(talk, length[n_sent:])
        n_sent = len(length)
    rest = memoryview(content)[n_sent - len(length) :]
    if rest:
        await loop.sock_sendall(talk, rest)


async def _reply(talk: socket.socket, *, most_bytes: int) -> bytes:
    """The next whole answer, its head included; raises EOFError where the process has ended, or says too much."""
    loop = asyncio.get_running_loop()
    pieces, n_there, n_bytes = [], 0, HEAD.size
    while n_there < n_bytes:
        piece = await loop.sock_recv(talk, PIECE_BYTES)
        if not piece:
            raise EOFError
        pieces.append(piece)
        n_there += len(piece)
        if n_bytes == HEAD.size and n_there >= HEAD.size:
            pieces = [b"".join(pieces)]
            n_bytes += HEAD.unpack_from(pieces[0])[1]
            if n_bytes > most_bytes:
                raise EOFError
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _code_of(process: subprocess.Popen[bytes]) -> int:
    """How a process ended that is about to; one that does not is ended."""
    for _ in range(round(END_S / POLL_S)):
        code = process.poll()
        if code is not None:
            return code
        await asyncio.sleep(POLL_S)
    process.kill()
    return process.wait()
