"""The plan of a download: for every row of a list whether it is fetched, from which host, and to which place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cairn.base.settings import SelectSettings
from cairn.base.watching import Silent, Watch
from cairn.stages.download.blocks import ListRow
from cairn.stages.download.gathering import Gathered
from cairn.stages.download.lists import AddressList
from cairn.stages.download.naming import UNKNOWN_FOLDER, crowded, folded, stem_of
from cairn.stages.download.problems import ProblemKind, Problems
from cairn.stages.download.selection import chosen
from cairn.stages.download.twins import Mask, Positions, clashes, repeats
from cairn.stages.download.verdicts import Verdict

IMAGES = "images"
NO_TWIN = -1


@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be done with each row of a list; all arrays are [N], by position: the row's number less one.

    source: the list, which is to stay open.
    offsets: where each row begins in the list.
    verdict: a `Verdict` for each row.
    twin: the position of the row whose photo stands for this one too, where the id or the address repeats an earlier one,
        also where neither row is chosen; else -1. A twin has no twin.
    key: 64 bits that tell rows apart by id, address and landmark: the journal's key.
    host, landmark: places in `hosts` and `landmark_ids`; -1 where there is none.
    folders: the folder of each landmark; is_crowded: rows whose id differs from another's in case only.
    """

    source: AddressList
    offsets: npt.NDArray[np.int64]
    verdict: npt.NDArray[np.uint8]
    twin: npt.NDArray[np.int64]
    key: npt.NDArray[np.int64]
    host: npt.NDArray[np.int32]
    hosts: Sequence[str]
    landmark: npt.NDArray[np.int32]
    landmark_ids: Sequence[str]
    folders: Sequence[str]
    is_crowded: Mask
    problems: Problems = field(default_factory=Problems)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def to_fetch(self) -> Mask:
        """Which rows are to be fetched, [N]."""
        return np.asarray(self.verdict == Verdict.FETCH, np.bool_)

    def counts(self) -> dict[Verdict, int]:
        """The number of rows of each verdict; they add up to the rows of the list."""
        counts = np.bincount(self.verdict, minlength=len(Verdict))
        return {verdict: int(counts[verdict]) for verdict in Verdict}

    def row(self, position: int) -> ListRow:
        """The row at a position, read from the list again."""
        return self.source.at(int(self.offsets[position]), position + 1)

    def place(self, position: int) -> str:
        """Where the image of a row belongs, without its suffix: `images/<landmark>/<id>`.

        Two rows that are fetched never have the same place, also where case does not count.
        """
        image_id, _ = self.source.identity(int(self.offsets[position]))
        number = int(self.landmark[position])
        folder = self.folders[number] if number >= 0 else UNKNOWN_FOLDER
        stem = stem_of(image_id, is_crowded=bool(self.is_crowded[position]))
        return f"{IMAGES}/{folder}/{stem}"

    def queues(self, wanted: Mask) -> dict[str, npt.NDArray[np.int32]]:
        """The positions of the wanted rows that are to be fetched, by host, in the order of the list."""
        positions = np.flatnonzero(wanted & self.to_fetch).astype(np.int32)
        positions = positions[np.argsort(self.host[positions], kind="stable")]
        hosts = self.host[positions]
        starts = np.flatnonzero(np.diff(hosts, prepend=-1))
        parts = np.split(positions, starts[1:])
        return {self.hosts[hosts[start]]: part for start, part in zip(starts, parts, strict=bool(starts.size))}  # fmt: skip


def make_plan(
    source: AddressList, *, selecting: SelectSettings | None = None, watch: Watch | None = None,
    problems: Problems | None = None,
) -> Plan:  # fmt: skip
    """The plan of one list, made in one pass over it; some 60 bytes a row stay in memory.

    Of rows with the same id, and of rows with the same address, the first whose address is none that anyone can
    see to be wrong is fetched. Where a row is chosen, the first row of its address is fetched for it.
    problems: what is odd about the list is noted there.
    Raises InputError where the list changes meanwhile, SettingsError where it has no landmarks to choose from.
    """
    selecting = selecting or SelectSettings()
    found = Gathered(source, selecting, problems or Problems())
    found.read(watch or Silent())
    return _Planning(found, source, selecting).plan()


