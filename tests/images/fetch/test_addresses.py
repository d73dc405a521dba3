import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.images.fetch.addresses import checked_address, host_of, is_public
from cairn.images.fetch.causes import FetchCause, FetchError

WILD = st.text(max_size=60) | st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", ""]),
    st.text("aZ.-_0x1７ß。:[]@%\\ \x00", max_size=20),
    st.sampled_from(["", "/", "?", "#", "/../", "\\"]),
    st.text("a/.%2F é\ud800?#[]|", max_size=20),
)


def refused(text: str) -> FetchCause:
    with pytest.raises(FetchError) as caught:
        checked_address(text)
    return caught.value.cause


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://photos.example", "http://photos.example/"),
        ("  HTTPS://Photos.Example:443/A.jpg#top ", "https://photos.example/A.jpg"),
        ("http://photos.example:8080?id=1", "http://photos.example:8080/?id=1"),
        ("http://photos.example./a", "http://photos.example/a"),
        ("http://photos.example/a b%zz%20é.jpg", "http://photos.example/a%20b%25zz%20%C3%A9.jpg"),
        ("http://photos.example/a/./b/../../../c/..", "http://photos.example/"),
        ("http://münchen.example/", "http://xn--mnchen-3ya.example/"),
        ("http://[2001:DB8::0:1]:80/a", "http://[2001:db8::1]/a"),
        ("http://a_b.photos.example/(a)'[1]~@,;.jpg?x[]=|", "http://a_b.photos.example/(a)'[1]~@,;.jpg?x[]=%7C"),
    ],
)  # fmt: skip
def test_an_address_gets_its_normal_form(text: str, url: str) -> None:
    assert checked_address(text) == url


@pytest.mark.parametrize("text", ["", "  ", "None", "nan", "NULL"])
def test_words_for_nothing_are_no_address(text: str) -> None:
    assert refused(text) is FetchCause.NO_ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "photos.example/a.jpg",
        "file:///etc/passwd",
        "ftp://photos.example/a.jpg",
        "http:///a.jpg",
        "http:photos.example",
        "http://me:secret@photos.example/",
        "http://photos.example\\@inside.example/",
        "http://photos.example/a\r\nHost: inside",
        "http://photos.example:0/",
        "http://photos.example:65536/",
        "http://photos.example:8o/",
        "http://photos..example/",
        "http://ph%6Ftos.example/",
        "http://[fe80::1%25eth0]/",
        "http://[::1/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "http://photos.0x/a.09",
        "http://photos.example/\ud800",
        f"http://{'a' * 64}.example/",
        f"http://photos.example/{'a' * 8000}",
        f"http://photos.example/{'é' * 3000}",
    ],
)
def test_what_cannot_be_asked_is_a_bad_address(text: str) -> None:
    assert refused(text) is FetchCause.BAD_ADDRESS


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0x7F000001", "１２７。0.0.1", "127.0.0.1."]
)  # fmt: skip
def test_an_ip_address_in_any_notation_is_the_same_address(host: str) -> None:
    assert checked_address(f"http://{host}/a.jpg") == "http://127.0.0.1/a.jpg"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://photos.example/a/b", "photos.example"),
        ("http://photos.example:8080/", "photos.example:8080"),
        ("HTTP://Photos.Example:80", "photos.example"),
        ("http://photos.example?a/b/c", "photos.example"),
        ("http://[::1]:8080/a", "[::1]:8080"),
    ],
)
def test_the_host_has_its_port_only_where_it_is_not_the_schemes(url: str, host: str) -> None:
    assert host_of(url) == host


@given(WILD)
def test_wild_text_is_an_address_or_a_fetch_error(text: str) -> None:
    try:
        url = checked_address(text)
    except FetchError:
        return
    assert url.isascii()
    assert checked_address(url) == url
    assert host_of(url) == host_of(text) == url.split("/")[2]


@given(WILD)
def test_the_host_of_wild_text_is_a_host_or_a_fetch_error(text: str) -> None:
    try:
        assert host_of(text)
    except FetchError:
        return


@pytest.mark.parametrize(
    "ip",
    ["8.8.8.8", "172.15.255.255", "172.32.0.0", "100.63.0.1", "192.0.1.1", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"],
)  # fmt: skip
def test_the_open_internet_is_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    "ip",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
        *("192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
        *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::8.8.8.8", "::ffff:8.8.8.8", "fc00::1", "fd00::1", "fe80::1", "fec0::1", "ff02::1", "fe80::1%eth0"),
        *("2606:4700::1%1", "100::1", "2001:db8::1", "3fff::1", "2001:20::1", "5f00::1", "64:ff9b:1::1", "4000::1"),
        *("64:ff9b::10.0.0.1", "2002:7f00:1::1", "2002:c0a8:101::1", "2001:0:a00:1::f7f7:f7f7", "2001:0:808:808::f5ff:fffe"),
        *("127.1", "0x7f000001", "2130706433", "8.8.8.8/32", "photos.example", ""),
    ],
)  # fmt: skip
def test_all_else_is_not_public(ip: str) -> None:
    assert not is_public(ip)


@given(st.text(max_size=40) | st.ip_addresses().map(str))
def test_whether_text_is_public_is_always_answered(text: str) -> None:
    assert is_public(text) in (True, False)


@given(st.ip_addresses(v=4))
def test_every_private_address_of_python_is_not_public(address: ipaddress.IPv4Address) -> None:
    assert not (is_public(str(address)) and (address.is_private or address.is_reserved))
