"""Data sets that are known by name, downloaded over a work folder, or looked at before: list by list, part by part."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cairn.base.errors import InputError
from cairn.base.settings import DownloadSettings, SelectSettings
from cairn.base.watching import Silent, Watch
from cairn.images.fetch.resolving import Lookup, system_lookup
from cairn.images.fetch.rules import HostRules
from cairn.pipeline.dataset_choice import ChosenPart, DatasetChoice
from cairn.pipeline.dataset_lists import (
    facts_of,
    fetch_lists,
    list_of_addresses,
    lists_here,
    require_lists,
)
from cairn.pipeline.download_run import DownloadRun
from cairn.pipeline.downloading import download, look
from cairn.pipeline.fetching import Surroundings, room_in_words
from cairn.pipeline.listed import OtherLists, write_landmarks
from cairn.pipeline.results import DownloadedPart, Looked, LookedPart
from cairn.pipeline.settled import causes_to_retry, lifted_causes, limits_of, unsettled
from cairn.pipeline.tar_run import TarRun
from cairn.pipeline.work_folder import WorkFolder
from cairn.stages.download.cost import kept_bytes_of
from cairn.stages.download.journal import Journal
from cairn.stages.download.progress import Attended, unattended
from cairn.stages.download.space import free_for
from cairn.stages.download.verdicts import Verdict
from cairn.stages.gld.part_plan import PartPlan, make_part_plan
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tar_choice import TarChoice, tars_to_read
from cairn.stages.gld.tar_crew import TARS_ON_DISK
from cairn.stages.gld.tar_fetching import LISTS_FOLDER
from cairn.stages.gld.tar_state import STATE_NAME, TarState

# What a line brings of which nothing is said.
ASSUMED_MBIT = 100.0
MOST_ROWS_TOLD = 5


@dataclass(frozen=True)
class DatasetDownload:
    """A data set, and all that its download may be told.

    hosts, lookup, attended: as for `download`.
    """

    choice: DatasetChoice
    settings: DownloadSettings | None = None
    selecting: SelectSettings | None = None
    hosts: Path | None = None
    retry_failed: str | None = None
    lookup: Lookup = system_lookup
    attended: Attended = unattended

    def download(self, work: str | Path, *, watch: Watch | None = None) -> list[DownloadedPart]:
        """What the download of each part left in `work`; a run that was ended early leaves the parts after it.

        Ended while lists were fetched, it leaves none.

        Raises InputError where a list cannot be had or used, SettingsError where settings do not fit what lies
        in `work` already, DiskError where the disk refuses.
        """
        place, shown = WorkFolder(Path(work)), watch or Silent()
        retried = causes_to_retry(self.retry_failed)
        if not self.choice.uses_tars:
            return self._by_addresses(place, shown)
        settings = self.settings or DownloadSettings()
        with place.locked(), Journal.open(place.journal_path) as journal:
            paths = self._lists(place, shown)
            left: list[DownloadedPart] = []
            if paths is None:
                return left
            for part in self.choice.chosen:
                run = DownloadRun(place, journal, settings, OtherLists.of(place, part.list_name))
                tar_run = TarRun(run, self.choice, part, paths, self._around, shown)
                left.append(
                    tar_run.download(
                        selecting=self.selecting, retried=retried, command=f"cairn split {work}"
                    )
                )
                if left[-1].downloaded.was_stopped or left[-1].downloaded.failed_too_often:
                    break
        return left

    def look(self, work: str | Path, *, watch: Watch | None = None) -> list[Looked | LookedPart]:
        """What fetching the rest of each part will cost; nothing is fetched, and nothing written to `work`.

        Raises InputError where a list cannot be used, or is needed and not here.
        """
        place, shown = WorkFolder(Path(work)), watch or Silent()
        causes_to_retry(self.retry_failed)
        if self.choice.uses_tars:
            return [self._look_at_tars(place, part, shown) for part in self.choice.chosen]
        with tempfile.TemporaryDirectory() as folder:
            return [
                look(
                    work, urls=self._address_list(place, part, Path(folder)), settings=self.settings,
                    selecting=self.selecting, hosts=self.hosts, retry_failed=self.retry_failed,
                    watch=shown,
                )
                for part in self.choice.chosen
            ]  # fmt: skip

    @property
    def _around(self) -> Surroundings:
        rules = HostRules.read(self.hosts, settings=self.settings or DownloadSettings())
        return Surroundings(rules, self.lookup, self.attended)

    def _lists(self, place: WorkFolder, watch: Watch) -> dict[str, Path] | None:
        """Every list of the chosen parts, fetched where it is not here; None where the end was asked for before."""
        names = [name for part in self.choice.chosen for name in part.lists(self.choice.dataset)]
        return fetch_lists(
            self.choice, place.dataset(self.choice.name), names,
            settings=self.settings or DownloadSettings(), around=self._around, watch=watch,
        )  # fmt: skip

    def _by_addresses(self, place: WorkFolder, watch: Watch) -> list[DownloadedPart]:
        left: list[DownloadedPart] = []
        for part in self.choice.chosen:
            with place.locked():
                is_served = self.choice.dataset.base or self.choice.base
                if is_served and self._lists(place, watch) is None:
                    return left
                folder = place.dataset(self.choice.name) / LISTS_FOLDER
                urls = self._address_list(place, part, folder)
            done = download(
                place.root, urls=urls, settings=self.settings, selecting=self.selecting,
                hosts=self.hosts, retry_failed=self.retry_failed, lookup=self.lookup,
                attended=self.attended, watch=watch,
            )  # fmt: skip
            with place.locked():
                self._tell_kinds(place, part)
            left.append(DownloadedPart(place, done, 0, 0, {}))
            if done.was_stopped or done.failed_too_often:
                break
        return left

    def _tell_kinds(self, place: WorkFolder, part: ChosenPart) -> None:
        """The landmarks of `place` have all that the lists say of them: a list of addresses holds no more than names."""
        names = part.part.names or ()
        facts = facts_of(part, lists_here(self.choice, place.dataset(self.choice.name), names))
        if facts:
            write_landmarks(place, facts)

    def _address_list(self, place: WorkFolder, part: ChosenPart, folder: Path) -> Path:
        """The list of addresses of a part: its own, where it has no other lists, else one made of all of them."""
        names = part.lists(self.choice.dataset)
        if names == [part.part.images]:
            return require_lists(self.choice, names)[part.part.images]
        paths = lists_here(self.choice, place.dataset(self.choice.name), names)
        missing = [name for name in names if name not in paths]
        if missing:
            raise InputError(
                f"{self.choice.name} has not all its lists here: {', '.join(missing)} are missing; all of them were "
                "expected, to say what their addresses cost; name a folder with --lists, or leave --dry-run, which "
                "fetches them"
            )
        return list_of_addresses(self.choice.dataset, part, paths, folder)

    def _look_at_tars(self, place: WorkFolder, part: ChosenPart, watch: Watch) -> LookedPart:
        dataset, folder = self.choice.dataset, place.dataset(self.choice.name)
        names = part.lists(dataset)
        paths = lists_here(self.choice, folder, names)
        missing = tuple(name for name in names if name not in paths)
        state = TarState(folder / STATE_NAME)
        if missing:
            todo = TarChoice(part.part.tars[: self.choice.n_tars or None], 0)
            n_rows = dataset.list_file(part.part.images).n_rows
            return self._looked(place, part, missing, (n_rows, None, None), todo, odd=())
        with PartRows(dataset, part.part, paths, is_clean=part.is_clean) as rows:
            plan = make_part_plan(
                rows, list_name=part.list_name, selecting=self.selecting, watch=watch
            )
            wanted = plan.to_fetch
            if place.journal_path.exists():
                with Journal.open(place.journal_path) as journal:
                    wanted = unsettled(plan, journal, retried=self._retried(journal, part))
            todo = tars_to_read(
                part.part, Sought(rows, wanted), state=state, folder=folder,
                n_tars=self.choice.n_tars,
            )  # fmt: skip
            n_rows = len(plan) + rows.n_odd_lines
            counts = (n_rows, int(plan.to_fetch.sum()), int(wanted.sum()))
            return self._looked(place, part, missing, counts, todo, odd=tuple(_odd(plan)))

    def _retried(self, journal: Journal, part: ChosenPart) -> frozenset[str]:
        settings = self.settings or DownloadSettings()
        lifted = lifted_causes(settings, limits_of(journal, part.list_name))
        return causes_to_retry(self.retry_failed) | lifted

    def _looked(
        self,
        place: WorkFolder,
        part: ChosenPart,
        missing: tuple[str, ...],
        counts: tuple[int | None, int | None, int | None],
        todo: TarChoice,
        *,
        odd: tuple[str, ...],
    ) -> LookedPart:
        settings = self.settings or DownloadSettings()
        tar_bytes = part.part.tar_mb * 1_000_000
        received = len(todo.tars) * tar_bytes
        mbit = settings.bandwidth_mbit or ASSUMED_MBIT
        disk = min(TARS_ON_DISK, len(todo.tars)) * tar_bytes
        kept = 0 if missing else round(todo.n_photos * self._kept_bytes(part, counts[0]))
        n_files = 0 if missing or settings.output == "shards" else todo.n_photos
        is_told = "--bandwidth-mbit" if settings.bandwidth_mbit else "where none is told"
        return LookedPart(
            list_name=part.list_name,
            missing_lists=missing,
            n_rows=counts[0],
            n_chosen=counts[1],
            n_wanted=counts[2],
            odd=odd,
            n_tars=part.part.n_tars,
            n_tars_to_read=len(todo.tars),
            n_photos=None if missing else todo.n_photos,
            received_bytes=received,
            disk_bytes=disk,
            kept_bytes=None if missing else kept,
            hours=received * 8 / (mbit * 1e6) / 3600,
            room=room_in_words(kept + disk, n_files, free=free_for(place.root), settings=settings),
            basis=f"an estimate: tars of about {part.part.tar_mb:,} MB, {mbit:g} Mbit/s ({is_told})",
        )

    def _kept_bytes(self, part: ChosenPart, n_rows: int | None) -> float:
        """Bytes of one kept image: never more than it has in its tar."""
        settings = self.settings or DownloadSettings()
        each = part.part.n_tars * part.part.tar_mb * 1_000_000 / max(n_rows or 0, 1)
        return each if settings.as_it_came else min(each, kept_bytes_of(settings))


def _odd(plan: PartPlan) -> Iterator[str]:
    """What is odd about the list of a part, a line each."""
    counts = plan.counts()
    malformed = np.flatnonzero(plan.verdict == Verdict.MALFORMED)
    if len(malformed):
        first = ", ".join(f"{row + 1:,}" for row in malformed[:MOST_ROWS_TOLD])
        more = " …" if len(malformed) > MOST_ROWS_TOLD else ""
        yield f"{len(malformed):,} × malformed row: {first}{more}"
    if plan.rows.n_odd_lines:
        yield (
            f"{plan.rows.n_odd_lines:,} × malformed row, without an id: the first is line "
            f"{plan.rows.first_odd_line:,}"
        )
    if counts[Verdict.SAME_ID]:
        yield f"{counts[Verdict.SAME_ID]:,} × duplicate id"
