"""The program of one decoding process; decoders.py starts it: python -m cairn.images.decoder.

It talks through its standard input, a socket, and ends when the other side has gone, however it went.
"""

import contextlib
import io
import os
import resource
import signal
import socket
from dataclasses import replace
from pathlib import Path

from PIL import Image

from cairn.images.decoder_words import (
    HEAD,
    LENGTH,
    READY,
    Orders,
    packed_image,
    packed_refusal,
    read_exactly,
)
from cairn.images.keeping import Fit, keep
from cairn.images.pixels import Cause, Limits, PixelError, upright

# A progressive JPEG wants 6 for its waves and 4 for its pixels, others less.
MOST_BYTES_PER_PIXEL = 12
OOM_SCORE = Path("/proc/self/oom_score_adj")
MEMORY = Path("/proc/self/statm")


def main() -> None:
    """Answer for one photo after another until nobody asks any more."""
    # Who stops the program drains it first; that is for the other side to decide.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(fileno=0) as talk, contextlib.suppress(EOFError, ConnectionError):
        orders = Orders.unpacked(read_exactly(talk, _length(talk)))
        _warm_up()
        _expect_the_worst()
        base_bytes = _address_space_bytes()
        talk.sendall(HEAD.pack(READY, 0))
        _hush()
        while True:
            n_bytes = _length(talk)
            # A photo's own bytes come on top, so that it can always be received.
            if base_bytes is not None:
                _limit(base_bytes + orders.memory_bytes + n_bytes)
            _answer(talk, read_exactly(talk, n_bytes), orders)


def _answer(talk: socket.socket, content: bytes, orders: Orders) -> None:
    # The system ends a process that is stuck in a library, also where nobody waits for it any more.
    signal.setitimer(signal.ITIMER_REAL, orders.deadline_s)
    answer = _said_of(content, orders)
    signal.setitimer(signal.ITIMER_REAL, 0)
    talk.sendall(answer)


def _said_of(content: bytes, orders: Orders) -> bytes:
    try:
        return packed_image(keep(content, fit=orders.fit, limits=orders.limits))
    except PixelError as error:
        if error.cause == Cause.UNREADABLE and _is_too_large(content, orders):
            return _out_of_memory(orders)
        return packed_refusal(error.cause, str(error))
    except MemoryError:
        return _out_of_memory(orders)
    # A fault of ours costs one photo too, and is told in the catalog's words.
    except Exception as error:  # noqa: BLE001
        return packed_refusal(
            Cause.CRASHED,
            f"decoding failed in Cairn itself ({type(error).__name__}: {error}); a photo or a cause was "
            "expected; please report it with the photo",
        )


def _is_too_large(content: bytes, orders: Orders) -> bool:
    """Whether memory may well be why a photo was unreadable; not all libraries say so when they get none."""
    limits = replace(orders.limits, max_pixels=orders.memory_bytes // MOST_BYTES_PER_PIXEL)
    try:
        upright(content, limits=limits, enough=lambda size_px: 1.0)
    except PixelError as error:
        return error.cause == Cause.TOO_MANY_PIXELS
    return False


def _out_of_memory(orders: Orders) -> bytes:
    return packed_refusal(
        Cause.OUT_OF_MEMORY,
        f"decoding wanted more than {orders.memory_bytes / 1e6:,.0f} MB of memory; a photo that needs less "
        "was expected; make it smaller or raise --decode-memory-mb",
    )


def _length(talk: socket.socket) -> int:
    (n_bytes,) = LENGTH.unpack(read_exactly(talk, LENGTH.size))
    return int(n_bytes)


def _warm_up() -> None:
    """Libraries are loaded, and have the memory that they keep, before memory is limited."""
    photo = io.BytesIO()
    Image.new("RGB", (64, 48), (90, 120, 150)).save(photo, "JPEG")
    keep(photo.getvalue(), fit=Fit(max_side_px=16), limits=Limits())


def _expect_the_worst() -> None:
    """A crash leaves no dump, and where the whole machine runs out of memory a photo is lost, not the program."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        OOM_SCORE.write_text("500")


def _address_space_bytes() -> int | None:
    """What this process has now; None on systems that tell it otherwise, and keep to no such limit either."""
    with contextlib.suppress(OSError):
        return int(MEMORY.read_text().split()[0]) * resource.getpagesize()
    return None


def _limit(address_space_bytes: int) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    is_free = most == resource.RLIM_INFINITY
    wanted = address_space_bytes if is_free else min(address_space_bytes, most)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def _hush() -> None:
    """Whatever libraries write to the error output from here on goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


if __name__ == "__main__":
    main()
