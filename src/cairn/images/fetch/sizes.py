"""Addresses of smaller photos, for the hosts that make them; the table of hosts says which way holds for whom."""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from cairn.images.fetch.rules import HostRule, SizeKind, Smaller


def smaller_address(url: str, *, rule: HostRule, side_px: int) -> str | None:
    """The address at which the host gives `url`'s photo smaller, yet large enough; None where there is none.

    url: as `checked_address` gives it.
    side_px: the longest side that is wanted; the photo that comes has it or more, unless it is smaller itself or
        the address asked for less already. Who wants a *shortest* side asks for twice as much.
    The host may still refuse, because a photo is narrower than the thumbnail: `url` itself then remains.
    """
    if rule.smaller is None:
        return None
    base, mark, query = url.partition("?")
    found = _WAYS[rule.smaller.kind](base, mark + query, rule.smaller, side_px)
    return None if found == url else found


# One option of a Google address: a letter or more and, for a size, a number.
_OPTIONS = re.compile(r"[a-z]+[0-9]*(?:-[a-z]+[0-9a-z]*)*")
_SIZE = re.compile(r"([swh])([0-9]+)")
# What changes neither the shape of the photo nor how width and height are meant.
_PLAIN_OPTIONS = frozenset({"d", "h", "ip", "k", "no", "nu", "o", "rj", "rp", "rw", "rwa"})
_NO_LIMIT = 0


def _google(base: str, query: str, _smaller: Smaller, side_px: int) -> str | None:
    """`…/s1600/name.jpg` and `…=w1600-h1200`, each number brought down to what is wanted."""
    if query:
        return None
    head, equals, options = base.rpartition("=")
    if equals and "/" not in options:
        changed = _google_options(options, side_px)
        return f"{head}={changed}" if changed else None
    head, _, name = base.rpartition("/")
    head, slash, options = head.rpartition("/")
    # Host and scheme take three parts; the photo's own name stands before its options.
    changed = _google_options(options, side_px) if head.count("/") >= 3 else None
    return f"{head}{slash}{changed}/{name}" if changed else None


def _google_options(options: str, side_px: int) -> str | None:
    """`w1600-h1200-no` with no number above the wanted one; None where that might lose something.

    Inside a box of w × h each side may be brought down by itself: where that makes the photo smaller, a side of
    it is as long as the box, that is as long as wanted. That holds only while the box is not filled by cropping.
    """
    if options == "d":
        return f"s{side_px}"
    if not _OPTIONS.fullmatch(options):
        return None
    words = options.split("-")
    others = {word for word in words if not _SIZE.fullmatch(word)}
    n_sizes = sum(word not in others for word in words)
    if n_sizes == 0 or (n_sizes > 1 and not others <= _PLAIN_OPTIONS):
        return None
    return "-".join(word if word in others else _at_most(word, side_px) for word in words)


def _at_most(size: str, side_px: int) -> str:
    asked = int(size[1:])
    return f"{size[0]}{side_px if asked == _NO_LIMIT else min(asked, side_px)}"


_WIKI = r"(?P<wiki>https?://[^/]+/[a-z]+/[a-z-]+)"
_PLACE = r"(?P<place>[0-9a-f]/[0-9a-f]{2}/(?P<name>[^/]+))"
_ORIGINAL = re.compile(f"{_WIKI}/{_PLACE}")
_THUMBNAIL = re.compile(
    f"{_WIKI}/thumb/{_PLACE}/(?P<before>(?:[a-z]+[0-9a-z]*-)*)(?P<width>[0-9]+)px-(?P<after>[^/]+)"
)
_FILE_PATH = re.compile(r"https?://[^/]+/wiki/Special:(?:FilePath|Redirect/file)/[^/]+")
_WIDTH_QUERY = re.compile(r"(?:\?width=(?P<width>[0-9]+))?")
# What stands before the width and after the name, by the kind of the original.
_DRESS = {
    "jpg": ("", ""), "jpeg": ("", ""), "png": ("", ""), "gif": ("", ""),
    "svg": ("", ".png"), "webp": ("", ".png"), "xcf": ("", ".png"),
    "tif": ("lossy-page1-", ".jpg"), "tiff": ("lossy-page1-", ".jpg"),
}  # fmt: skip
# Wikimedia's `abbrvThreshold`: with a longer name the thumbnail is called "thumbnail".
_LONGEST_NAME_BYTES = 160


def _wikimedia(base: str, query: str, smaller: Smaller, side_px: int) -> str | None:
    """The thumbnail of the narrowest width that is wide enough; a photo that is higher than wide comes larger."""
    wide_enough = min((width for width in smaller.widths if width >= side_px), default=None)
    if (found := _FILE_PATH.fullmatch(base)) and (asked := _WIDTH_QUERY.fullmatch(query)):
        width = _step(asked["width"], wide_enough, smaller)
        return f"{base}?width={width}" if width else None
    if query:
        return None
    if found := _THUMBNAIL.fullmatch(base):
        width = _step(found["width"], wide_enough, smaller)
        if width is None:
            return None
        return f"{found['wiki']}/thumb/{found['place']}/{found['before']}{width}px-{found['after']}"
    if wide_enough is None or not (found := _ORIGINAL.fullmatch(base)):
        return None
    return _thumbnail(found, wide_enough)


def _step(asked: str | None, wide_enough: int | None, smaller: Smaller) -> int | None:
    """The width to ask for where `asked` stands in the address: never more, but the next width that is served."""
    if asked is None:
        return wide_enough
    served = min((width for width in smaller.widths if width >= int(asked)), default=None)
    return min((width for width in (served, wide_enough) if width), default=None)


def _thumbnail(original: re.Match[str], width: int) -> str | None:
    name = original["name"]
    ending = name.rpartition(".")[2]
    dress = _DRESS.get(ending.lower())
    if dress is None:
        return None
    is_long = len(unquote_to_bytes(name)) > _LONGEST_NAME_BYTES
    shown = f"thumbnail.{ending}" if is_long else name
    return f"{original['wiki']}/thumb/{original['place']}/{dress[0]}{width}px-{shown}{dress[1]}"


_WAYS: dict[SizeKind, Callable[[str, str, Smaller, int], str | None]] = {
    SizeKind.GOOGLE: _google,
    SizeKind.WIKIMEDIA: _wikimedia,
}
