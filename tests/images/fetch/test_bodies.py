import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.images.fetch.bodies import unpacked
from cairn.images.fetch.causes import FetchCause, FetchError


def unpack(content: bytes, *codings: str) -> bytes:
    return asyncio.run(unpacked(content, list(codings), most_bytes=1_000_000))


def refused(content: bytes, *codings: str) -> FetchCause:
    with pytest.raises(FetchError) as caught:
        unpack(content, *codings)
    return caught.value.cause


def bare(content: bytes) -> bytes:
    return zlib.compress(content, wbits=-15)


PHOTO = bytes(range(256)) * 100


@pytest.mark.parametrize(
    ("content", "codings"),
    [
        (gzip.compress(PHOTO), ["gzip"]),
        (gzip.compress(PHOTO) + b"\0\0", ["x-gzip"]),
        (zlib.compress(PHOTO), ["deflate"]),
        (bare(PHOTO), ["deflate"]),
        (gzip.compress(zlib.compress(PHOTO)), ["gzip", "deflate"]),
        (PHOTO, []),
    ],
)
def test_packed_photos_come_out_as_they_were(content: bytes, codings: list[str]) -> None:
    assert unpack(content, *codings) == PHOTO


def test_nothing_packed_is_nothing() -> None:
    assert unpack(b"", "gzip") == b""


def test_exactly_the_limit_passes_and_one_more_is_a_bomb() -> None:
    assert len(unpack(gzip.compress(bytes(1_000_000)), "gzip")) == 1_000_000
    assert refused(gzip.compress(bytes(1_000_001)), "gzip") is FetchCause.BOMB


def test_a_packed_body_without_its_end_is_cut_off() -> None:
    assert refused(gzip.compress(PHOTO)[:-9], "gzip") is FetchCause.CUT_OFF


@pytest.mark.parametrize(
    ("content", "codings"),
    [(PHOTO, ["gzip"]), (PHOTO, ["br"]), (gzip.compress(PHOTO), ["gzip"] * 3), (b"\x1f\x8b" + bytes(20), ["gzip"])],
)  # fmt: skip
def test_what_is_not_packed_as_told_is_broken(content: bytes, codings: list[str]) -> None:
    assert refused(content, *codings) is FetchCause.BROKEN


@given(st.binary(max_size=200))
def test_wild_bytes_unpack_or_have_a_cause(content: bytes) -> None:
    try:
        unpack(content, "deflate")
        unpack(b"\x1f\x8b\x08\0" + content, "gzip")
    except FetchError:
        return
