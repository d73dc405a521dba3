"""A wide-gamut ICC profile, written by hand: the base install brings none."""

import struct

# The primaries of Adobe RGB (1998) as the profile's D50 white sees them, and its gamma.
RED, GREEN, BLUE = (
    (0.60974, 0.31111, 0.01947),
    (0.20528, 0.62567, 0.06087),
    (0.14919, 0.06322, 0.74457),
)
WHITE = (0.9642, 1.0, 0.8249)
GAMMA = 2.19921875
HEADER_BYTES, ENTRY_BYTES = 128, 12


def wide_gamut_profile() -> bytes:
    """An ICC profile, version 2, of a display with the colours of Adobe RGB."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(GAMMA * 256)) + bytes(2)
    tags = {
        b"desc": _description("Wide gamut of the tests"),
        b"cprt": b"text" + bytes(4) + b"none\x00" + bytes(3),
        b"wtpt": _xyz(WHITE),
        b"rXYZ": _xyz(RED),
        b"gXYZ": _xyz(GREEN),
        b"bXYZ": _xyz(BLUE),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    table, bodies = struct.pack(">I", len(tags)), b""
    start = HEADER_BYTES + len(table) + ENTRY_BYTES * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(bodies), len(body))
        bodies += body
    return _header(start + len(bodies)) + table + bodies


def _header(n_bytes: int) -> bytes:
    made = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    white = struct.pack(">3i", *(round(number * 65536) for number in WHITE))
    head = struct.pack(">I4sI4s4s4s", n_bytes, bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += made + b"acsp" + bytes(28) + white
    return head.ljust(HEADER_BYTES, b"\x00")


def _xyz(numbers: tuple[float, float, float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(number * 65536) for number in numbers))


def _description(words: str) -> bytes:
    said = words.encode() + b"\x00"
    body = b"desc" + bytes(4) + struct.pack(">I", len(said)) + said + bytes(8 + 3 + 67)
    return body.ljust(-(-len(body) // 4) * 4, b"\x00")
