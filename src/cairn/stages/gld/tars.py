"""Reading a tar of photos member by member, in bounded memory, taking nothing that is not a plain photo."""

import re
import tarfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from cairn.base.errors import CairnError

BLOCK_BYTES = tarfile.BLOCKSIZE
ZERO_BLOCK = bytes(BLOCK_BYTES)
# A longer name, or more about one member, is nobody's photo.
MOST_EXTENDED_BYTES = 64 * 1024
N_EXAMPLES = 20
PLACE = re.compile(r"(?:\./)?([0-9a-f])/([0-9a-f])/([0-9a-f])/(\1\2\3[0-9a-f]{13})\.jpg")
# These have no bytes of their own, whatever their size says.
WITHOUT_DATA = frozenset(
    {
        tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE,
    }
)  # fmt: skip
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK": "zip"}  # fmt: skip


class TarCause(StrEnum):
    """Why a tar could not be used, or not to its end."""

    NOT_A_TAR = "not a tar"
    COMPRESSED = "compressed tar"
    CUT_OFF = "truncated tar"
    DAMAGED = "damaged tar"
    OTHER_MD5 = "md5 differs"
    NO_MD5 = "no md5 published"


class MemberCause(StrEnum):
    """Why a member of a tar was not taken."""

    LINK = "link"
    DEVICE = "device"
    FIFO = "fifo"
    ABSOLUTE = "absolute path"
    CLIMBS = "climbs out of the folder"
    NAME = "name is no a/b/c/<16 hex digits>.jpg"
    TOO_LARGE = "too many bytes"
    SPARSE = "sparse file"
    EXTENDED = "extended header too large"
    OTHER = "kind of member not known"
    TWICE = "twice in the tar"


# Kinds of members that are known and not taken.
REFUSED_TYPES = {
    tarfile.LNKTYPE: MemberCause.LINK,
    tarfile.SYMTYPE: MemberCause.LINK,
    tarfile.CHRTYPE: MemberCause.DEVICE,
    tarfile.BLKTYPE: MemberCause.DEVICE,
    tarfile.FIFOTYPE: MemberCause.FIFO,
    tarfile.GNUTYPE_SPARSE: MemberCause.SPARSE,
}


def member_name(image_id: str) -> str:
    """What the photo of that id is called in its tar: `a/b/c/abc….jpg`."""
    return f"{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"


