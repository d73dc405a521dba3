"""The command that fetches: download."""

from collections.abc import Sequence
from pathlib import Path

from cairn.base.checks import counted, duration
from cairn.base.errors import SettingsError
from cairn.base.settings import DownloadSettings, SelectSettings
from cairn.cli.datasets import OPTIONS as OPTIONS_OF_DATASETS
from cairn.cli.datasets import choice_of, looked_at_part, next_of_part, tars_of
from cairn.cli.display import TerminalWatch, program, say, table
from cairn.cli.flags import Given, Option, Shape, Word, parse
from cairn.cli.live import Signals, attended
from cairn.images.fetch.causes import PASSING, FetchCause
from cairn.images.fetch.rules import shipped_table
from cairn.pipeline.dataset_choice import DatasetChoice
from cairn.pipeline.datasets import DatasetDownload
from cairn.pipeline.downloading import download, look
from cairn.pipeline.results import Downloaded, Looked
from cairn.pipeline.settled import ANY_CAUSE
from cairn.records.catalog import PENDING
from cairn.stages.download.cost import Cost
from cairn.stages.download.verdicts import Verdict

WORK = Word("WORK", "the work folder: where this project's data lies")
URLS = Option("--urls", "the list: a CSV with a column of addresses", value="CSV")
HOSTS = Option(
    "--hosts", "a table of hosts and their rules, laid over Cairn's own: a host that both name has yours", value="TOML"
)  # fmt: skip
SHOW_HOSTS = Option("--show-hosts", "print Cairn's own table of hosts, and do nothing else", is_switch=True)  # fmt: skip
DRY_RUN = Option(
    "--dry-run", "say what is odd about the list and what it will cost; fetch nothing", is_switch=True
)  # fmt: skip
ODD_ROWS = Option(
    "--odd-rows", "with --dry-run: a CSV to write every odd row to, not only the first of each kind", value="CSV"
)  # fmt: skip
RETRY = Option(
    "--retry-failed", "try again what failed for good too: all of it, or one cause such as 'not found'",
    value="CAUSE", bare=ANY_CAUSE,
)  # fmt: skip
MOST_HOSTS, MOST_LINES = 10, 5
FAILED_TOO_OFTEN = 1


def download_command(arguments: Sequence[str]) -> int:
    """Addresses become checked images."""
    summary = "A list of addresses becomes checked images in landmark folders; the same command again goes on."
    shape = Shape(
        (WORK,),
        (URLS, *OPTIONS_OF_DATASETS, HOSTS, SHOW_HOSTS, RETRY, DRY_RUN, ODD_ROWS),
        {"download": DownloadSettings, "select": SelectSettings},
    )
    if SHOW_HOSTS.flag in arguments:
        say(shipped_table().strip())
        return 0
    given = parse("download", summary, shape, arguments)
    _require_dry_run(given)
    choice = choice_of(given, URLS)
    if choice is not None:
        return _download_dataset(given, choice)
    if DRY_RUN.flag in given.switches:
        say(looked(_look(given), given.words["WORK"], odd_rows=given.path(ODD_ROWS.flag)))
        return 0
    signals = Signals()
    done = download(
        given.words["WORK"],
        urls=required_list(given),
        settings=given.settings("download", DownloadSettings),
        selecting=given.settings("select", SelectSettings),
        hosts=given.path(HOSTS.flag),
        retry_failed=given.options.get(RETRY.flag),
        attended=lambda: attended(signals),
        watch=TerminalWatch(),
    )
    say(downloaded(done))
    say(f"next: {_next(done)}")
    return signals.exit_code or (FAILED_TOO_OFTEN if done.failed_too_often else 0)


def _require_dry_run(given: Given) -> None:
    """Nothing, where odd rows are asked for of a dry run over one list, or not at all; otherwise raises SettingsError."""
    if ODD_ROWS.flag in given.options and (
        DRY_RUN.flag not in given.switches or URLS.flag not in given.options
    ):
        raise SettingsError(
            [
                f"{ODD_ROWS.flag} goes with {URLS.flag} and {DRY_RUN.flag}; expected: both of them; after a run, every "
                "row of the list is in the catalog with its cause"
            ]
        )


def _download_dataset(given: Given, choice: DatasetChoice) -> int:
    signals, watch = Signals(), TerminalWatch()
    asked = DatasetDownload(
        choice,
        settings=given.settings("download", DownloadSettings),
        selecting=given.settings("select", SelectSettings),
        hosts=given.path(HOSTS.flag),
        retry_failed=given.options.get(RETRY.flag),
        attended=lambda: attended(signals),
    )
    work = given.words["WORK"]
    if DRY_RUN.flag in given.switches:
        for found in asked.look(work, watch=watch):
            say(looked(found, work) if isinstance(found, Looked) else looked_at_part(found))
        return 0
    failed_too_often = False
    parts = asked.download(work, watch=watch)
    if not parts:
        say("ended while lists were fetched\nnext: the same command again goes on with them")
    for part in parts:
        say("\n".join(filter(None, (downloaded(part.downloaded), tars_of(part)))))
        say(f"next: {next_of_part(part, _next(part.downloaded))}")
        failed_too_often |= part.downloaded.failed_too_often
    return signals.exit_code or (FAILED_TOO_OFTEN if failed_too_often else 0)


