"""Files that are whole or not there: writing, digests, safe names, and the cards of artefacts."""

import contextlib
import errno
import hashlib
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from cairn.base.errors import DiskError, InputError

CHUNK_BYTES = 1 << 20
FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
RESERVED_NAMES = {"con", "prn", "aux", "nul"} | {
    f"{n}{i}" for n in ("com", "lpt") for i in range(10)
}
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,79}")
PART_SUFFIX = ".part"
# Parts never share a name, neither with those of this process nor with what a killed one left.
_process_token = os.urandom(4).hex()
_part_numbers = itertools.count()


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Inside it, an OSError about `path` leaves as a DiskError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise DiskError(
                f"the disk is full: {path} could not be written; what was finished before is kept; "
                "free some space and run the same command again"
            ) from error
        reason = error.strerror or type(error).__name__
        raise DiskError(
            f"{path} could not be written: {reason}; a folder that may be written to was expected; "
            "check its permissions or name another folder, then run the same command again"
        ) from error


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """`path` holds all that `write` wrote, or what it held before.

    Written beside it, flushed to the disk and renamed, so that a crash or a full disk leaves no half file.
    Raises DiskError when the disk is full or refuses.
    """
    for _ in _steps(path, write):
        pass


def write_all(files: Sequence[tuple[Path, bytes]]) -> list[DiskError | None]:
    """Each path holds its bytes; or what it held before, and the error that says why, in the order of `files`.

    As by `write_whole`, but all are written before the first is flushed: small files that a disk takes together
    cost it little more than one.
    """
    errors: list[DiskError | None] = [None] * len(files)
    left = {i: _steps(path, partial(_fill, content)) for i, (path, content) in enumerate(files)}
    while left:
        for i, steps in list(left.items()):
            try:
                next(steps)
            except StopIteration:
                del left[i]
            except DiskError as error:
                errors[i] = error
                del left[i]
    return errors


def _steps(path: Path, write: Callable[[BinaryIO], object]) -> Iterator[None]:
    """`path` gets what `write` writes in three steps: written beside it, flushed to the disk, renamed."""
    with disk_errors(path):
        handle, name = _new_part(path)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                yield
                os.fsync(file.fileno())
            yield
            os.replace(name, path)  # noqa: PTH105 - a Path for each takes longer than renaming
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
            raise


def _fill(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _new_part(path: Path) -> tuple[int, str]:
    """A new file beside `path`, open for writing, and its name."""
    name = f"{path.parent}/.{path.name}.{_process_token}-{os.getpid()}-{next(_part_numbers)}{PART_SUFFIX}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(name, flags, 0o644), name
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(name, flags, 0o644), name


def write_bytes(path: Path, content: bytes) -> None:
    """`path` holds `content`, or what it held before."""
    write_whole(path, partial(_fill, content))


def write_text(path: Path, content: str) -> None:
    """`path` holds `content` as UTF-8, or what it held before."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: JsonValue) -> None:
    """`path` holds `value` as readable JSON, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_npy(path: Path, array: npt.NDArray[np.generic]) -> None:
    """`path` holds the array in NumPy's own form, which can be memory-mapped."""
    write_whole(path, lambda file: np.save(file, array, allow_pickle=False))


def link_or_copy(source: Path, target: Path) -> None:
    """`target`, a new file, holds what `source` holds: the same file under a second name where the system allows it."""
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, target)


def sweep_parts(paths: Iterable[Path]) -> int:
    """The number of half-written files among `paths` that a crash left behind; they are removed."""
    parts = [
        path for path in paths if path.name.startswith(".") and path.name.endswith(PART_SUFFIX)
    ]
    for part in parts:
        part.unlink(missing_ok=True)
    return len(parts)


def digest_bytes(content: bytes) -> str:
    """The SHA-256 of `content`, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_json(value: JsonValue) -> str:
    """The SHA-256 of a JSON value, whatever the order of its keys."""
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def safe_name(name: str) -> str:
    """A name that is one plain path segment everywhere; `name` itself where it already is one.

    Otherwise its plain letters with 8 digits of its digest, so that two names never meet.
    """
    plain = SAFE_NAME.fullmatch(name) and not name.endswith(".")
    if plain and name.split(".")[0].lower() not in RESERVED_NAMES:
        return name
    letters = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_")[:60]
    return f"{letters or 'x'}_{digest_bytes(name.encode())[:8]}"


class FileRecord(BaseModel):
    """What a file was when it was last read: digest, size and time of change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    digest: str
    size_bytes: int
    mtime_ns: int

    @staticmethod
    def of(path: Path) -> "FileRecord":
        """The record of a file as it is now."""
        stat = path.stat()
        return FileRecord(
            digest=digest_file(path), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns
        )

    def still_holds(self, path: Path) -> bool:
        """Whether the file is there with these bytes; size and time of change save the reading."""
        try:
            stat = path.stat()
        except OSError:
            return False
        if stat.st_size != self.size_bytes:
            return False
        return stat.st_mtime_ns == self.mtime_ns or digest_file(path) == self.digest


class Card(BaseModel):
    """How an artefact was made: the stage, its settings in full, digests of its inputs, its outputs.

    outputs: by path relative to the artefact's root.
    said: counts and other findings of the stage, so that a skipped stage can tell them again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    stage: str
    version: str
    settings: dict[str, JsonValue]
    inputs: dict[str, str]
    outputs: dict[str, FileRecord]
    said: dict[str, JsonValue] = {}

    def still_holds(self, made_like: "Card", *, root: Path) -> bool:
        """Whether making the artefact again would give the same: same origin, every output still there."""
        ours = (self.stage, self.version, self.settings, self.inputs)
        theirs = (made_like.stage, made_like.version, made_like.settings, made_like.inputs)
        return ours == theirs and all(
            record.still_holds(root / name) for name, record in self.outputs.items()
        )

    def write(self, path: Path) -> None:
        """`path` holds the card."""
        write_json(path, self.model_dump(mode="json"))

    @staticmethod
    def read(path: Path) -> "Card | None":
        """The card at `path`, or None where there is none that can be read."""
        try:
            return Card.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None


def require_folder(path: Path, *, what: str, then: str) -> Path:
    """`path`, which is a folder.

    Raises InputError that names `what` was looked for and what to do `then`.
    """
    if path.is_dir():
        return path
    found = "is a file" if path.exists() else "does not exist"
    raise InputError(f"{path} {found}; {what} was expected there; {then}")
