"""Download over a work folder: list, journal and images become catalog, landmarks and report."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from pydantic import JsonValue

from cairn.base.errors import SettingsError
from cairn.base.settings import DownloadSettings, SelectSettings
from cairn.base.watching import Silent, Watch
from cairn.images.fetch.resolving import Lookup, is_private_literal, system_lookup
from cairn.images.fetch.rules import HostRules
from cairn.pipeline.download_run import DownloadRun
from cairn.pipeline.fetching import Surroundings, fetch_rows, require_ways_out, room_in_words
from cairn.pipeline.listed import LandmarkFacts, OtherLists, tables_of_list
from cairn.pipeline.odd_rows import with_odd_rows
from cairn.pipeline.results import Downloaded, Looked
from cairn.pipeline.settled import causes_to_retry, lifted_causes, limits_of, unsettled
from cairn.pipeline.work_folder import WorkFolder
from cairn.stages.download.cost import cost_of
from cairn.stages.download.journal import Journal
from cairn.stages.download.lists import open_list
from cairn.stages.download.orders import Ended
from cairn.stages.download.plan import Plan, make_plan
from cairn.stages.download.progress import Attended, unattended
from cairn.stages.download.space import free_for, shortage_ahead
from cairn.stages.download.twins import Mask


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

    hosts: a table of hosts over Cairn's own. retry_failed: a cause, or "all", to be tried again although
    it is no passing one. lookup: finds the addresses of a host. attended: entered while photos are fetched.
    Raises InputError where the list or the journal cannot be used, SettingsError where settings do not fit
    the list or what lies in `work` already, DiskError where the disk refuses.
    """
    place, chosen, shown = WorkFolder(Path(work)), settings or DownloadSettings(), watch or Silent()
    retried = causes_to_retry(retry_failed)
    require_ways_out(chosen)
    around = Surroundings(HostRules.read(hosts, settings=chosen), lookup, attended)
    with (
        place.locked(),
        open_list(Path(urls), columns=chosen.columns, scratch=place.root) as source,
        Journal.open(place.journal_path) as journal,
    ):
        plan = make_plan(source, selecting=selecting, watch=shown)
        run = DownloadRun(place, journal, chosen, OtherLists.of(place, source.name))
        ended = _ListRun(run, plan, around, shown).fetch(retried)
        facts: dict[str, LandmarkFacts] = {}
        tables = tables_of_list(plan, journal, facts)
        return run.finish(tables, facts, ended, command=f"cairn split {work}")


def look(
    work: str | Path,
    *,
    urls: str | Path,
    settings: DownloadSettings | None = None,
    selecting: SelectSettings | None = None,
    hosts: Path | None = None,
    retry_failed: str | None = None,
    odd_rows: Path | None = None,
    watch: Watch | None = None,
) -> Looked:
    """What is odd about a list and what fetching the rest of it will cost; nothing is fetched or written.

    hosts, retry_failed: as of `download`. odd_rows: a CSV that is written after all, with every odd row.
    Raises InputError where the list cannot be used, SettingsError where settings do not fit it.
    """
    place, chosen = WorkFolder(Path(work)), settings or DownloadSettings()
    retried = causes_to_retry(retry_failed)
    rules = HostRules.read(hosts, settings=chosen)
    with open_list(Path(urls), columns=chosen.columns) as source:
        make = partial(make_plan, source, selecting=selecting, watch=watch or Silent())
        plan = make() if odd_rows is None else with_odd_rows(odd_rows, make)
        wanted = plan.to_fetch
        if place.journal_path.exists():
            with Journal.open(place.journal_path) as journal:
                lifted = lifted_causes(chosen, limits_of(journal, source.name))
                wanted = unsettled(plan, journal, retried=retried | lifted)
        cost = cost_of(plan, wanted, settings=chosen, rule_of=rules.of)
        n_private = 0 if chosen.allow_private else _n_private(plan, wanted)
        room = room_in_words(
            cost.kept_bytes, cost.n_files, free=free_for(place.root), settings=chosen
        )
        return Looked(
            source.name, plan.counts(), int(wanted.sum()), n_private, plan.problems, cost, room
        )


def _n_private(plan: Plan, wanted: Mask) -> int:
    """How many wanted rows have a host that anyone can see to lie inside a private network."""
    queues = plan.queues(wanted)
    return sum(
        len(rows)
        for host, rows in queues.items()
        if is_private_literal(urlsplit(f"//{host}").hostname or host)
    )


@dataclass(frozen=True)
class _ListRun:
    """One run over the plan of one list."""

    run: DownloadRun
    plan: Plan
    around: Surroundings
    watch: Watch

    def fetch(self, retried: frozenset[str]) -> Ended:
        """How the run over what is not there yet ended."""
        _require_contact(self.plan, self.around.rules, self.run.settings)
        self.run.begin(self.plan)
        wanted = unsettled(self.plan, self.run.journal, retried=retried)
        self._warn_of_shortage(wanted)
        place_of = partial(self.run.others.place_of, self.plan)
        with self.run.output(place_of, self._about) as (output, record):
            ended = fetch_rows(
                self.run.place, self.plan, wanted, output=output, journal=record,
                settings=self.run.settings, around=self.around,
            )  # fmt: skip
        self.run.end(ended)
        return ended

    def _warn_of_shortage(self, wanted: Mask) -> None:
        settings = self.run.settings
        cost = cost_of(self.plan, wanted, settings=settings, rule_of=self.around.rules.of)
        shortage = shortage_ahead(
            cost.kept_bytes, cost.n_files, free=free_for(self.run.place.root),
            spare_bytes=settings.spare_disk_mb * 1_000_000,
        )  # fmt: skip
        if shortage is not None:
            self.watch.note(shortage)

    def _about(self, index: int) -> dict[str, JsonValue]:
        """What a shard says of an image beside it."""
        row = self.plan.row(index)
        return {
            "id": self.run.others.id_of(row.image_id),
            "landmark_id": row.landmark_id,
            "url": row.url,
            "licence": row.licence,
            "author": row.author,
        }


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
        source = f", see {rules.of(host).source}" if rules.of(host).source else ""
        raise SettingsError(
            [
                f"--contact is not given; {host} ({n:,} rows of the list){more} answers only those who can be reached"
                f"{source}; add a mail address or page of yours: --contact you@example.org"
            ]
        )
