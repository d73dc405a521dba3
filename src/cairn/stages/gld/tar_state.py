"""What became of each tar: a small file beside the tars, so that only what failed is fetched again."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cairn.base.errors import InputError
from cairn.base.files import write_text

STATE_NAME = "tar_state.json"
FETCHED, DONE, FAILED = "fetched", "done", "failed"


class TarRecord(BaseModel):
    """What became of one tar.

    status: fetched is here and checked, done is read to its end with every photo of it in the journal, failed
    has a cause. checked_by: what showed that its bytes are right. refused: members not taken, by cause.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    status: Literal["fetched", "done", "failed"]
    cause: str | None = None
    n_members: int | None = None
    refused: dict[str, int] = {}
    etag: str | None = None
    md5: str | None = None
    size_bytes: int | None = None
    checked_by: Literal["md5", "decoding"] | None = None


class _Records(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal[1] = 1
    tars: dict[str, TarRecord] = {}


class TarState:
    """The records of all tars, by place, as the file at `path` holds them; each change is written whole.

    Raises InputError where the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tars: dict[str, TarRecord] = {}
        if path.exists():
            try:
                self._tars = dict(_Records.model_validate_json(path.read_bytes()).tars)
            except (OSError, ValidationError) as error:
                raise InputError(
                    f"{path} cannot be read: {type(error).__name__}; what became of each tar was expected in it; "
                    "remove it and run the same command again: tars that are still here are not fetched again, "
                    "those that were read and removed are"
                ) from error

    def of(self, tar: str) -> TarRecord | None:
        """What became of the tar at that place; None where nothing did yet."""
        return self._tars.get(tar)

    def put(self, tar: str, record: TarRecord) -> None:
        """The tar's record is this one, on the disk too."""
        self._write(dict(sorted({**self._tars, tar: record}.items())))

    def _write(self, tars: dict[str, TarRecord]) -> None:
        write_text(self._path, _Records(tars=tars).model_dump_json(indent=2) + "\n")
        self._tars = tars

    def forget(self, tars: Iterable[str]) -> None:
        """Nothing is known any more of what became of `tars`, on the disk too."""
        gone = set(tars)
        if gone & self._tars.keys():
            self._write({tar: record for tar, record in self._tars.items() if tar not in gone})

    def left(self, tars: Iterable[str]) -> list[str]:
        """Those of `tars` that are not done, in the order given."""
        return [tar for tar in tars if (found := self.of(tar)) is None or found.status != DONE]

    def failed(self) -> dict[str, str]:
        """The cause of each tar that failed, by place."""
        return {
            tar: record.cause or "" for tar, record in self._tars.items() if record.status == FAILED
        }
