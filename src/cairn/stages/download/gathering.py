"""The one pass over a list: numbers for each row, from which the plan is made."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.base.settings import SelectSettings
from cairn.base.watching import Watch
from cairn.images.fetch.addresses import MOST_CHARACTERS, checked_address, host_of
from cairn.images.fetch.causes import FetchError
from cairn.stages.download.blocks import Block, RowFault
from cairn.stages.download.lists import AddressList
from cairn.stages.download.naming import PLAIN_IDS, safe
from cairn.stages.download.problems import ProblemKind, Problems
from cairn.stages.download.selection import needs_ranks, ranks_of
from cairn.stages.download.verdicts import Verdict

MOST_LANDMARKS = 1_000_000
NO_HOST = -1
# Quoting makes a character three; a shorter address of plain letters never becomes too long.
_SURELY_SHORT = MOST_CHARACTERS // 3
# The first slash from here on ends the host of any address that has one.
_HOST_AT = len("https://")
_VERDICT_OF = {
    RowFault.MALFORMED: Verdict.MALFORMED,
    RowFault.BLANK: Verdict.BLANK,
    RowFault.NO_ADDRESS: Verdict.NO_ADDRESS,
}


class _Hosts(dict[str, int]):
    """The number of the host by the beginning of an address, up to the slash behind its host; else NO_HOST."""

    def __init__(self) -> None:
        super().__init__()
        self._number_of: dict[str, int] = {}

    def __missing__(self, start: str) -> int:
        number = self.of(start)
        # With a query before the first slash there may be as many beginnings as addresses.
        if "?" not in start and "#" not in start:
            self[start] = number
        return number

    def of(self, url: str) -> int:
        """The number of the host of any address, which is checked in full."""
        try:
            host = host_of(checked_address(url))
        except FetchError:
            return NO_HOST
        return self._number_of.setdefault(host, len(self._number_of))

    @property
    def names(self) -> list[str]:
        """Every host, by number."""
        return list(self._number_of)


class _Landmarks(dict[str, int]):
    """The number of each landmark, given when it is first asked for; the empty text, for none, has -1."""

    def __init__(self) -> None:
        super().__init__({"": -1})

    def __missing__(self, landmark_id: str) -> int:
        self[landmark_id] = number = len(self) - 1
        return number


class Gathered:
    """What one pass over a list has found; arrays [N] by position, which is the row's number less one.

    id_hash, url_hash: equal for equal texts; name_hash: equal where the files' names differ in case at most.
    ranks: by id, where rows are chosen one by one.
    """

    def __init__(self, source: AddressList, selecting: SelectSettings, problems: Problems) -> None:
        most = source.most_rows
        self.n_rows = 0
        self.offsets = np.empty(most, np.int64)
        self.verdict = np.zeros(most, np.uint8)
        self.key = np.empty(most, np.int64)
        self.host = np.empty(most, np.int32)
        self.landmark = np.empty(most, np.int32)
        self.id_hash = np.empty(most, np.int64)
        self.url_hash = np.empty(most, np.int64)
        self.name_hash: npt.NDArray[np.int64] | None = None
        self.ranks = np.empty(most, np.uint64) if needs_ranks(selecting) else None
        self.problems = problems
        self._source, self._seed, self._most = source, selecting.seed, most
        self._hosts = _Hosts()
        self._landmarks = _Landmarks()

    @property
    def hosts(self) -> list[str]:
        """The hosts by number."""
        return self._hosts.names

    @property
    def landmark_ids(self) -> list[str]:
        """The landmarks by number."""
        return list(self._landmarks)[1:]

    def read(self, watch: Watch) -> None:
        """Every row of the list has its numbers."""
        with watch.phase("list", self._most) as advance:
            for block in self._source.blocks():
                self._add(block)
                advance(len(block))
            advance(self._most - self.n_rows)
        count = self.n_rows
        self.offsets, self.verdict = self.offsets[:count], self.verdict[:count]
        self.host, self.landmark = self.host[:count], self.landmark[:count]
        self.key = self.key[:count]
        self.id_hash, self.url_hash = self.id_hash[:count], self.url_hash[:count]
        self.name_hash = None if self.name_hash is None else self.name_hash[:count]
        self.ranks = None if self.ranks is None else self.ranks[:count]

    def _add(self, block: Block) -> None:
        count = len(block)
        ids, urls = block.columns["id"], block.columns["url"]
        landmarks = block.columns.get("landmark") or [""] * count
        part = slice(self.n_rows, self.n_rows + count)
        self.offsets[part] = block.offsets
        self.key[part] = row_keys(ids, urls, landmarks)
        self.landmark[part] = self._landmark_numbers(landmarks)
        self.id_hash[part] = np.fromiter(map(hash, ids), np.int64, count)
        self.url_hash[part] = np.fromiter(map(hash, urls), np.int64, count)
        if self.ranks is not None:
            self.ranks[part] = ranks_of(ids, seed=self._seed)
        self._add_names(block, ids, part)
        self._add_hosts(block, urls, part)
        for place, (fault, detail) in block.faults.items():
            self.verdict[part.start + place] = _VERDICT_OF[fault]
            self.problems.count(ProblemKind(fault.value), 1)
            self.problems.tell(ProblemKind(fault.value), int(block.lines[place]), detail)
        self.n_rows += count

    def _landmark_numbers(self, landmarks: Sequence[str]) -> list[int]:
        known = self._landmarks
        numbers = [known[landmark] for landmark in landmarks]
        if len(known) > MOST_LANDMARKS:
            raise InputError(
                f"{self._source.name} names over {MOST_LANDMARKS:,} landmarks; a column with the same landmark in "
                "many rows was expected; name it with --columns landmark=NAME"
            )
        return numbers

    def _add_names(self, block: Block, ids: Sequence[str], part: slice) -> None:
        """The hashes of file names, written only once a list has ids that are not their own file names."""
        joined = "\n".join(ids) + "\n"
        is_plain = joined.count("\n") == len(ids) and PLAIN_IDS.fullmatch(joined)
        if is_plain and joined == joined.lower():
            if self.name_hash is not None:
                self.name_hash[part] = self.id_hash[part]
            return
        if self.name_hash is None:
            self.name_hash = np.empty(self._most, np.int64)
            self.name_hash[: part.start] = self.id_hash[: part.start]
        names = [safe(image_id) for image_id in ids]
        self.name_hash[part] = np.fromiter(map(hash, map(str.lower, names)), np.int64, len(names))
        for place, (image_id, name) in enumerate(zip(ids, names, strict=True)):
            if name != image_id and place not in block.faults:
                self.problems.count(ProblemKind.UNSAFE_ID, 1)
                self.problems.tell(
                    ProblemKind.UNSAFE_ID, int(block.lines[place]),
                    f"the id {image_id[:80]!r} is kept in a file called {name!r}",
                )  # fmt: skip

    def _add_hosts(self, block: Block, urls: Sequence[str], part: slice) -> None:
        numbers = np.array(self._host_numbers(urls), np.int32)
        self.host[part] = numbers
        bad = [
            int(place) for place in np.flatnonzero(numbers == NO_HOST) if place not in block.faults
        ]
        self.verdict[part][bad] = Verdict.BAD_ADDRESS
        self.problems.count(ProblemKind.BAD_ADDRESS, len(bad))
        for place in bad:
            if not self.problems.wants(ProblemKind.BAD_ADDRESS):
                break
            self.problems.tell(
                ProblemKind.BAD_ADDRESS, int(block.lines[place]), _what_is_wrong(urls[place])
            )

    def _host_numbers(self, urls: Sequence[str]) -> list[int]:
        joined = "".join(urls)
        if not joined.isascii() or not joined.isprintable() or max(map(len, urls)) > _SURELY_SHORT:
            return [self._hosts.of(url) for url in urls]
        hosts = self._hosts
        starts = [url[: url.find("/", _HOST_AT) + 1] for url in urls]
        return [
            hosts[start] if start else hosts.of(url)
            for start, url in zip(starts, urls, strict=True)
        ]


def row_keys(
    ids: Sequence[str], urls: Sequence[str], landmarks: Sequence[str]
) -> npt.NDArray[np.int64]:
    """The journal's keys [N]: 64 bits of a digest of all that makes a row another one."""
    joined = b"".join(
        [
            blake2b(f"{image_id}\0{url}\0{landmark}".encode(), digest_size=8).digest()
            for image_id, url, landmark in zip(ids, urls, landmarks, strict=True)
        ]
    )
    return np.frombuffer(joined, "<i8").astype(np.int64)


def _what_is_wrong(url: str) -> str:
    try:
        checked_address(url)
    except FetchError as error:
        return error.detail
    return f"{url[:200]!r} has no host that can be asked"
