"""The books of a run: each image written, each row remembered, all counted, also while the disk is full."""

from collections.abc import Callable

from cairn.base.errors import DiskError
from cairn.images.keeping import KeptImage
from cairn.records.catalog import KEPT
from cairn.stages.download.batches import Batches
from cairn.stages.download.journal import Outcome
from cairn.stages.download.orders import Output, Record
from cairn.stages.download.progress import Counts
from cairn.stages.download.space import Room, is_full_disk, when_there_is_room


class Books:
    """Writes images, counts how rows ended, and tells the journal; to be closed at the end of the run.

    ends: whether the run has been asked to end, so that nothing more is waited for.
    """

    def __init__(
        self, output: Output, journal: Record, room: Room, *, ends: Callable[[], bool],
        counts: Counts | None = None,
    ) -> None:  # fmt: skip
        self._output, self._journal, self._room, self._ends = output, journal, room, ends
        self.counts = counts or Counts()
        self._unrecorded: list[Outcome] = []
        self._is_refused = False
        self._writing = Batches(output)

    @property
    def is_recorded(self) -> bool:
        """Whether the journal knows of every row that has ended."""
        return not self._unrecorded

    def close(self) -> None:
        """No image is being written, and the journal knows of every row that has ended."""
        self._writing.close()
        self.record()

    async def written(self, index: int, image: KeptImage) -> str | None:
        """Where the image lies; None where the disk stayed full until the run was asked to end."""
        return await when_there_is_room(
            lambda: self._writing.write(index, image), self._room, ends=self._ends
        )

    def add(self, outcome: Outcome) -> None:
        """A row has ended; the journal is told by the next `record`."""
        if outcome.status == KEPT:
            self.counts.n_kept += 1
        else:
            self.counts.causes[str(outcome.cause)] += 1
        self._unrecorded.append(outcome)

    def record(self) -> None:
        """What ended since is in the journal; where the disk is full, it is kept for the next time."""
        batch, self._unrecorded = self._unrecorded, []
        if not batch:
            return
        try:
            self._output.flush()
            self._journal.record(batch)
        except DiskError as error:
            self._unrecorded = batch + self._unrecorded
            if not is_full_disk(error) or self._ends():
                raise
            self._told_refused(True)
        else:
            self._told_refused(False)

    def _told_refused(self, is_refused: bool) -> None:
        if is_refused and not self._is_refused:
            self._room.refused()
        elif self._is_refused and not is_refused:
            self._room.accepted()
        self._is_refused = is_refused


def kept_outcome(
    image: KeptImage, *, key: int, path: str, fetched_from: str, attempts: int, at_s: float,
    http_status: int | None = None,
) -> Outcome:  # fmt: skip
    """How a row ended whose image is kept at `path`; `at_s` is when, in seconds of the wall clock."""
    return Outcome(
        key=key,
        status=KEPT,
        path=path,
        width_px=image.width_px,
        height_px=image.height_px,
        size_bytes=len(image.content),
        digest=image.digest,
        kept_digest=image.kept_digest,
        likeness=image.likeness,
        fetched_from=fetched_from,
        http_status=http_status,
        attempts=attempts,
        fetched_at_ms=round(at_s * 1000),
    )
