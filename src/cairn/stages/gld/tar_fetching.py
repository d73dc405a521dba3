"""Fetching a data set's lists and tars: each checked against its published sum, with a record of what failed."""

import asyncio
import hashlib
import re
from pathlib import Path

from cairn.base.errors import CairnError, DiskError
from cairn.base.files import disk_errors
from cairn.base.watching import Advance, Watch
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.stages.gld.datasets import Dataset, md5_place
from cairn.stages.gld.id_table import Numbers
from cairn.stages.gld.resuming import Fetched, FileFetcher
from cairn.stages.gld.tar_ids import write_ids
from cairn.stages.gld.tar_state import DONE, FAILED, FETCHED, STATE_NAME, TarRecord, TarState
from cairn.stages.gld.tars import TarCause, TarError, TarReader

MD5_LINE = re.compile(r"\\?([0-9a-fA-F]{32})[ \t]+\*?(\S+)\s*")
MOST_MD5_BYTES = 4096
LISTS_FOLDER = "lists"


class DatasetFetcher:
    """Fetches lists and tars of `dataset` into `folder`, below which they lie as below the base address.

    base: a mirror's address; empty for the data set's own.
    """

    def __init__(
        self, files: FileFetcher, dataset: Dataset, folder: Path, *, base: str, watch: Watch
    ) -> None:
        self._files, self._dataset, self._folder = files, dataset, folder
        self._base, self._watch = base, watch
        self.state = TarState(folder / STATE_NAME)

    async def list_file(self, name: str, *, advance: Advance = lambda n_bytes: None) -> Path:
        """The path of a list, fetched where it is not here yet.

        It takes its place only once it is whole, so a list that is there is whole.
        """
        path = self._folder / LISTS_FOLDER / name
        if not path.exists():
            place = self._dataset.list_file(name).place
            await self._files.fetch(self.address(place), path, advance=advance)
        return path

    async def tar(self, tar: str, *, advance: Advance = lambda n_bytes: None) -> Path:
        """The path of the tar of that place (`train/images_000.tar`), fetched where needed, and checked.

        Raises FetchError or TarError where it cannot be had; its record then says why.
        """
        path = self._folder / tar
        try:
            record = self.state.of(tar)
            if record and record.status == FETCHED and _has_size(path, record.size_bytes):
                return path
            return await self._checked(tar, path, advance)
        except DiskError:
            raise
        except CairnError as error:
            self.failed(tar, error)
            raise

    def done(self, tar: str, reader: TarReader, *, ids: Numbers, keep: bool = False) -> None:
        """The tar is read to its end and what was wanted of it is safe: it is removed.

        ids: of all its photos, wanted or not, so that only a photo that is wanted later has it fetched again.
        keep: leave the tar where it is.
        """
        write_ids(self._folder, tar, ids)
        before = self.state.of(tar) or TarRecord(status=FETCHED)
        refused = {cause.value: count for cause, count in sorted(reader.refused.items())}
        told = {"status": DONE, "cause": None, "n_members": reader.n_members, "refused": refused}
        self.state.put(tar, before.model_copy(update=told))
        if not keep:
            self._remove(self._folder / tar)

    def failed(self, tar: str, error: CairnError) -> None:
        """The tar's record says why it failed; where its bytes are to blame, they are removed."""
        cause = error.cause if isinstance(error, FetchError | TarError) else type(error).__name__
        if isinstance(error, TarError) and error.cause != TarCause.NO_MD5:
            self._remove(self._folder / tar)
        self.state.put(tar, TarRecord(status=FAILED, cause=str(cause)))

    async def _checked(self, tar: str, path: Path, advance: Advance) -> Path:
        published = await self._published_md5(tar)
        found = ""
        for _ in range(2):
            fetched = await self._fetched(tar, path, advance)
            found = await asyncio.to_thread(_md5, path)
            if found == published or self._dataset.wrong_md5.get(tar) == published:
                self._accept(tar, fetched, published=published, found=found)
                return path
            self._watch.note(
                f"{tar} has the md5 {found}, not the published {published}: it is fetched anew"
            )
            self._remove(path)
            advance(-fetched.size_bytes)
        raise TarError(
            TarCause.OTHER_MD5,
            path,
            f"its md5 is {found} where {published} is published, twice in a row",
        )

    async def _fetched(self, tar: str, path: Path, advance: Advance) -> Fetched:
        # A tar takes its place only whole; one without a record was left by a kill before it was checked.
        if path.exists():
            size_bytes = path.stat().st_size
            advance(size_bytes)
            return Fetched(path, size_bytes, None, 0)
        return await self._files.fetch(self.address(tar), path, advance=advance)

    def _accept(self, tar: str, fetched: Fetched, *, published: str, found: str) -> None:
        if found != published:
            self._watch.note(
                f"{tar} has the md5 {found}, not the published {published}, which is known to be wrong: "
                "each of its photos is verified by decoding it whole"
            )
        self.state.put(
            tar,
            TarRecord(
                status=FETCHED,
                etag=fetched.etag,
                md5=found,
                size_bytes=fetched.size_bytes,
                checked_by="md5" if found == published else "decoding",
            ),
        )

    async def _published_md5(self, tar: str) -> str:
        place = md5_place(tar)
        path = self._folder / place
        try:
            await self._files.fetch(self.address(place), path, most_bytes=MOST_MD5_BYTES)
        except FetchError as error:
            if error.cause not in (FetchCause.NOT_FOUND, FetchCause.GONE, FetchCause.REFUSED):
                raise
            raise TarError(
                TarCause.NO_MD5, self._folder / tar, f"{self.address(place)}: {error.cause}"
            ) from error
        text = path.read_text("utf-8", errors="replace")
        self._remove(path)
        match = MD5_LINE.fullmatch(text)
        if not match or match[2].rpartition("/")[2] != tar.rpartition("/")[2]:
            raise TarError(
                TarCause.NO_MD5,
                self._folder / tar,
                f"{self.address(place)} holds {text[:80]!r}, no md5 of it",
            )
        return match[1].lower()

    def address(self, place: str) -> str:
        """Where the list or tar of that place is fetched from."""
        return self._dataset.address(place, base=self._base)

    def _remove(self, path: Path) -> None:
        with disk_errors(path):
            path.unlink(missing_ok=True)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return digest.hexdigest()


def _has_size(path: Path, size_bytes: int | None) -> bool:
    return path.exists() and path.stat().st_size == size_bytes
