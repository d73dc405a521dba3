"""Why an address gave no photo, and which of these causes may pass by themselves."""

from enum import StrEnum

from cairn.base.errors import CairnError


class FetchCause(StrEnum):
    """Why an address, or the tar of a data set, gave no bytes; what is wrong with the bytes themselves is a `pixels.Cause`."""

    NO_ADDRESS = "no address"
    BAD_ADDRESS = "bad address"
    PRIVATE = "private address"
    UNKNOWN_HOST = "unknown host"
    NOT_FOUND = "not found"
    GONE = "gone"
    LEGAL = "unavailable for legal reasons"
    REFUSED = "refused by the host"
    REDIRECTS = "too many redirects"
    OPTED_OUT = "opted out"
    CERTIFICATE = "certificate not trusted"
    BOMB = "decompression bomb"
    NOT_RESOLVED = "name not resolved"
    NO_CONNECTION = "no connection"
    NO_CONNECTION_IN_TIME = "no connection in time"
    NO_ANSWER = "no answer in time"
    SILENT = "went silent"
    TOO_SLOW = "too slow"
    TOOK_TOO_LONG = "took too long"
    BROKEN = "connection broken"
    CUT_OFF = "cut off"
    BUSY = "host too busy"
    HOST_ERROR = "host error"
    HOST_GIVEN_UP = "host given up"
    NO_CONTACT = "host wants a contact"
    TAR_FAILED = "tar failed"
    NOT_IN_TAR = "not in its tar"


# Another try, now or in another run, may well end otherwise.
PASSING = frozenset(
    {
        FetchCause.NOT_RESOLVED,
        FetchCause.NO_CONNECTION,
        FetchCause.NO_CONNECTION_IN_TIME,
        FetchCause.NO_ANSWER,
        FetchCause.SILENT,
        FetchCause.TOO_SLOW,
        FetchCause.TOOK_TOO_LONG,
        FetchCause.BROKEN,
        FetchCause.CUT_OFF,
        FetchCause.BUSY,
        FetchCause.HOST_ERROR,
        FetchCause.HOST_GIVEN_UP,
        FetchCause.NO_CONTACT,
        FetchCause.TAR_FAILED,
    }
)


def cause_of_status(status: int) -> FetchCause:
    """The cause that an HTTP status from 400 up stands for."""
    named = {
        404: FetchCause.NOT_FOUND,
        408: FetchCause.HOST_ERROR,
        410: FetchCause.GONE,
        425: FetchCause.HOST_ERROR,
        429: FetchCause.BUSY,
        451: FetchCause.LEGAL,
        503: FetchCause.BUSY,
    }
    return named.get(status, FetchCause.HOST_ERROR if status >= 500 else FetchCause.REFUSED)


class FetchError(CairnError):
    """An address gave no photo; `cause` says why in the catalog's words.

    http_status: the host's answer, where there was one.
    retry_after_s: how long the host asked to be left alone, where it did.
    is_hosts_fault: False where it was not even asked, for reasons of our own.
    """

    def __init__(
        self,
        cause: FetchCause,
        detail: str,
        *,
        http_status: int | None = None,
        retry_after_s: float | None = None,
        is_hosts_fault: bool = True,
    ) -> None:
        self.cause = cause
        self.detail = detail
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.is_hosts_fault = is_hosts_fault
        super().__init__(f"{cause}: {detail}")
