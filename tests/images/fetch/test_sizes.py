from urllib.parse import quote

import pytest

from cairn.base.settings import DownloadSettings
from cairn.images.fetch.rules import HostRule, HostRules, SizeKind
from cairn.images.fetch.sizes import _WAYS, smaller_address

RULES = HostRules.read(settings=DownloadSettings())
COMMONS = "https://upload.wikimedia.org/wikipedia/commons"
GOOGLE = "https://lh3.googleusercontent.com"


def smaller(url: str, side_px: int = 1024) -> str | None:
    return smaller_address(url, rule=RULES.of(url.split("/")[2]), side_px=side_px)


def test_every_kind_of_the_table_has_a_way() -> None:
    assert set(_WAYS) == set(SizeKind)


def test_a_host_that_offers_nothing_is_asked_for_what_the_list_says() -> None:
    assert smaller_address(f"{GOOGLE}/a/s1600/", rule=HostRule(), side_px=256) is None


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("/-igp/ROV/AAA/Jzi/s1600/", "/-igp/ROV/AAA/Jzi/s1024/"),
        ("/-igp/ROV/AAA/Jzi/s1600/IMG%201.JPG", "/-igp/ROV/AAA/Jzi/s1024/IMG%201.JPG"),
        ("/img/b/R29/AVv/s0/x.jpg", "/img/b/R29/AVv/s1024/x.jpg"),
        ("/img/b/R29/AVv/w1600-h1200/x.jpg", "/img/b/R29/AVv/w1024-h1024/x.jpg"),
        ("/img/b/R29/AVv/w1600-h1200-rw/x.jpg", "/img/b/R29/AVv/w1024-h1024-rw/x.jpg"),
        ("/img/b/R29/AVv/w1600-h400/x.jpg", "/img/b/R29/AVv/w1024-h400/x.jpg"),
        ("/img/b/R29/AVv/s1600-c/x.jpg", "/img/b/R29/AVv/s1024-c/x.jpg"),
        ("/AF1Qip=s2048", "/AF1Qip=s1024"),
        ("/p/AF1Qip=w2048-h1536-k-no", "/p/AF1Qip=w1024-h1024-k-no"),
        ("/p/AF1Qip=w2048", "/p/AF1Qip=w1024"),
        ("/AF1Qip=s0", "/AF1Qip=s1024"),
        ("/AF1Qip=s0-d", "/AF1Qip=s1024-d"),
        ("/AF1Qip=d", "/AF1Qip=s1024"),
    ],
)
def test_a_size_in_a_google_address_is_brought_down(listed: str, asked: str) -> None:
    assert smaller(GOOGLE + listed) == GOOGLE + asked


@pytest.mark.parametrize(
    "listed",
    [
        "/-igp/ROV/AAA/Jzi/s512/",
        "/-igp/ROV/AAA/Jzi/s1024/x.jpg",
        "/AF1Qip=s256",
        "/AF1Qip",
        "/AF1Qip=",
        "/s1600/x.jpg",
        "/-igp/ROV/AAA/Jzi/s1600/x.jpg?imgmax=800",
        "/p/AF1Qip=w2048-h1536-n",
        "/p/AF1Qip=w2048-h1536-p-k-no",
        "/p/AF1Qip=fcrop64=1,00000000ffffffff",
        "/p/AF1Qip=m37",
        "/photos/original/1.jpg",
    ],
)
def test_a_google_address_that_asks_for_no_more_or_might_crop_stays(listed: str) -> None:
    assert smaller(GOOGLE + listed) is None


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("a/ab/N.jpg", "a/ab/N.jpg/1280px-N.jpg"),
        ("a/ab/N.JPG", "a/ab/N.JPG/1280px-N.JPG"),
        ("a/ab/N.jpeg", "a/ab/N.jpeg/1280px-N.jpeg"),
        ("0/0b/A_%26_%22B%22.png", "0/0b/A_%26_%22B%22.png/1280px-A_%26_%22B%22.png"),
        ("0/0b/N.gif", "0/0b/N.gif/1280px-N.gif"),
        ("0/0b/N.svg", "0/0b/N.svg/1280px-N.svg.png"),
        ("0/0b/N.webp", "0/0b/N.webp/1280px-N.webp.png"),
        ("0/0b/N.tif", "0/0b/N.tif/lossy-page1-1280px-N.tif.jpg"),
        ("0/0b/N.TIFF", "0/0b/N.TIFF/lossy-page1-1280px-N.TIFF.jpg"),
    ],
)
def test_an_original_of_wikimedia_has_a_thumbnail_that_is_wide_enough(
    listed: str, asked: str
) -> None:
    assert smaller(f"{COMMONS}/{listed}") == f"{COMMONS}/thumb/{asked}"


@pytest.mark.parametrize(
    "listed",
    [
        "a/ab/N.ogv", "a/ab/N.pdf", "a/ab/N", "archive/a/ab/2010!N.jpg", "a/ab/N.jpg?x=1",
        "thumb/a/ab/N.jpg/1280px-N.jpg", "thumb/a/ab/N.jpg/120px-N.jpg", "thumb/a/ab/N.jpg/N.jpg",
    ],
)  # fmt: skip
def test_what_has_no_thumbnail_or_is_a_small_one_stays(listed: str) -> None:
    assert smaller(f"{COMMONS}/{listed}") is None


@pytest.mark.parametrize(
    ("side_px", "width"), [(16, 20), (256, 330), (1024, 1280), (1280, 1280), (2048, 3840)]
)
def test_the_narrowest_width_that_is_wide_enough_is_asked_for(side_px: int, width: int) -> None:
    asked = f"{COMMONS}/thumb/a/ab/N.jpg/{width}px-N.jpg"
    assert smaller(f"{COMMONS}/a/ab/N.jpg", side_px) == asked


def test_more_than_the_widest_thumbnail_is_the_original() -> None:
    assert smaller(f"{COMMONS}/a/ab/N.jpg", 4000) is None


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ("3840px-N.jpg", "1280px-N.jpg"),
        ("lossy-page1-3840px-N.tif.jpg", "lossy-page1-1280px-N.tif.jpg"),
        ("5000px-N.svg.png", "1280px-N.svg.png"),
        ("800px-N.jpg", "960px-N.jpg"),
        ("640px-N.jpg", "960px-N.jpg"),
    ],
)
def test_a_thumbnail_is_asked_for_at_a_width_that_is_served_and_no_wider_than_needed(
    listed: str, asked: str
) -> None:
    folder = f"{COMMONS}/thumb/a/ab/N"
    assert smaller(f"{folder}/{listed}") == f"{folder}/{asked}"


def test_a_long_name_is_shortened_as_wikimedia_does() -> None:
    long = quote("ä" * 81 + ".tif")
    asked = smaller(f"{COMMONS}/a/ab/{long}")
    assert asked == f"{COMMONS}/thumb/a/ab/{long}/lossy-page1-1280px-thumbnail.tif.jpg"
    assert smaller(f"{COMMONS}/a/ab/{'a' * 156}.jpg") == (
        f"{COMMONS}/thumb/a/ab/{'a' * 156}.jpg/1280px-{'a' * 156}.jpg"
    )


def test_a_file_path_takes_its_width_as_a_query() -> None:
    page = "https://commons.wikimedia.org/wiki/Special:FilePath/N.jpg"
    assert smaller(page) == f"{page}?width=1280"
    assert smaller(f"{page}?width=3000") == f"{page}?width=1280"
    assert smaller(f"{page}?width=300") == f"{page}?width=330"
    assert smaller(f"{page}?width=1280") is None
    assert smaller(f"{page}?download") is None
