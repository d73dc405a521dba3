"""Download over a work folder: list, journal and images become catalog, landmarks and report."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import JsonValue

from cairn.base.checks import nearest_name
from cairn.base.errors import SettingsError
from cairn.base.files import Card
from cairn.base.settings import DownloadSettings, SelectSettings
from cairn.base.watching import Silent, Watch
from cairn.images.fetch.causes import PASSING, FetchCause
from cairn.images.fetch.resolving import Lookup, system_lookup
from cairn.images.fetch.rules import HostRules
from cairn.images.pixels import Cause
from cairn.pipeline.fetching import Surroundings, fetch_rows
from cairn.pipeline.listed import OtherLists, write_rows
from cairn.pipeline.results import Downloaded, Looked
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import KEPT, Catalog
from cairn.records.tally import Tally, tally_of
from cairn.reports.downloads import DownloadContents, write_download_report
from cairn.stages.download.astray import KnownPaths, forget_lost, sweep_images
from cairn.stages.download.cost import cost_of
from cairn.stages.download.journal import Journal
from cairn.stages.download.lists import open_list
from cairn.stages.download.orders import Ended, Output, Record
from cairn.stages.download.outputs import FolderOutput, ShardOutput
from cairn.stages.download.plan import Plan, make_plan
from cairn.stages.download.progress import Attended, unattended
from cairn.version import __version__

ANY_CAUSE = "all"
MADE_WITH = "made with"
MOST_TIMES = 400
# What decides which bytes are kept of a photo; the images of one work folder are made in one way.
MAKING = ("max_side_px", "side", "quality", "as_it_came", "output")


@dataclass(frozen=True)
class Addresses:
    """What is downloaded: a list of addresses, and all that `download` may be told of it."""

    urls: Path
    settings: DownloadSettings | None = None
    selecting: SelectSettings | None = None
    hosts: Path | None = None
    lookup: Lookup = system_lookup
    attended: Attended = unattended

    def download(self, work: str | Path, *, watch: Watch) -> Downloaded:
        """What `download` leaves in `work`."""
        return download(
            work, urls=self.urls, settings=self.settings, selecting=self.selecting, hosts=self.hosts,
            lookup=self.lookup, attended=self.attended, watch=watch,
        )  # fmt: skip


def download(
    work: str | Path,
    *,
    urls: str | Path,
    settings: DownloadSettings | None = None,
    selecting: SelectSettings | None = None,
    hosts: Path | None = None,
    retry_failed: str | None = None,
    lookup: Lookup = system_lookup,
    attended: Attended = unattended,
    watch: Watch | None = None,
) -> Downloaded:
    """The photos of a list of addresses, fetched into `work`; see docs/download.md.

    hosts: a table of hosts in place of Cairn's own. retry_failed: a cause, or "all", to be tried again although
    it is no passing one. lookup: finds the addresses of a host. attended: entered while photos are fetched.
    Raises InputError where the list or the journal cannot be used, SettingsError where settings do not fit
    the list or what lies in `work` already, DiskError where the disk refuses.
    """
    place, chosen, shown = WorkFolder(Path(work)), settings or DownloadSettings(), watch or Silent()
    retried = _causes_to_retry(retry_failed)
    around = Surroundings(HostRules.read(hosts, settings=chosen), lookup, attended)
    with (
        place.locked(),
        open_list(Path(urls), columns=chosen.columns, scratch=place.root) as source,
        Journal.open(place.journal_path) as journal,
    ):
        plan = make_plan(source, selecting=selecting, watch=shown)
        run = _Run(place, plan, journal, chosen, around, OtherLists.of(place, source.name))
        ended = run.fetch(retried)
        report = run.write(ended, f"cairn split {work}")
        tally = tally_of(place.catalog_path, source.name)
    return Downloaded(place, tally, report, ended.was_stopped, ended.failed_too_often)


def look(
    work: str | Path,
    *,
    urls: str | Path,
    settings: DownloadSettings | None = None,
    selecting: SelectSettings | None = None,
    hosts: Path | None = None,
    watch: Watch | None = None,
) -> Looked:
    """What is odd about a list and what fetching the rest of it will cost; nothing is fetched or written.

    Raises InputError where the list cannot be used.
    """
    place, chosen = WorkFolder(Path(work)), settings or DownloadSettings()
    rules = HostRules.read(hosts, settings=chosen)
    with open_list(Path(urls), columns=chosen.columns) as source:
        plan = make_plan(source, selecting=selecting, watch=watch or Silent())
        wanted = plan.to_fetch
        if place.journal_path.exists():
            with Journal.open(place.journal_path) as journal:
                wanted = _wanted(plan, journal, frozenset())
        cost = cost_of(plan, wanted, settings=chosen, rule_of=rules.of)
        return Looked(source.name, plan.counts(), int(wanted.sum()), plan.problems, cost)


@dataclass(frozen=True)
class _Run:
    """One run over the plan of one list."""

    place: WorkFolder
    plan: Plan
    journal: Journal
    settings: DownloadSettings
    around: Surroundings
    others: OtherLists

    def fetch(self, retried: frozenset[str]) -> Ended:
        """How the run over what is not there yet ended."""
        self._require_one_making()
        _require_contact(self.plan, self.around.rules, self.settings)
        self._sweep(ended_well=self.journal.begin())
        wanted = _wanted(self.plan, self.journal, retried)
        with self._output() as (output, record):
            ended = fetch_rows(
                self.place, self.plan, wanted, output=output, journal=record,
                settings=self.settings, around=self.around,
            )  # fmt: skip
        # What was left in the middle of a photo may have left its file: the next run looks for such.
        if not ended.was_cut:
            self.journal.end()
        return ended

    @contextmanager
    def _output(self) -> Iterator[tuple[Output, Record]]:
        """Where images go, and what remembers them."""
        place = partial(self.others.place_of, self.plan)
        if self.settings.output == "folders":
            yield FolderOutput(self.place.root, place), self.journal
            return
        shards = ShardOutput(
            self.place.root, self.journal, place=place, about=self._about,
            shard_images=self.settings.shard_images,
        )  # fmt: skip
        try:
            yield shards, shards
        finally:
            shards.close()

    def _about(self, index: int) -> dict[str, JsonValue]:
        """What a shard says of an image beside it."""
        row = self.plan.row(index)
        return {
            "id": self.others.id_of(row.image_id),
            "landmark_id": row.landmark_id,
            "url": row.url,
            "licence": row.licence,
            "author": row.author,
        }

    def _sweep(self, *, ended_well: bool) -> None:
        """What a killed run left behind is gone, and images that have gone are to be fetched again."""
        known = None
        if not ended_well:
            paths = [table["path"] for table in self.journal.files()]
            if self.place.catalog_path.exists():
                paths.append(Catalog.scan(self.place.catalog_path).select("path").collect()["path"])
            known = KnownPaths(paths)
        sweep_images(self.place.root, known)
        forget_lost(self.place.root, self.journal)

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

    def write(self, ended: Ended, command: str) -> Path:
        """The path of the report; catalog, landmarks, card and report say how each row ended."""
        write_rows(
            self.place, self.plan, self.journal, others=self.others,
            placeholder_ids=self.settings.placeholder_ids,
        )  # fmt: skip
        tally = tally_of(self.place.catalog_path, self.plan.source.name)
        said: dict[str, JsonValue] = {
            f"{status}: {cause}" if cause else status: n for status, cause, n in tally.ends
        }
        Card(
            stage="download", version=__version__, settings=self.settings.as_json(), inputs={},
            outputs={}, said=said,
        ).write(self.place.card_path("download"))  # fmt: skip
        path = self.place.reports / "download" / "report.html"
        times = _times(self.place, tally)
        write_download_report(path, DownloadContents(tally, times, self._facts(ended), command))
        return path

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
            ("list", self.plan.source.name),
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


def _wanted(plan: Plan, journal: Journal, retried: frozenset[str]) -> npt.NDArray[np.bool_]:
    """Which rows are to be fetched now: not those that are here, nor those that failed for good."""
    failed = journal.failed()
    is_settled = ~failed["cause"].is_in(sorted({*map(str, PASSING), *retried}))
    settled = failed.filter(is_settled)["key"].to_numpy()
    done = np.concatenate([journal.kept_keys(), settled])
    return np.asarray(plan.to_fetch & ~np.isin(plan.key, done), np.bool_)


def _causes_to_retry(named: str | None) -> frozenset[str]:
    """The causes that are tried again although they do not pass by themselves.

    Raises SettingsError where `named` is no cause.
    """
    known = {*map(str, FetchCause), *map(str, Cause)}
    if named is None:
        return frozenset()
    if named == ANY_CAUSE:
        return frozenset(known)
    if named not in known:
        raise SettingsError(
            [
                f"--retry-failed is {named!r}; expected: a cause of the last table{nearest_name(named, known)}, or nothing behind it"
            ]
        )
    return frozenset({named})


def _require_contact(plan: Plan, rules: HostRules, settings: DownloadSettings) -> None:
    """Nothing, where --contact is given or no host of the list asks for it; otherwise raises SettingsError."""
    if settings.contact:
        return
    n_rows = np.bincount(plan.host[plan.to_fetch & (plan.host >= 0)], minlength=len(plan.hosts))
    asking = {host: int(n) for host, n in zip(plan.hosts, n_rows, strict=True)
              if n and rules.of(host).contact_required}  # fmt: skip
    if asking:
        host, n = max(asking.items(), key=lambda item: item[1])
        more = f" and {len(asking) - 1} more hosts" if len(asking) > 1 else ""
        raise SettingsError(
            [
                f"--contact is not given; {host} ({n:,} rows of the list){more} asks for a way to reach whoever fetches "
                f"many photos ({rules.of(host).source}); add --contact with a mail address or page of yours"
            ]
        )
