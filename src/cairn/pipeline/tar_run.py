"""One part of a data set downloaded from its tars: plan, tars, crew, and the rows for the catalog."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import JsonValue

from cairn.base.settings import SelectSettings
from cairn.base.watching import Watch
from cairn.engines.local import processors
from cairn.pipeline.dataset_choice import ChosenPart, DatasetChoice
from cairn.pipeline.dataset_lists import facts_of
from cairn.pipeline.download_run import DownloadRun
from cairn.pipeline.fetching import (
    Surroundings,
    counted_pace,
    failure_limit,
    open_client,
    open_decoders,
)
from cairn.pipeline.listed import ROWS_A_PART
from cairn.pipeline.results import DownloadedPart
from cairn.pipeline.settled import unsettled
from cairn.stages.download.cost import kept_bytes_of
from cairn.stages.download.journal import Journal
from cairn.stages.download.orders import Ended, Output, Record
from cairn.stages.download.outputs import N_WRITERS
from cairn.stages.download.progress import Attendance, Counts
from cairn.stages.download.rows import keys_of
from cairn.stages.download.space import Room, free_at, free_for, shortage_ahead
from cairn.stages.gld.part_catalog import listed_part, odd_lines_of_part, part_catalog_rows
from cairn.stages.gld.part_plan import PartPlan, folder_of, make_part_plan
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.resuming import FileFetcher
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tar_choice import TarChoice, end_of_unfound, tars_to_read
from cairn.stages.gld.tar_crew import TARS_ON_DISK, TarCrew
from cairn.stages.gld.tar_fetching import DatasetFetcher
from cairn.stages.gld.tar_orders import TarHands, TarOrders
from cairn.stages.gld.tar_state import STATE_NAME, TarState


@dataclass(frozen=True)
class TarRun:
    """One run over the tars of one part; `paths` are its lists by name."""

    run: DownloadRun
    choice: DatasetChoice
    part: ChosenPart
    paths: Mapping[str, Path]
    around: Surroundings
    watch: Watch

    def download(
        self, *, selecting: SelectSettings | None, retried: frozenset[str], command: str
    ) -> DownloadedPart:
        """What the run left: every row of the part has its end."""
        dataset, part, folder = self.choice.dataset, self.part.part, self._folder
        with PartRows(dataset, part, self.paths, is_clean=self.part.is_clean) as rows:
            plan = make_part_plan(
                rows, list_name=self.part.list_name, selecting=selecting, watch=self.watch
            )
            self.run.begin(plan)
            wanted = unsettled(plan, self.run.journal, retried=retried)
            ended = self._fetch(plan, wanted)
            self.run.end(ended)
            rows.open_credits()
            state = TarState(folder / STATE_NAME)
            tables = tables_of_part(plan, self.run.journal, end_of_unfound(part, state))
            done = self.run.finish(
                tables, facts_of(self.part, self.paths), ended, command=command,
                report=f"download_{self.part.list_name.replace('/', '_')}",
            )  # fmt: skip
        failed = {tar: cause for tar, cause in state.failed().items() if tar in part.tars}
        n_unread = len(state.left(part.tars)) - len(failed)
        return DownloadedPart(done.work, done, part.n_tars, n_unread, failed)

    @property
    def _folder(self) -> Path:
        return self.run.place.dataset(self.choice.name)

    def _fetch(self, plan: PartPlan, wanted: npt.NDArray[np.bool_]) -> Ended:
        """How the run over the tars that may hold wanted photos ended."""
        sought = Sought(plan.rows, wanted)
        state = TarState(self._folder / STATE_NAME)
        choose = partial(tars_to_read, self.part.part, sought, state=state, folder=self._folder)
        todo = choose(n_tars=self.choice.n_tars)
        self._warn_of_shortage(todo)
        # Until they are read again, nobody can say that a photo is not in them.
        needed = choose().tars
        state.forget(tar for tar in needed if tar not in state.left(needed))
        if self.run.settings.output == "shards":
            plan.rows.open_credits()
        images = _Images(plan, self.run)
        with (
            self.run.output(images.place, images.about) as (output, record),
            self.around.attended() as attendance,
        ):
            return asyncio.run(self._run_crew(plan, sought, todo, output, record, attendance))

    def _warn_of_shortage(self, todo: TarChoice) -> None:
        settings = self.run.settings
        n_bytes = todo.n_photos * kept_bytes_of(settings)
        n_bytes += min(TARS_ON_DISK, len(todo.tars)) * self.part.part.tar_mb * 1_000_000
        shortage = shortage_ahead(
            n_bytes, 0 if settings.output == "shards" else todo.n_photos,
            free=free_for(self.run.place.root), spare_bytes=settings.spare_disk_mb * 1_000_000,
        )  # fmt: skip
        if shortage is not None:
            self.watch.note(shortage)

    async def _run_crew(
        self, plan: PartPlan, sought: Sought, todo: TarChoice, output: Output, record: Record,
        attendance: Attendance,
    ) -> Ended:  # fmt: skip
        settings, counts = self.run.settings, Counts()
        spare_bytes = settings.spare_disk_mb * 1_000_000
        room = Room(lambda: free_at(self.run.place.root), spare_bytes=spare_bytes)
        pace = counted_pace(counts, settings, self.around)
        async with (
            open_client(settings, lookup=self.around.lookup) as client,
            open_decoders(settings) as decoders,
        ):
            files = FileFetcher(client, spare_bytes=spare_bytes, pace=pace, note=self.watch.note)
            tars = DatasetFetcher(
                files, self.choice.dataset, self._folder, base=self.choice.base, watch=self.watch
            )
            orders = TarOrders(
                tars=todo.tars,
                sought=sought,
                key_of=lambda index: int(plan.key[index]),
                address_of=tars.address,
                n_rows=todo.n_photos,
                n_at_once=2 * (settings.decoders or processors()) + N_WRITERS,
                max_bytes=settings.max_bytes,
                is_too_much=failure_limit(settings.max_failures),
            )
            hands = TarHands(tars, decoders, output, record, room, counts, self.watch.note)
            crew = TarCrew(orders, hands, stopping=attendance.stopping, tell=attendance.tell)
            return await crew.run()


@dataclass(frozen=True)
class _Images:
    """Where the images of a part go, and what shards say of them."""

    plan: PartPlan
    run: DownloadRun

    def place(self, index: int) -> str:
        """Where the image of a row goes, without its suffix."""
        row = self.plan.rows.at(index)
        return f"{folder_of(row)}/{self.run.others.id_of(row.image_id)}"

    def about(self, index: int) -> dict[str, JsonValue]:
        """What a shard says of an image beside it."""
        row = self.plan.rows.at(index)
        return {
            "id": self.run.others.id_of(row.image_id),
            "landmark_id": row.landmark_ids[0] if row.landmark_ids else None,
            "url": row.url or None,
            "licence": row.credit.licence,
            "author": row.credit.author,
        }


def tables_of_part(
    plan: PartPlan, journal: Journal, unfound: tuple[str, str]
) -> Iterator[pl.DataFrame]:
    """The catalog's rows of a part as the journal knows them, in order, some at a time.

    unfound: status and cause of wanted rows of which it knows nothing.
    Behind the last, the lists are closed.
    """
    all_rows = plan.rows.rows()
    while rows := list(islice(all_rows, ROWS_A_PART)):
        listed = listed_part(plan, rows)
        outcomes = journal.outcomes(keys_of(listed).to_numpy())
        yield part_catalog_rows(
            rows, listed, outcomes, list_name=plan.list_name, end_of_unfound=unfound
        )
    if plan.rows.n_odd_lines:
        yield odd_lines_of_part(plan)
    # Joining needs the memory.
    plan.rows.close()
    journal.let_go()