def _look(given: Given) -> Looked:
    return look(
        given.words["WORK"],
        urls=required_list(given),
        settings=given.settings("download", DownloadSettings),
        selecting=given.settings("select", SelectSettings),
        hosts=given.path(HOSTS.flag),
        retry_failed=given.options.get(RETRY.flag),
        odd_rows=given.path(ODD_ROWS.flag),
        watch=TerminalWatch(),
    )


def required_list(given: Given) -> Path:
    """The list that was named; raises SettingsError where none was."""
    path = given.path(URLS.flag)
    if path is None:
        raise SettingsError(
            [
                "--urls is not given; a CSV with a column of addresses was expected: --urls list.csv, or a data set: "
                "--dataset gld-v2"
            ]
        )
    return path


def downloaded(done: Downloaded) -> str:
    """What download left: every row of the list, by how it ended and by host."""
    tally = done.tally
    kept = f"{counted(tally.n_kept, 'image')} of {counted(tally.n_landmarks, 'landmark')}"
    lines = [f"{counted(tally.n_rows, 'row')}: {kept}, {tally.n_bytes / 1e6:,.1f} MB"]
    ends = [
        (status if cause is None else f"{status}: {cause}", f"{n:,}")
        for status, cause, n in tally.ends
    ]
    lines.append(table(("ended as", "rows"), [*ends, ("all", f"{tally.n_rows:,}")]))
    hosts = [
        (
            host.host, *(f"{n:,}" for n in (host.n_rows, host.n_kept, host.n_failed, host.n_others)),
            ", ".join(f"{n:,} {cause}" for cause, n in host.causes[:2]),
        )
        for host in (*tally.shown_hosts(MOST_HOSTS), tally.all_hosts)
    ]  # fmt: skip
    lines.append("")
    lines.append(table(("host", "rows", "kept", "failed", "neither", "failed most often"), hosts))
    lines.append("")
    if done.failed_too_often:
        lines.append(
            "ended early: --max-failures was reached; look at the causes, then run the same command again, or raise it"
        )
    lines.append(f"catalog: {done.work.catalog_path}")
    lines.append(f"report: {done.report}")
    return "\n".join(lines)


def _next(done: Downloaded) -> str:
    tally, work = done.tally, done.work.root
    n_waiting, n_passing = tally.count(PENDING), tally.of_causes(frozenset(map(str, PASSING)))
    if n_waiting:
        return f"the same command again fetches the {n_waiting:,} rows that are left"
    if done.was_stopped:
        # Rows that were to be fetched again, and were not reached, stand as they ended before.
        return "the same command again goes on where this one ended"
    if not tally.n_kept:
        if tally.of_causes(frozenset({str(FetchCause.PRIVATE)})):
            return "nothing was kept; if the private addresses above are yours, add --allow-private"
        return "nothing was kept; see what the causes above say"
    again = (
        f"   (or the same command again: {counted(n_passing, 'row')} may come now)"
        if n_passing
        else ""
    )
    return f"{program()} split {work}{again}"


def looked(found: Looked, work: str, *, odd_rows: Path | None = None) -> str:
    """What a dry run found, with line numbers, and what the run will cost; `odd_rows` holds all that is odd."""
    n_rows = sum(found.counts.values())
    lines = [f"{found.list_name}: {counted(n_rows, 'row')}, {found.n_wanted:,} to be fetched now"]
    fetched = found.counts[Verdict.FETCH]
    if fetched > found.n_wanted:
        lines.append(f"  {fetched - found.n_wanted:,} are settled already by {work}/journal.sqlite")
    if found.counts[Verdict.NOT_CHOSEN]:
        lines.append(f"  {found.counts[Verdict.NOT_CHOSEN]:,} are not chosen")
    if found.n_private:
        lines.append(
            f"  {found.n_private:,} will be refused: their host lies inside a private network; if it is yours, add --allow-private"
        )
    for kind, n in found.problems.counts.items():
        lines.append(f"{n:,} × {kind}")
        told = found.problems.first.get(kind, [])
        lines += [f"  line {line:,}: {words}" for line, words in told[:MOST_LINES]]
        if n > MOST_LINES:
            where = (
                f"{ODD_ROWS.flag} FILE lists all" if odd_rows is None else f"all are in {odd_rows}"
            )
            lines.append(f"  and {n - MOST_LINES:,} more: {where}")
    if not found.problems.counts:
        lines.append("nothing is odd about it")
    return "\n".join([*lines, *_costs(found.cost, found.room)])


def _costs(cost: Cost, room: str) -> list[str]:
    if not cost.n_rows:
        return ["nothing is left to fetch"]
    lines = [
        f"cost: {cost.received_bytes / 1e9:,.2f} GB received, {cost.kept_bytes / 1e9:,.2f} GB kept in "
        f"{counted(cost.n_files, 'file')}, about {duration(cost.hours * 3600)}",
        f"  {cost.basis}",
        room,
    ]
    slowest = [
        (host.host, f"{host.n_rows:,}", duration(host.hours * 3600), host.held_by)
        for host in cost.slowest[:MOST_LINES]
    ]
    if slowest:
        lines.append(table(("slowest host", "rows", "about", "held by"), slowest))
    return lines
