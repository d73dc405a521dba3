"""A reviewer's journal on the disk: one event a line, added and never changed, safe against kills and full disks."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from cairn.base.errors import InputError
from cairn.base.files import disk_errors
from cairn.records.verdict_events import FORMAT_VERSION, LINE, Event, Ledger, Opened

SUFFIX = ".jsonl"


class VerdictJournal:
    """The journal at `path`, read as far as it is whole; `ledger` holds what it says.

    Anyone may read it, also while another process writes; only who has claimed it may append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ledger = Ledger(path.stem)
        self._handle: int | None = None
        self._read_bytes = 0
        self._n_lines = 0
        self.refresh()

    def refresh(self) -> bool:
        """Whether there was something new, which is in the ledger now.

        A last line without its end is left out: it is being written, or its writer was killed before saying so.
        Raises InputError where a whole line is no event.
        """
        try:
            with self.path.open("rb") as file:
                file.seek(self._read_bytes)
                content = file.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read: {error.strerror}; a reviewer's journal was expected; check its permissions"
            ) from error
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._n_lines += 1
            self._take(line)
        self._read_bytes += len(whole)
        return bool(whole)

    def _take(self, line: bytes) -> None:
        try:
            event = LINE.validate_json(line)
            if not isinstance(event, Opened):
                self.ledger.add(event)
                return
        except (ValidationError, InputError) as error:
            raise InputError(
                f"line {self._n_lines} of {self.path} is no event: {_reason(error)}; what cairn review has written was "
                "expected; bring back a copy of the journal, or remove that line"
            ) from error
        if event.format > FORMAT_VERSION:
            raise InputError(
                f"{self.path} has the format {event.format}; at most {FORMAT_VERSION} was expected, a newer Cairn "
                "wrote it; update Cairn"
            )
        self.ledger.reviewer = event.reviewer

    def claim(self, reviewer: str) -> None:
        """From now on this process alone appends; what a kill left of a last line is cut off.

        Raises InputError where another process has claimed it, DiskError where it cannot be written.
        """
        import fcntl

        if self._handle is not None:
            return
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(
                    f"another cairn review writes down what {reviewer} decides ({self.path}); one at a time was "
                    "expected; use the page of that one, or another name with --reviewer"
                ) from error
            self.refresh()
            with disk_errors(self.path):
                _sync_folder(self.path.parent)
            self._handle = handle
            if self._n_lines == 0:
                self.ledger.reviewer = reviewer
                self._write(_line(Opened(format=FORMAT_VERSION, reviewer=reviewer)), n_lines=1)
        except BaseException:
            self._handle = None
            os.close(handle)
            raise

    def append(self, events: Sequence[Event]) -> None:
        """The events are on the disk, and in the ledger; those that were there already are left as they are.

        Raises InputError where one takes back a decision that is not there, DiskError where the disk is full or
        refuses: then none of them is in the journal.
        """
        new: dict[str, Event] = {}
        for event in events:
            if not self.ledger.knows(event.id):
                new.setdefault(event.id, event)
        decisions: set[str] = set()
        for event in new.values():
            self.ledger.require_sense(event, after=decisions)
            if event.event == "decide":
                decisions.add(event.id)
        if new:
            self._write(b"".join(_line(event) for event in new.values()), n_lines=len(new))
        for event in new.values():
            self.ledger.add(event)

    def close(self) -> None:
        """Another process may claim it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _write(self, content: bytes, *, n_lines: int) -> None:
        if self._handle is None:
            raise InputError(
                f"{self.path} is not claimed; its one writer was expected; claim the journal before appending to it"
            )
        handle = self._handle
        with disk_errors(self.path):
            # What lies beyond was never acknowledged: the end of a line that a kill or a full disk cut off.
            if os.fstat(handle).st_size != self._read_bytes:
                os.ftruncate(handle, self._read_bytes)
            try:
                left = memoryview(content)
                while left:
                    left = left[os.write(handle, left) :]
                os.fsync(handle)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(handle, self._read_bytes)
                raise
        self._read_bytes += len(content)
        self._n_lines += n_lines


def _line(event: Opened | Event) -> bytes:
    return event.model_dump_json().encode() + b"\n"


def _reason(error: ValidationError | InputError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"]
    return str(error)


def _sync_folder(folder: Path) -> None:
    """The names in `folder` are on the disk, that of a new journal among them."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
