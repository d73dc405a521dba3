"""Which tars of a part are read in a run, and what it says of a photo that no tar has brought yet."""

from dataclasses import dataclass
from pathlib import Path

from cairn.images.fetch.causes import FetchCause
from cairn.records import catalog
from cairn.stages.download.rows import NOT_FETCHED
from cairn.stages.gld.datasets import Part
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tar_ids import read_ids
from cairn.stages.gld.tar_state import DONE, FAILED, TarState


@dataclass(frozen=True)
class TarChoice:
    """The tars that are to be read, in order, and about how many photos they should bring."""

    tars: tuple[str, ...]
    n_photos: int


def tars_to_read(
    part: Part, sought: Sought, *, state: TarState, folder: Path, n_tars: int = 0
) -> TarChoice:
    """Those of the first `n_tars` tars of `part` (0: of all) that may hold a photo that is looked for.

    A tar that was read to its end is left, unless it holds one that was not looked for then.
    folder: below which the tars lie.
    """
    n_sought, n_known, n_unread = len(sought), 0, 0
    chosen: list[str] = []
    n_unread_chosen = n_known_chosen = 0
    for number, tar in enumerate(part.tars):
        is_chosen = number < n_tars or not n_tars
        record = state.of(tar)
        n_here = 0
        held = read_ids(folder, tar) if record is not None and record.status == DONE else None
        if held is None:
            n_unread += 1
            n_unread_chosen += is_chosen
        else:
            n_here = sought.count_among(held)
            n_known += n_here
            n_known_chosen += n_here if is_chosen else 0
        if is_chosen and n_sought and (held is None or n_here):
            chosen.append(tar)
    in_unread = round((n_sought - n_known) * n_unread_chosen / max(n_unread, 1))
    return TarChoice(tuple(chosen), n_known_chosen + max(in_unread, 0))


def end_of_unfound(part: Part, state: TarState) -> tuple[str, str]:
    """Status and cause of a row that is wanted and that no tar has brought: nobody knows which tar should have."""
    records = [state.of(tar) for tar in part.tars]
    if any(record is None or record.status not in (DONE, FAILED) for record in records):
        return catalog.PENDING, NOT_FETCHED
    if any(record is not None and record.status == FAILED for record in records):
        return catalog.FAILED, str(FetchCause.TAR_FAILED)
    return catalog.FAILED, str(FetchCause.NOT_IN_TAR)