class TarError(CairnError):
    """A tar cannot be used, or not to its end; `cause` says why in few words."""

    def __init__(self, cause: TarCause, path: Path, detail: str) -> None:
        self.cause = cause
        super().__init__(
            f"{path} is refused ({cause}): {detail}; a whole, plain tar was expected; run the same command again: "
            "it fetches this tar once more"
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A photo of a tar: its name there, the id that the name holds, and its bytes."""

    name: str
    image_id: str
    content: bytes


@dataclass
class _Extended:
    """What extended headers have said of the member that comes next; of two words the first counts."""

    name: str | None = None
    size_bytes: int | None = None
    refusal: MemberCause | None = None


class TarReader:
    """The photos of the tar at `path`, one after another; nothing is ever written.

    max_bytes: a larger member is refused. wanted: members with other ids are passed over unread.
    n_images, n_unwanted and refused add up to the members that are no folders, once all are read;
    examples: the first names that were refused, each with its cause. too_large: the ids of photos that were
    refused for their size.
    Iterating raises TarError where the tar is cut off, damaged, compressed or none.
    """

    # The library reads one header block at a time here. Its own walk reads extended headers and maps of
    # sparse files whole, whatever their size, and calls itself once for each.

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        wanted: Callable[[str], bool] = lambda image_id: True,
    ) -> None:
        self._path, self._max_bytes, self._wanted = path, max_bytes, wanted
        self.n_images = 0
        self.n_unwanted = 0
        self.refused: Counter[MemberCause] = Counter()
        self.examples: list[tuple[str, MemberCause]] = []
        self.too_large: list[str] = []

    @property
    def n_members(self) -> int:
        """Members that were met so far, folders not counted."""
        return self.n_images + self.n_unwanted + self.refused.total()

    def __iter__(self) -> Generator[Member, None, None]:
        seen: set[str] = set()
        with self._path.open("rb") as file:
            for header, told in self._headers(file):
                name = told.name if told.name is not None else header.name
                match = PLACE.fullmatch(name)
                cause = told.refusal or self._refusal(header, name)
                if match and cause is None and match[4] in seen:
                    cause = MemberCause.TWICE
                if match and cause == MemberCause.TOO_LARGE:
                    self.too_large.append(match[4])
                if cause is not None:
                    self._refuse(name, cause)
                elif match and header.type != tarfile.DIRTYPE:
                    seen.add(match[4])
                    if self._wanted(match[4]):
                        self.n_images += 1
                        yield Member(name, match[4], file.read(header.size))
                    else:
                        self.n_unwanted += 1

    def _headers(self, file: BinaryIO) -> Iterator[tuple[tarfile.TarInfo, _Extended]]:
        """Each member, with `size` as it counts; the file stands at its bytes, which are all there."""
        told = _Extended()
        while (header := self._header(file)) is not None:
            if header.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME):
                end = self._end(file, header)
                self._hear(file, header, told)
            elif header.type in (tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK):
                end = self._end(file, header)
            else:
                if told.size_bytes is not None:
                    header.size = told.size_bytes
                end = self._end(file, header)
                yield header, told
                told = _Extended()
            file.seek(end)

    def _header(self, file: BinaryIO) -> tarfile.TarInfo | None:
        """The next header, or None at the end of the tar."""
        at = file.tell()
        block = file.read(BLOCK_BYTES)
        if block == ZERO_BLOCK:
            self._require_only_zeros(file)
            return None
        if at == 0:
            self._require_tar(block)
        if len(block) < BLOCK_BYTES:
            raise self._error(
                TarCause.CUT_OFF, f"it breaks off at byte {at + len(block):,} without an end mark"
            )
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            cause = TarCause.DAMAGED if at else TarCause.NOT_A_TAR
            raise self._error(cause, f"no header at byte {at:,} ({error})") from None
        if header.type == tarfile.GNUTYPE_SPARSE:
            _skip_sparse_map(file, block)
        return header

    def _require_tar(self, block: bytes) -> None:
        for signature, packer in COMPRESSED.items():
            if block.startswith(signature):
                raise self._error(TarCause.COMPRESSED, f"it is packed with {packer}")
        if len(block) < BLOCK_BYTES:
            raise self._error(TarCause.NOT_A_TAR, f"it has {len(block)} bytes")

    def _require_only_zeros(self, file: BinaryIO) -> None:
        """Nothing, where nothing but zeros comes after the end mark."""
        while chunk := file.read(1 << 16):
            if chunk.count(0) != len(chunk):
                raise self._error(TarCause.DAMAGED, "it goes on after its end mark")

    def _end(self, file: BinaryIO, header: tarfile.TarInfo) -> int:
        """The byte at which the next header begins; the member's own bytes are known to be there."""
        start = file.tell()
        if header.type in WITHOUT_DATA:
            return start
        size = file.seek(0, 2)
        file.seek(start)
        if header.size < 0:
            raise self._error(TarCause.DAMAGED, f"a member at byte {start:,} has a size below 0")
        if start + header.size > size:
            raise self._error(
                TarCause.CUT_OFF,
                f"a member of {header.size:,} bytes begins at byte {start:,} of {size:,}",
            )
        return start + -(-header.size // BLOCK_BYTES) * BLOCK_BYTES

    def _hear(self, file: BinaryIO, header: tarfile.TarInfo, told: _Extended) -> None:
        """`told` knows what the extended header at hand says of the next member."""
        if header.size > MOST_EXTENDED_BYTES:
            told.refusal = MemberCause.EXTENDED
            return
        content = file.read(header.size)
        if header.type == tarfile.GNUTYPE_LONGNAME:
            words = {b"path": content.rstrip(b"\0")}
        else:
            words = self._pax_words(content)
        if any(key.startswith(b"GNU.sparse") for key in words):
            told.refusal = told.refusal or MemberCause.SPARSE
        if told.name is None and b"path" in words:
            told.name = words[b"path"].decode("utf-8", "surrogateescape")
        if told.size_bytes is None and b"size" in words:
            told.size_bytes = self._number(words[b"size"])

    def _pax_words(self, content: bytes) -> dict[bytes, bytes]:
        """Keys and values of records such as `20 path=a/b/c/1.jpg`, each as long as its number says."""
        words: dict[bytes, bytes] = {}
        start = 0
        while start < len(content) and content[start]:
            space = content.find(b" ", start, start + 8)
            end = start + self._number(content[start:space] if space > 0 else b"")
            key, equals, value = content[space + 1 : end - 1].partition(b"=")
            if not equals or end > len(content) or content[end - 1 : end] != b"\n":
                raise self._error(TarCause.DAMAGED, "an extended header holds no words")
            words[key] = value
            start = end
        return words

    def _number(self, digits: bytes) -> int:
        if not digits.isdigit() or len(digits) > 19:
            raise self._error(
                TarCause.DAMAGED, f"an extended header says {digits[:20]!r}, no number"
            )
        return int(digits)

    def _refusal(self, header: tarfile.TarInfo, name: str) -> MemberCause | None:
        """Why a member is not taken; None for a photo and for a folder that may be there."""
        if header.type in REFUSED_TYPES:
            return REFUSED_TYPES[header.type]
        is_folder = header.type == tarfile.DIRTYPE
        if not is_folder and header.type not in tarfile.REGULAR_TYPES:
            return MemberCause.OTHER
        plain = name.replace("\\", "/")
        if plain.startswith("/") or re.match("[A-Za-z]:", plain):
            return MemberCause.ABSOLUTE
        if ".." in plain.split("/"):
            return MemberCause.CLIMBS
        if is_folder:
            return None
        if not PLACE.fullmatch(name):
            return MemberCause.NAME
        return MemberCause.TOO_LARGE if header.size > self._max_bytes else None

    def _refuse(self, name: str, cause: MemberCause) -> None:
        self.refused[cause] += 1
        if len(self.examples) < N_EXAMPLES:
            self.examples.append((ascii(name[:200])[1:-1], cause))

    def _error(self, cause: TarCause, detail: str) -> TarError:
        return TarError(cause, self._path, detail)


def _skip_sparse_map(file: BinaryIO, block: bytes) -> None:
    """The file stands after the blocks that go on with an old sparse file's map, however many."""
    goes_on = block[482:483]
    while goes_on not in (b"", b"\0"):
        goes_on = file.read(BLOCK_BYTES)[504:505]
