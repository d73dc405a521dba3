"""What decoders.py and its processes say to each other: orders, photos, and what became of them.

Numbers and bytes only, never pickled objects: a photo that takes over a process gets no further than that.
"""

import json
import socket
import struct
from dataclasses import asdict, dataclass

from cairn.images.keeping import SUFFIX, Fit, KeptImage
from cairn.images.pixels import Cause, Limits, PixelError

READY, KEPT, REFUSED = b"+", b"K", b"R"
# What kind of answer, and the number of bytes that follow.
HEAD = struct.Struct("<cI")
LENGTH = struct.Struct("<I")
_IMAGE = struct.Struct("<5sII32s32s64s")


@dataclass(frozen=True)
class Orders:
    """By what a decoding process works.

    memory_bytes: how much it may take besides what it has when it starts and the photo's own bytes.
    deadline_s: after so long over one photo it ends itself.
    """

    fit: Fit
    limits: Limits
    memory_bytes: int
    deadline_s: float

    def packed(self) -> bytes:
        """The orders as bytes, their length before them."""
        said = json.dumps(asdict(self)).encode()
        return LENGTH.pack(len(said)) + said

    @classmethod
    def unpacked(cls, said: bytes) -> "Orders":
        """The orders that were packed, without their length."""
        read = json.loads(said)
        return cls(Fit(**read.pop("fit")), Limits(**read.pop("limits")), **read)


def packed_image(image: KeptImage) -> bytes:
    """The answer that a photo is kept."""
    known = _IMAGE.pack(
        image.suffix.encode(),
        image.width_px,
        image.height_px,
        bytes.fromhex(image.digest),
        bytes.fromhex(image.kept_digest),
        image.likeness,
    )
    return b"".join([HEAD.pack(KEPT, len(known) + len(image.content)), known, image.content])


def packed_refusal(cause: Cause, message: str) -> bytes:
    """The answer that a photo is refused, and why."""
    said = f"{cause}\n{message}".encode("utf-8", "backslashreplace")
    return HEAD.pack(REFUSED, len(said)) + said


def unpacked_answer(answer: bytes) -> KeptImage:
    """The image that a whole answer, its head included, says is kept.

    Raises PixelError where it says that the photo is refused, ValueError or struct.error where it is no answer.
    """
    kind, _ = HEAD.unpack_from(answer)
    if kind not in (KEPT, REFUSED):
        raise ValueError(f"no answer begins with {kind!r}")
    if kind == REFUSED:
        cause, _, message = answer[HEAD.size :].decode().partition("\n")
        raise PixelError(Cause(cause), message)
    suffix, width_px, height_px, digest, kept_digest, likeness = _IMAGE.unpack_from(
        answer, HEAD.size
    )
    ending = suffix.rstrip(b"\0").decode()
    if ending not in SUFFIX.values():
        raise ValueError(f"no image is called {ending!r}")
    return KeptImage(
        content=answer[HEAD.size + _IMAGE.size :],
        suffix=ending,
        width_px=width_px,
        height_px=height_px,
        digest=digest.hex(),
        kept_digest=kept_digest.hex(),
        likeness=likeness,
    )


def read_exactly(talk: socket.socket, n_bytes: int) -> bytes:
    """The next `n_bytes` of a socket that waits; raises EOFError where the other side has gone."""
    pieces = []
    while n_bytes:
        piece = talk.recv(n_bytes, socket.MSG_WAITALL)
        if not piece:
            raise EOFError
        pieces.append(piece)
        n_bytes -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
