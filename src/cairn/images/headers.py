"""What a file's own header says, read by us where the library would first make room for the whole image."""

import struct


def webp_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP file's canvas, for which its library makes room as soon as it opens it.

    None where `content` is no WebP file or too short to tell.
    """
    kind = content[12:16]
    if len(content) < 30 or content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        return None
    if kind == b"VP8X":
        return _of_three_bytes(content, 24) + 1, _of_three_bytes(content, 27) + 1
    if kind == b"VP8L":
        bits = int(struct.unpack_from("<I", content, 21)[0])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    return None


def gif_frames(content: bytes, *, at_most: int) -> int:
    """The number of frames of a GIF file, counted no further than one more than `at_most`."""
    place, count = 13 + _palette_bytes(content, 10), 0
    while place < len(content) and count <= at_most:
        block = content[place]
        if block == 0x2C:
            count += 1
            place += 11 + _palette_bytes(content, place + 9)
        elif block == 0x21:
            place += 2
        else:
            break
        # Data follow in pieces, each with its length before it; a length of 0 ends them.
        while place < len(content) and content[place]:
            place += content[place] + 1
        place += 1
    return count


def _of_three_bytes(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 3], "little")


def _palette_bytes(content: bytes, place: int) -> int:
    flags = content[place] if place < len(content) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
