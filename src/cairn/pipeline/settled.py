"""Settled: rows that are here or failed for good, and those that are to be fetched after all since settings changed."""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import JsonValue

from cairn.base.checks import nearest_name
from cairn.base.errors import SettingsError
from cairn.base.settings import DownloadSettings
from cairn.images.fetch.causes import PASSING, FetchCause
from cairn.images.pixels import Cause
from cairn.stages.download.journal import Journal
from cairn.stages.gld.tar_state import STATE_NAME

# What fails by a limit may come once the limit is higher.
LIMITS = {
    "max_bytes": Cause.TOO_MANY_BYTES,
    "max_pixels": Cause.TOO_MANY_PIXELS,
    "decode_s": Cause.TOO_LONG,
    "decode_memory_mb": Cause.OUT_OF_MEMORY,
}
LIMITED_BY = "limits of"
ANY_CAUSE = "all"
KEYS_AT_ONCE = 1 << 18


class Wishes(Protocol):
    """Rows that are to be fetched, by position, with the journal's key of each."""

    @property
    def to_fetch(self) -> npt.NDArray[np.bool_]:
        """Which rows are to be fetched, [N]."""
        ...

    @property
    def key(self) -> npt.NDArray[np.int64]:
        """The journal's keys, [N]."""
        ...


def unsettled(
    plan: Wishes, journal: Journal, *, retried: frozenset[str] = frozenset()
) -> npt.NDArray[np.bool_]:
    """Which rows are to be fetched now: not those that are here, nor those that failed for good.

    retried: causes that count as passing in this run.
    """
    failed = journal.failed()
    is_settled = ~failed["cause"].is_in(sorted({*map(str, PASSING), *retried}))
    wanted = plan.to_fetch
    for done in (journal.kept_keys(), failed.filter(is_settled)["key"].to_numpy()):
        wanted &= ~_are_among(plan.key, done)
    return wanted


def _are_among(keys: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of `keys` [N] are among `others`; some at a time, as there may be millions of both."""
    found = np.zeros(len(keys), np.bool_)
    known = np.sort(others)
    for start in range(0, len(keys) if len(known) else 0, KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        places = np.minimum(np.searchsorted(known, part), len(known) - 1)
        found[start : start + KEYS_AT_ONCE] = known[places] == part
    return found


def causes_to_retry(named: str | None) -> frozenset[str]:
    """The causes that are tried again although they do not pass by themselves.

    Raises SettingsError where `named` is no cause.
    """
    known = {*map(str, FetchCause), *map(str, Cause)} - {str(FetchCause.NOT_IN_TAR)}
    if named == FetchCause.NOT_IN_TAR:
        raise SettingsError(
            [
                f"--retry-failed is {named!r}; expected: a cause that another try may end, and every tar was read to its "
                f"end; to have all tars of a data set fetched and read again, remove its {STATE_NAME} in the work folder"
            ]
        )
    if named is None:
        return frozenset()
    if named == ANY_CAUSE:
        return frozenset(known)
    if named not in known:
        raise SettingsError(
            [
                f"--retry-failed is {named!r}; expected: one of {', '.join(sorted(known))}{nearest_name(named, known)}, or nothing behind it"
            ]
        )
    return frozenset({named})


def lifted_causes(settings: DownloadSettings, before: JsonValue) -> frozenset[str]:
    """The causes that these settings can no longer give rise to, though those of an earlier run could.

    before: the limits of that run, as `limits_of` tells them; a limit that nobody noted was lower for all we know.
    """
    causes = set()
    if settings.allow_private:
        causes.add(str(FetchCause.PRIVATE))
    if not settings.opt_out:
        causes.add(str(FetchCause.OPTED_OUT))
    if settings.certificates:
        causes.add(str(FetchCause.CERTIFICATE))
    were, limits_now = before if isinstance(before, dict) else {}, _limits(settings)
    for name, cause in LIMITS.items():
        limit = were.get(name)
        if not isinstance(limit, int | float) or limits_now[name] > limit:
            causes.add(str(cause))
    return frozenset(causes)


def limits_of(journal: Journal, list_name: str) -> JsonValue:
    """The limits by which rows of the list failed in its last run, by the names of settings; None where it had none."""
    return journal.note(f"{LIMITED_BY} {list_name}")


def forget_lifted(
    plan: Wishes, journal: Journal, *, settings: DownloadSettings, list_name: str
) -> None:
    """The journal knows nothing of rows of `plan` that failed for lifted causes, and the limits of this run.

    So a run that ends early leaves them to be fetched, whatever is run in between.
    """
    lifted = lifted_causes(settings, limits_of(journal, list_name))
    failed = journal.failed().filter(pl.col("cause").is_in(sorted(lifted)))
    keys = failed["key"].to_numpy()
    if len(keys):
        journal.forget(keys[_are_among(keys, plan.key)])
    journal.write_note(f"{LIMITED_BY} {list_name}", dict(_limits(settings)))


def _limits(settings: DownloadSettings) -> dict[str, float]:
    values = settings.model_dump()
    return {name: values[name] for name in LIMITS}
