from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from cairn.images.fetch.answers import (
    content_codings,
    content_length,
    next_address,
    retry_after_s,
    total_bytes,
)
from cairn.images.fetch.causes import FetchCause, FetchError

NOW = datetime(2024, 5, 1, 12, 0, 0, tzinfo=UTC)


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 1.5 ", 1.5),
        ("-5", 0),
        ("Wed, 01 May 2024 12:01:00 GMT", 60),
        ("Wed, 01 May 2024 14:01:00 +0200", 60),
        ("Wed, 01 May 2024 12:01:00 -0000", 60),
        ("Wed, 01 May 2024 11:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("Wed, 99 May 2024 12:01:00 GMT", None),
    ],
)
def test_the_time_to_come_back_is_read_in_either_form(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, now=NOW) == seconds


@given(st.text(max_size=40))
def test_the_time_to_come_back_is_read_from_wild_text(value: str) -> None:
    seconds = retry_after_s(value, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.text(max_size=40))
def test_a_wild_location_is_an_address_or_a_fetch_error(location: str) -> None:
    try:
        url = next_address("http://photos.test/a", 302, headers(("Location", location)))
    except FetchError:
        return
    assert url.startswith(("http://", "https://"))


def test_a_location_in_utf_8_bytes_is_understood() -> None:
    said = "/münchen.jpg".encode().decode("ascii", "surrogateescape")
    url = next_address("http://photos.test/a", 302, headers(("Location", said)))
    assert url == "http://photos.test/m%C3%BCnchen.jpg"


@pytest.mark.parametrize(
    ("said", "length"), [("12", 12), ("", None), ("-1", None), ("²", None), ("9" * 30, None)]
)
def test_the_length_of_a_body_is_a_number_or_unknown(said: str, length: int | None) -> None:
    assert content_length(headers(("Content-Length", said))) == length


def test_codings_are_named_from_the_outside_in() -> None:
    said = headers(("Content-Encoding", "deflate, identity"), ("Content-Encoding", " GZIP"))
    assert content_codings(said) == ["gzip", "deflate"]
    assert content_codings(headers()) == []


def test_the_size_of_the_whole_file_is_told_by_either_status() -> None:
    assert total_bytes(200, headers(("Content-Length", "9")), start=5) == 9
    assert total_bytes(206, headers(("Content-Range", "bytes 5-8/9")), start=5) == 9
    assert total_bytes(206, headers(("Content-Range", "bytes 5-8/*")), start=5) is None


@pytest.mark.parametrize("said", ["bytes 4-8/9", "items 5-8/9", "bytes */9", ""])
def test_another_part_than_was_asked_for_is_refused(said: str) -> None:
    with pytest.raises(FetchError, match="from byte 5") as caught:
        total_bytes(206, headers(("Content-Range", said)), start=5)
    assert caught.value.cause is FetchCause.BROKEN
