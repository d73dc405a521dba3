"""Bytes written by hand: PNG files of any header, and zeros packed so that they take no time."""

import struct
import zlib
from collections.abc import Iterable
from functools import cache

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_RGB = 2
GZIP_BITS = zlib.MAX_WBITS + 16


def png(width: int, height: int, packed: bytes, *, depth: int = 8) -> bytes:
    """A PNG file with these packed rows, whatever they are."""
    header = struct.pack(">IIBBBBB", width, height, depth, PNG_RGB, 0, 0, 0)
    return PNG_SIGNATURE + b"".join(
        png_chunks([(b"IHDR", header), (b"IDAT", packed), (b"IEND", b"")])
    )


def png_chunks(parts: Iterable[tuple[bytes, bytes]]) -> Iterable[bytes]:
    """Each part as PNG files hold it: length, kind, body and checksum."""
    for kind, body in parts:
        yield struct.pack(">I", len(body)) + kind + body
        yield struct.pack(">I", zlib.crc32(kind + body))


@cache
def zeros_packed(n_bytes: int, *, wbits: int = zlib.MAX_WBITS) -> bytes:
    """`n_bytes` of zeros as zlib or gzip packs them, in a moment: one packed block, repeated."""
    block = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    repeated = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = packer.compress(bytes(n_bytes % block)) + packer.flush()
    body = repeated * (n_bytes // block) + rest
    if wbits > zlib.MAX_WBITS:
        # Of zeros, the CRC has no short cut; a wrong one is met only by who unpacked it all.
        return b"\x1f\x8b\x08\x00" + bytes(6) + body + struct.pack("<II", 0, n_bytes % 2**32)
    # Adler-32 of zeros: the low half stays 1, the high half counts them.
    return b"\x78\xda" + body + struct.pack(">HH", n_bytes % 65521, 1)
