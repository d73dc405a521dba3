"""Folders that are whole or as they were: filled beside their place, held by a lock, swapped in one step."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from cairn.base.errors import InputError
from cairn.base.files import disk_errors
from cairn.base.swapping import swapped


@contextlib.contextmanager
def held(lock: Path, *, of: Path, otherwise: str, waits: bool = False) -> Iterator[None]:
    """Inside it no other process holds the file `lock`, which stands for the folder `of`.

    otherwise: what else one may do than wait. waits: wait here until it is free.
    Raises InputError where another process holds it, DiskError where it cannot be written.
    """
    import fcntl

    with disk_errors(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except OSError as error:
            raise InputError(
                f"{of} is in use by another cairn; one at a time was expected; wait for it to end, or {otherwise}"
            ) from error
        yield
    finally:
        # Unlocked, not only closed: a process that a library forks meanwhile shares the lock.
        fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


@contextlib.contextmanager
def held_bundle(folder: Path, *, waits: bool = False) -> Iterator[None]:
    """Inside it no other Cairn makes or changes the bundle at `folder`; those who only read it are not kept out."""
    lock = folder.with_name(f".{folder.name}.lock")
    with held(lock, of=folder, otherwise="name another bundle", waits=waits):
        yield


def put_back(path: Path) -> None:
    """Where putting a new folder in the place of `path` was broken off, the old one is there again, and nothing beside it.

    Only for whoever holds the lock of `path`.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    with disk_errors(path):
        if old.exists() and not path.exists():
            old.rename(path)
    for stale in (new, old) if path.exists() else ():
        shutil.rmtree(stale, ignore_errors=True)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `path` when all went well.

    After an error `path` is as before and the new folder is gone. Where the system can swap two folders, as Linux can,
    `path` is there at every moment.
    """
    new, old = path.with_name(f".{path.name}.new"), path.with_name(f".{path.name}.old")
    put_back(path)
    with disk_errors(path):
        for stale in (new, old):
            shutil.rmtree(stale, ignore_errors=True)
        new.mkdir(parents=True)
    try:
        yield new
        with disk_errors(path):
            if not path.exists():
                new.rename(path)
            elif not swapped(new, path):
                path.rename(old)
                new.rename(path)
    except BaseException:
        if old.exists() and not path.exists():
            old.rename(path)
        shutil.rmtree(new, ignore_errors=True)
        raise
    # After a swap the old one lies where the new one lay.
    for stale in (new, old):
        shutil.rmtree(stale, ignore_errors=True)
