"""What every download does before its photos come and after: settle what is wanted, sweep, write, count, report."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import polars as pl
from pydantic import JsonValue

from cairn.base.errors import SettingsError
from cairn.base.files import Card
from cairn.base.settings import DownloadSettings
from cairn.pipeline.holding import hold_decisions, known_landmarks
from cairn.pipeline.listed import LandmarkFacts, OtherLists, write_landmarks, write_rows
from cairn.pipeline.results import Downloaded
from cairn.pipeline.settled import Wishes, forget_lifted
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import KEPT, PENDING, Catalog
from cairn.records.tally import Tally, tally_of
from cairn.reports.downloads import DownloadContents, write_download_report
from cairn.stages.download.astray import KnownPaths, forget_lost, sweep_images
from cairn.stages.download.journal import Journal
from cairn.stages.download.orders import Ended, Output, Record
from cairn.stages.download.outputs import About, FolderOutput, Place, ShardOutput
from cairn.version import __version__

MADE_WITH = "made with"
MOST_TIMES = 400
PATHS_AT_ONCE = 1 << 18
# What decides which bytes are kept of a photo; the images of one work folder are made in one way.
MAKING = ("max_side_px", "side", "quality", "as_it_came", "output")


@dataclass(frozen=True)
class DownloadRun:
    """One run of a download of one list, apart from how its photos are fetched."""

    place: WorkFolder
    journal: Journal
    settings: DownloadSettings
    others: OtherLists

    def begin(self, plan: Wishes) -> None:
        """The journal knows that a run is under way, and what a killed one left behind is gone.

        What it says of rows of `plan` that failed by a limit which is higher now is forgotten: they are to be fetched.
        Raises SettingsError where the photos that are here were made in another way.
        """
        self._require_one_making()
        self._sweep(ended_well=self.journal.begin())
        forget_lifted(plan, self.journal, settings=self.settings, list_name=self.others.list_name)

    @contextmanager
    def output(self, place_of: Place, about: About) -> Iterator[tuple[Output, Record]]:
        """Where images go, and what remembers them."""
        if self.settings.output == "folders":
            yield FolderOutput(self.place.root, place_of), self.journal
            return
        shards = ShardOutput(
            self.place.root, self.journal, place=place_of, about=about,
            shard_images=self.settings.shard_images,
        )  # fmt: skip
        try:
            yield shards, shards
        finally:
            shards.close()

    def end(self, ended: Ended) -> None:
        """The journal knows that the run has come to its end, unless photos were left in the middle."""
        # What was left so may have left its file: the next run looks for such.
        if not ended.was_cut:
            self.journal.end()

    def finish(
        self,
        tables: Iterable[pl.DataFrame],
        facts: Mapping[str, LandmarkFacts],
        ended: Ended,
        *,
        command: str,
        report: str = "download",
    ) -> Downloaded:
        """What the run left: catalog, landmarks, card and report say how each row ended.

        tables: the rows of the list for the catalog, in order, some at a time. facts: what the list says of
        landmarks; read after the last table. report: the name of the report's folder.
        """
        list_name, known = self.others.list_name, known_landmarks(self.place)
        write_rows(
            self.place, tables, others=self.others, placeholder_ids=self.settings.placeholder_ids
        )
        write_landmarks(self.place, facts)
        hold_decisions(self.place, known=known)
        tally = tally_of(self.place.catalog_path, list_name)
        self._write_card(tally)
        path = self.place.reports / report / "report.html"
        times = _times(self.place, tally)
        next_step = "the same command again" if tally.count(PENDING) else command
        write_download_report(path, DownloadContents(tally, times, self._facts(ended), next_step))
        return Downloaded(self.place, tally, path, ended.was_stopped, ended.failed_too_often)

    def _write_card(self, tally: Tally) -> None:
        said: dict[str, JsonValue] = {
            f"{status}: {cause}" if cause else status: n for status, cause, n in tally.ends
        }
        Card(
            stage="download", version=__version__, settings=self.settings.as_json(), inputs={},
            outputs={}, said=said,
        ).write(self.place.card_path("download"))  # fmt: skip

    def _sweep(self, *, ended_well: bool) -> None:
        """What a killed run left behind is gone, and images that have gone are to be fetched again."""
        known = None
        if not ended_well:
            known = KnownPaths(self._named_paths())
        sweep_images(self.place.root, known)
        forget_lost(self.place.root, self.journal)

    def _named_paths(self) -> Iterator[pl.Series]:
        """The path of every image that the journal or the catalog names, some at a time: there may be millions."""
        for table in self.journal.files():
            yield table["path"]
        if self.place.catalog_path.exists():
            paths = Catalog.scan(self.place.catalog_path).select("path")
            n_rows = paths.select(pl.len()).collect().item()
            for start in range(0, n_rows, PATHS_AT_ONCE):
                yield paths.slice(start, PATHS_AT_ONCE).collect()["path"]

    def _require_one_making(self) -> None:
        """Nothing, where the photos here were made as this run makes them; otherwise raises SettingsError."""
        made_with = {name: self.settings.as_json()[name] for name in MAKING}
        before = self.journal.note(MADE_WITH)
        if isinstance(before, dict) and len(self.journal.kept_keys()):
            differ = [name for name in MAKING if before.get(name) != made_with[name]]
            if differ:
                raise SettingsError(
                    [
                        f"--{name.replace('_', '-')} is {made_with[name]!r}; {before.get(name)!r} was expected, as "
                        f"the images in {self.place.root} were made; go on with that, or name another work folder"
                        for name in differ
                    ]
                )
        self.journal.write_note(MADE_WITH, made_with)

    def _facts(self, ended: Ended) -> tuple[tuple[str, str], ...]:
        settings = self.settings
        size = (
            "as they came"
            if settings.as_it_came
            else f"{settings.side} side at most {settings.max_side_px} px"
        )
        how = (
            "ended before all was fetched"
            if ended.was_stopped or ended.failed_too_often
            else "ran to its end"
        )
        return (
            ("list", self.others.list_name),
            ("work folder", self.place.root.resolve().as_posix()),
            ("images", f"{size}, in {settings.output}"),
            (
                "last run",
                f"{how}; {ended.counts.n_done:,} rows, {ended.counts.bytes_received / 1e6:,.1f} MB received",
            ),
            ("Cairn", __version__),
        )


def _times(place: WorkFolder, tally: Tally) -> list[float]:
    """When images of the list were fetched, seconds since the first, at most some hundred of them."""
    rows = Catalog.scan(place.catalog_path).filter(
        (pl.col("list") == tally.list_name) & (pl.col("status") == KEPT)
    )
    times = rows.select(pl.col("fetched_at").drop_nulls().dt.epoch("ms").sort()).collect()
    moments = times.to_series().to_numpy() / 1000
    if len(moments) > MOST_TIMES:
        moments = moments[np.linspace(0, len(moments) - 1, MOST_TIMES).astype(np.int64)]
    return [float(moment - moments[0]) for moment in moments]
