"""What an address is before anyone is asked: its one normal form, its host, and which IP addresses are public."""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import quote

from yarl import URL

from cairn.images.fetch.causes import FetchCause, FetchError

MOST_CHARACTERS = 8_000
MOST_HOST_CHARACTERS = 253
DEFAULT_PORTS = {"http": 80, "https": 443}
# What lists of photos hold where they hold no address.
NO_ADDRESSES = frozenset({"", "none", "nan", "null"})

_LABEL = r"[a-z0-9_-]{1,63}"
_TARGET = r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%\[\]]"
# Addresses that are already in their normal form; all others take the careful way.
_NORMAL = re.compile(
    rf"https?://((?:{_LABEL}\.)*[a-z][a-z0-9_-]{{0,62}})/{_TARGET}*(?:\?[?{_TARGET[1:]}*)?"
)
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?")
_AUTHORITY = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{0,5}))?")
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Control characters, and halves of characters that no host could be sent.
_UNSENDABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_KEPT_AS_IT_IS = "-._~!$&'()*+,;=:@/?%[]"


def checked_address(text: str) -> str:
    """The normal form of an http or https address: as it is sent, and the same for the same address.

    Spaces around it and the fragment are dropped, what may not be sent is quoted, scheme and host are in lower case, names of
    other scripts are encoded, numeric hosts in any notation (2130706433, 0x7f.1) become four numbers, and default ports go.
    Quoting that is already there stays as it is.
    Raises FetchError: NO_ADDRESS for an empty text and for "None", "nan" and "null"; BAD_ADDRESS for all else that is none.
    """
    found = _NORMAL.fullmatch(text)
    if (
        found
        and len(text) <= MOST_CHARACTERS
        and len(found[1]) <= MOST_HOST_CHARACTERS
        and "/." not in text
        and not ("%" in text and _BARE_PERCENT.search(text))
    ):
        return text
    return _normal_form(text)


def host_of(url: str) -> str:
    """The host of an address, with its port where that is not the scheme's own: `photos.example:8080`.

    Raises FetchError where there is none; the rest of the address is not looked at.
    """
    parts = url.split("/", 3)
    if len(parts) == 4 and not parts[1]:
        return _host_between(parts[0], parts[2])
    return checked_address(url).split("/", 3)[2]


@lru_cache(maxsize=32_768)
def _host_between(scheme: str, authority: str) -> str:
    return checked_address(f"{scheme}//{authority}/").split("/", 3)[2]


def is_public(ip: str) -> bool:
    """Whether an IP address belongs to the open Internet, and not to this machine, its network or nobody.

    Addresses that carry an IPv4 address inside (NAT64, 6to4, Teredo) are judged by it; IPv4-mapped ones are refused, because
    a name that resolves to one wants to be mistaken. What is no IP address is not public.
    Source: the IANA registries of special-purpose IPv4 and IPv6 addresses.
    """
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_4)
    if address in _NAT64:
        return _is_public_4(int(address) & 0xFFFFFFFF)
    if address.scope_id or address not in _GLOBAL_6:
        return False
    if address.teredo:
        server, client = address.teredo
        return is_public(str(server)) and is_public(str(client))
    if address.sixtofour:
        return is_public(str(address.sixtofour))
    return not any(address in network for network in _CLOSED_6)


_CLOSED_4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")
)


def _is_public_4(number: int) -> bool:
    return is_public(str(ipaddress.IPv4Address(number)))


def _normal_form(text: str) -> str:
    words = text.strip()
    if words.lower() in NO_ADDRESSES:
        raise FetchError(
            FetchCause.NO_ADDRESS, f"the list says {words!r} where an address was expected"
        )
    if len(words) > MOST_CHARACTERS:
        raise _bad(
            words, f"it has {len(words):,} characters; at most {MOST_CHARACTERS:,} were expected"
        )
    if _UNSENDABLE.search(words):
        raise _bad(words, "it holds control characters")
    scheme, mark, rest = words.partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in DEFAULT_PORTS:
        raise _bad(words, "http:// or https:// was expected")
    parts = _PARTS.match(rest)
    authority, path, query = parts.groups("") if parts else (rest, "", "")
    url = f"{scheme}://{_authority(words, authority, scheme)}{_sendable(_without_dots(path))}{_sendable(query)}"
    if len(url) > MOST_CHARACTERS:
        raise _bad(
            words,
            f"quoted, it has {len(url):,} characters; at most {MOST_CHARACTERS:,} were expected",
        )
    return url


def _bad(words: str, why: str) -> FetchError:
    shown = words if len(words) <= 200 else words[:200] + "…"
    return FetchError(FetchCause.BAD_ADDRESS, f"{shown!r} cannot be asked: {why}")


def _authority(words: str, authority: str, scheme: str) -> str:
    if "@" in authority:
        raise _bad(words, "it holds a user name, which is not for others to see")
    parts = _AUTHORITY.fullmatch(authority)
    if not parts:
        raise _bad(words, "a host and perhaps a port up to 65535 was expected")
    host = _host(words, parts[1])
    if not parts[2]:
        return host
    port = int(parts[2])
    if not 0 < port < 65536:
        raise _bad(words, f"port {port} was found; one from 1 to 65535 was expected")
    return host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"


def _host(words: str, host: str) -> str:
    if host.startswith("["):
        try:
            address = ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            address = None
        if address is None or address.scope_id:
            raise _bad(words, f"{host} is no IPv6 address of a host")
        return f"[{address.compressed}]"
    name = host if host.isascii() else _in_ascii(words, host)
    name = name.lower().removesuffix(".")
    if len(name) > MOST_HOST_CHARACTERS or not _HOST_NAME.fullmatch(name):
        raise _bad(words, f"{host[:80]!r} is no name of a host")
    return _four_numbers(words, name) if _is_numeric(name) else name


def _in_ascii(words: str, host: str) -> str:
    try:
        return URL.build(scheme="http", host=host).raw_host or ""
    except ValueError:
        raise _bad(words, f"{host[:80]!r} is no name of a host") from None


def _is_numeric(name: str) -> bool:
    """Whether programs take this host for an IPv4 address in some notation: its last part says so."""
    last = name.rpartition(".")[2]
    return last.isdigit() or re.fullmatch("0x[0-9a-f]*", last) is not None


def _four_numbers(words: str, name: str) -> str:
    """The IPv4 address that the numeric host `name` is, as browsers and the C library read it."""
    parts = name.split(".")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        raise _bad(words, f"the host {name!r} is neither a name nor an IPv4 address") from None
    *firsts, last = numbers
    if len(parts) > 4 or any(number > 255 for number in firsts) or last >= 256 ** (5 - len(parts)):
        raise _bad(words, f"the host {name!r} is no IPv4 address")
    total = last + sum(number << 8 * (3 - place) for place, number in enumerate(firsts))
    return str(ipaddress.IPv4Address(total))


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _without_dots(path: str) -> str:
    """`path` without `.` and `..`, never climbing over its root."""
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _sendable(text: str) -> str:
    if "%" in text:
        text = _BARE_PERCENT.sub("%25", text)
    return quote(text, safe=_KEPT_AS_IT_IS)