class _Planning:
    """Twins, choice and names, from what one pass has gathered."""

    def __init__(self, found: Gathered, source: AddressList, selecting: SelectSettings) -> None:
        self._found, self._source, self._selecting = found, source, selecting
        self._problems = found.problems
        self._twin = np.empty(0, np.int64)

    def plan(self) -> Plan:
        """The plan; what was gathered is let go on the way, as soon as it is not needed."""
        found = self._found
        good = np.asarray(found.verdict == Verdict.FETCH, np.bool_)
        none = np.empty(0, np.int64)
        by_id = (none, none)
        # Ids that were made of addresses say nothing that the addresses do not say.
        if "id" in self._source.has:
            by_id = repeats(found.id_hash, good, self._id_at)
        good[by_id[0]] = False
        is_crowded = self._crowded(good)
        found.id_hash = found.name_hash = none
        by_url = repeats(found.url_hash, good, self._url_at)
        found.url_hash = none
        wanted = chosen(
            good, found.landmark, found.landmark_ids, found.ranks, selecting=self._selecting
        )
        found.ranks = None
        self._tell(by_id, by_url)
        self._decide(good, wanted, by_id, by_url)
        return Plan(
            source=self._source, offsets=found.offsets, verdict=found.verdict, twin=self._twin,
            key=found.key, host=found.host, hosts=found.hosts, landmark=found.landmark,
            landmark_ids=found.landmark_ids, folders=self._folders(), is_crowded=is_crowded,
            problems=self._problems,
        )  # fmt: skip

    def _decide(
        self,
        good: Mask,
        wanted: Mask,
        by_id: tuple[Positions, Positions],
        by_url: tuple[Positions, Positions],
    ) -> None:
        verdict = self._found.verdict
        later, first = by_url
        wanted[first[wanted[later]]] = True
        good[later] = False
        verdict[good & ~wanted] = Verdict.NOT_CHOSEN
        self._twin = np.full(len(verdict), NO_TWIN, np.int64)
        self._twin[later] = first
        verdict[later] = Verdict.SAME_ADDRESS
        later, first = by_id
        # The first of an id may itself repeat an address; its twin is then the twin of both.
        self._twin[later] = np.where(self._twin[first] == NO_TWIN, first, self._twin[first])
        verdict[later] = Verdict.SAME_ID
        twins = np.concatenate([by_url[0], by_id[0]])
        lost = twins[verdict[self._twin[twins]] != Verdict.FETCH]
        # They keep their twins: whatever the journal knows, no two rows of one id or one address end as kept.
        verdict[lost] = Verdict.NOT_CHOSEN

    def _tell(
        self, by_id: tuple[Positions, Positions], by_url: tuple[Positions, Positions]
    ) -> None:
        self._tell_pairs(ProblemKind.SAME_ID, *by_id)
        self._tell_pairs(ProblemKind.SAME_ADDRESS, *by_url)
        here, there = (self._found.landmark[positions] for positions in by_url)
        differ = (here != there) & (here >= 0) & (there >= 0)
        self._tell_pairs(ProblemKind.TWO_LANDMARKS, by_url[0][differ], by_url[1][differ])

    def _tell_pairs(self, kind: ProblemKind, later: Positions, first: Positions) -> None:
        self._problems.count(kind, len(later))
        for here, there in zip(later.tolist(), first.tolist(), strict=True):
            if not self._problems.wants(kind):
                break
            one, other = self._row(there), self._row(here)
            words = {
                ProblemKind.SAME_ID: f"the id {other.image_id[:80]!r} is that of line {one.line}",
                ProblemKind.SAME_ADDRESS: f"{other.url[:200]} is the address of line {one.line}",
                ProblemKind.TWO_LANDMARKS: (
                    f"the address shows {other.landmark_id}, on line {one.line} {one.landmark_id}"
                ),
            }[kind]
            self._problems.tell(kind, other.line, words)

    def _crowded(self, good: Mask) -> Mask:
        is_crowded = np.zeros(self._found.n_rows, np.bool_)
        if self._found.name_hash is not None:
            found = clashes(self._found.name_hash, good, self._id_at, folded)
            is_crowded[found] = True
            self._problems.count(ProblemKind.CASE_OF_IDS, len(found))
            for position in found.tolist():
                if not self._problems.wants(ProblemKind.CASE_OF_IDS):
                    break
                row = self._row(position)
                words = f"the id {row.image_id[:80]!r} differs from another's in case only"
                self._problems.tell(ProblemKind.CASE_OF_IDS, row.line, words)
        return is_crowded

    def _folders(self) -> list[str]:
        """The folder of each landmark."""
        names = self._found.landmark_ids
        close = crowded([*names, UNKNOWN_FOLDER])
        folders = [stem_of(name, is_crowded=name in close) for name in names]
        for number, (name, folder) in enumerate(zip(names, folders, strict=True)):
            if name != folder:
                self._tell_landmark(number, name, folder, is_crowded=name in close)
        return folders

    def _tell_landmark(self, number: int, name: str, folder: str, *, is_crowded: bool) -> None:
        kind = ProblemKind.CASE_OF_LANDMARKS if is_crowded else ProblemKind.UNSAFE_LANDMARK
        self._problems.count(kind, 1)
        if self._problems.wants(kind):
            first = int(np.argmax(self._found.landmark == number))
            differs = "differs from another's in case only"
            odd = differs if is_crowded else f"is kept in a folder called {folder!r}"
            self._problems.tell(kind, self._row(first).line, f"the landmark {name[:80]!r} {odd}")

    def _row(self, position: int) -> ListRow:
        return self._source.at(int(self._found.offsets[position]), position + 1)

    def _id_at(self, position: int) -> str:
        return self._source.identity(int(self._found.offsets[position]))[0]

    def _url_at(self, position: int) -> str:
        return self._source.identity(int(self._found.offsets[position]))[1]
