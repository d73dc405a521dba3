"""What goes wrong on the wire, in the catalog's words: the errors of aiohttp as causes."""

import errno

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from cairn.base.errors import InputError
from cairn.images.fetch.causes import FetchCause, FetchError

# All that aiohttp is known to let out for a host's sake. A ValueError is an answer it cannot make sense of.
LET_OUT = (aiohttp.ClientError, HttpProcessingError, OSError, EOFError, ValueError)

# The first that fits holds: children stand before their parents.
_BEFORE_THE_BODY: tuple[tuple[type[BaseException], FetchCause], ...] = (
    (aiohttp.ClientConnectorCertificateError, FetchCause.CERTIFICATE),
    (aiohttp.ClientConnectorError, FetchCause.NO_CONNECTION),
    (aiohttp.ClientHttpProxyError, FetchCause.NO_CONNECTION),
    (aiohttp.InvalidURL, FetchCause.BAD_ADDRESS),
)
_IN_THE_BODY: tuple[tuple[type[BaseException], FetchCause], ...] = (
    (HttpProcessingError, FetchCause.BROKEN),
    (aiohttp.ClientError, FetchCause.CUT_OFF),
    (OSError, FetchCause.CUT_OFF),
)


def before_the_body(error: Exception) -> FetchError:
    """What `error`, one of `LET_OUT`, means while a host has not answered yet; raises InputError as `check_files` does."""
    check_files(error)
    return _as_fetch_error(error, _BEFORE_THE_BODY, status=None)


def in_the_body(error: Exception, *, status: int) -> FetchError:
    """What `error`, one of `LET_OUT`, means while a host that answered `status` is sending; raises InputError as `check_files` does."""
    check_files(error)
    return _as_fetch_error(error, _IN_THE_BODY, status=status)


def check_files(error: BaseException) -> None:
    """Raise InputError if this machine has no open file left for us, for which no host is to blame."""
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, OSError) and behind.errno in (errno.EMFILE, errno.ENFILE):
            raise InputError(
                f"too many open files ({behind.strerror}); expected: one for each connection and some more; "
                "do: lower --concurrency or raise `ulimit -n`"
            ) from error
        behind = behind.__cause__


def _as_fetch_error(
    error: Exception,
    table: tuple[tuple[type[BaseException], FetchCause], ...],
    *,
    status: int | None,
) -> FetchError:
    cause = next((cause for kind, cause in table if isinstance(error, kind)), FetchCause.BROKEN)
    # A body that breaks its own rules ends as one that is cut off: what is behind it tells them apart.
    if isinstance(error, aiohttp.ClientPayloadError) and _is_bad_http(error):
        cause = FetchCause.BROKEN
    words = " ".join(str(error).split())
    return FetchError(cause, words[:300] or type(error).__name__, http_status=status)


def _is_bad_http(error: BaseException) -> bool:
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, HttpProcessingError):
        behind = behind.__cause__
    # aiohttp has the same errors for a body that ends too early and for one that makes no sense.
    return behind is not None and "Not enough data" not in str(behind)
