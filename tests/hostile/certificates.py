"""A self-signed certificate made in code: enough elliptic curve and DER for a server that nobody should trust."""

import base64
import hashlib
import textwrap

# NIST P-256, FIPS 186-4.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5
EC_KEY, P256, ECDSA_SHA256, COMMON_NAME = (
    bytes.fromhex(digits)
    for digits in ("2a8648ce3d0201", "2a8648ce3d030107", "2a8648ce3d040302", "550403")
)
INTEGER, BITS, OCTETS, NAME, TEXT, TIME, SEQUENCE, SET = 2, 3, 4, 6, 12, 24, 48, 49
Point = tuple[int, int] | None


def self_signed(name: str) -> str:
    """PEM text of a private key and of a certificate that it signed itself; no secret, and of no worth."""
    secret = int.from_bytes(hashlib.sha256(b"a key of the tests").digest(), "big") % N
    public = _uncompressed(_times(secret, (GX, GY)))
    algorithm = _der(SEQUENCE, _der(NAME, ECDSA_SHA256))
    subject = _der(
        SEQUENCE,
        _der(SET, _der(SEQUENCE, _der(NAME, COMMON_NAME) + _der(TEXT, name.encode()))),
    )
    lasts = _der(SEQUENCE, _der(TIME, b"20200101000000Z") + _der(TIME, b"21200101000000Z"))
    curve = _der(SEQUENCE, _der(NAME, EC_KEY) + _der(NAME, P256))
    key = _der(SEQUENCE, curve + _der(BITS, b"\x00" + public))
    said = _der(SEQUENCE, _number(1) + algorithm + subject + lasts + subject + key)
    signature = _der(BITS, b"\x00" + _signed(said, secret))
    certificate = _der(SEQUENCE, said + algorithm + signature)
    private = _der(
        SEQUENCE,
        _number(1) + _der(OCTETS, secret.to_bytes(32, "big")) + _der(0xA0, _der(NAME, P256)),
    )
    return _pem("EC PRIVATE KEY", private) + _pem("CERTIFICATE", certificate)


def _signed(said: bytes, secret: int) -> bytes:
    """ECDSA with a nonce drawn from what is said: good for one certificate of a test."""
    digest = int.from_bytes(hashlib.sha256(said).digest(), "big")
    nonce = int.from_bytes(hashlib.sha256(b"nonce" + said).digest(), "big") % N
    point = _times(nonce, (GX, GY))
    assert point is not None
    r = point[0] % N
    s = pow(nonce, -1, N) * (digest + r * secret) % N
    return _der(SEQUENCE, _number(r) + _number(s))


def _added(one: Point, other: Point) -> Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P) % P
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P) % P
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def _times(count: int, point: Point) -> Point:
    total: Point = None
    while count:
        total = _added(total, point) if count & 1 else total
        point, count = _added(point, point), count >> 1
    return total


def _uncompressed(point: Point) -> bytes:
    assert point is not None
    return b"\x04" + b"".join(number.to_bytes(32, "big") for number in point)


def _number(value: int) -> bytes:
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(kind: int, body: bytes) -> bytes:
    if len(body) < 128:
        return bytes([kind, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([kind, 0x80 | len(size)]) + size + body


def _pem(title: str, body: bytes) -> str:
    lines = textwrap.fill(base64.b64encode(body).decode(), 64)
    return f"-----BEGIN {title}-----\n{lines}\n-----END {title}-----\n"
