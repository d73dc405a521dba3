"""What the status and the headers of an answer mean: where to go, when to come back, what a body holds."""

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin

from multidict import CIMultiDictProxy

from cairn.images.fetch.addresses import checked_address
from cairn.images.fetch.causes import FetchCause, FetchError, cause_of_status

Headers = CIMultiDictProxy[str]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Such an answer comes from the proxy and says nothing about the photo.
PROXY_WANTS_A_PASSWORD = 407
_RANGE = re.compile(r"bytes +([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


def check_status(status: int, headers: Headers, *, now: datetime | None = None) -> None:
    """Raise the FetchError that a status outside 200 to 299 stands for, with what the host says of coming back."""
    if 200 <= status < 300:
        return
    if status == PROXY_WANTS_A_PASSWORD:
        raise FetchError(FetchCause.NO_CONNECTION, "the proxy wants a password", http_status=status)
    wait_s = None
    if status == 429 or status >= 500:
        wait_s = retry_after_s(headers.get("Retry-After", ""), now=now or datetime.now(UTC))
    raise FetchError(
        cause_of_status(status),
        f"the host answers {status}",
        http_status=status,
        retry_after_s=wait_s,
    )


def retry_after_s(value: str, *, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for, never below 0; None where it says nothing that can be read."""
    words = value.strip()
    try:
        seconds = float(words)
    except ValueError:
        seconds = _seconds_until(words, now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(words: str, now: datetime) -> float:
    try:
        then = parsedate_to_datetime(words)
    except (ValueError, TypeError, IndexError, OverflowError):
        return math.nan
    return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()


def next_address(url: str, status: int, headers: Headers) -> str:
    """Where a redirect leads, as a checked address.

    Raises FetchError: REFUSED where it does not say, BAD_ADDRESS where nobody can go there.
    """
    # Bytes that are no ASCII come as surrogates; hosts mean UTF-8 by them.
    said = headers.get("Location", "").strip().encode(errors="surrogateescape")
    location = said.decode(errors="replace")
    if not location:
        raise FetchError(
            FetchCause.REFUSED, f"the host answers {status} and does not say where to", http_status=status
        )  # fmt: skip
    try:
        return checked_address(urljoin(url, location))
    except (ValueError, FetchError) as error:
        why = error.detail if isinstance(error, FetchError) else f"{location[:200]!r}: {error}"
        raise FetchError(
            FetchCause.BAD_ADDRESS, f"the host leads on to {why}", http_status=status
        ) from None


def content_length(headers: Headers) -> int | None:
    """The bytes that the host says the body has, if it says so."""
    said = headers.get("Content-Length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else None


def is_bounded(status: int, headers: Headers) -> bool:
    """Whether the host tells where the body ends: by its length, in chunks, or by a status that has none."""
    chunked = "chunked" in headers.get("Transfer-Encoding", "").lower()
    return status == 204 or chunked or content_length(headers) is not None


def content_codings(headers: Headers) -> list[str]:
    """How the body is packed, outermost first; nothing for a body that is as it is."""
    said = ",".join(headers.getall("Content-Encoding", ())).lower().split(",")
    return [name for word in reversed(said) if (name := word.strip()) not in ("", "identity")]


def total_bytes(status: int, headers: Headers, *, start: int) -> int | None:
    """The bytes of the whole file of which a host sends all (200) or the rest from `start` (206), if it says so.

    Raises FetchError (BROKEN) where another part comes than was asked for.
    """
    if status != 206:
        return content_length(headers)
    said = headers.get("Content-Range", "")
    found = _RANGE.fullmatch(said.strip())
    if not found or int(found[1]) != start:
        raise FetchError(
            FetchCause.BROKEN,
            f"the part {said[:80]!r} came; one from byte {start:,} on was expected",
            http_status=status,
        )
    return None if found[3] == "*" else int(found[3])
