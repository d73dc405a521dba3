"""`cairn download` as people meet it: what it prints, how it is stopped, and what it says to what is wrong."""

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console
from rich.live import Live

from cairn.base.checks import duration
from cairn.cli.fetching import MOST_HOSTS, downloaded
from cairn.cli.live import LiveDownload, Signals
from cairn.cli.main import main
from cairn.images.fetch.manners import Doing
from cairn.pipeline.results import Downloaded
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import KEPT, PENDING, Catalog
from cairn.records.tally import HostTally, Tally
from cairn.stages.download.progress import Snapshot
from cairn.stages.download.schedule import HostState
from tests.serving import (
    COMMAND,
    FLAGS,
    PhotoServer,
    Said,
    begun,
    listed,
    marked,
    photo,
    write_list,
)

LONGEST_S = 120.0
TABLE_LINE = re.compile(r"^(?P<words>\S.*?) {2,}(?P<n>[\d,]+)$", re.MULTILINE)


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with PhotoServer(2) as running:
        yield running


def counts(work: Path) -> dict[str, int]:
    """The number of rows of each status."""
    found = Catalog.read(work / "catalog.parquet").table["status"].value_counts()
    return dict(found.rows())


def waited_for(is_so: Callable[[], object], running: subprocess.Popen[str] | None = None) -> None:
    """Nothing, as soon as it is so."""
    deadline = time.monotonic() + LONGEST_S
    while not is_so():
        assert time.monotonic() < deadline
        assert running is None or running.poll() is None
        time.sleep(0.01)


# what it prints


@pytest.mark.slow
def test_what_is_printed_adds_up_and_is_what_catalog_and_report_hold(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.said = {
        "/1.jpg": Said(404), "/2.jpg": Said(404), "/3.jpg": Said(content=b"<html>"), "/4.jpg": Said(500),
        "/5.jpg": Said(content=photo(0)),
    }  # fmt: skip
    rows = listed(server, 20)
    rows[6]["url"], rows[7]["id"] = "None", rows[8]["id"]
    urls, work = write_list(tmp_path / "list.csv", rows), tmp_path / "work"
    assert main(["download", str(work), "--urls", str(urls), *FLAGS, "--attempts", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("20 rows: 13 images of 7 landmarks, ")
    shown = {found["words"]: int(found["n"]) for found in TABLE_LINE.finditer(said)}
    assert shown.pop("all") == sum(shown.values()) == 20
    assert shown == dict(Catalog.read(work / "catalog.parquet").counts())
    hosts = [line.split() for line in said.splitlines() if line.startswith("127.0.0.1:")]
    assert [sum(int(line[column]) for line in hosts) for column in (1, 2, 3, 4)] == [19, 13, 4, 2]
    assert re.search(r"^\(no host\) +1 +0 +1 +0 +1 no address$", said, re.MULTILINE)
    assert re.search(r"^all +20 +13 +5 +2 ", said, re.MULTILINE)
    assert f"catalog: {work}/catalog.parquet\nreport: {work}/reports/download/report.html\n" in said
    assert f"next: cairn split {work}   (or the same command again: 1 row may come now)" in said
    report = (work / "reports/download/report.html").read_text()
    assert "they add up to 20." in report
    assert '<p class="value">13</p>' in report


def test_the_table_of_hosts_adds_up_to_the_rows_however_many_hosts_there_are(
    tmp_path: Path,
) -> None:
    hosts = tuple(HostTally(f"h{n}.test", 40 - n, 20, 19 - n, ()) for n in range(MOST_HOSTS + 7))
    n_rows = sum(host.n_rows for host in hosts)
    tally = Tally("list.csv", n_rows, (("kept", None, n_rows),), hosts, 20 * len(hosts), 1, 1)
    said = downloaded(Downloaded(WorkFolder(tmp_path), tally, tmp_path, False, False))
    lines = [
        line.split() for line in said.splitlines() if " other hosts" in line or ".test" in line
    ]
    shown = [[int(word) for word in line if word.isdecimal()][-4:] for line in lines]
    (of_all,) = re.findall(r"^all +(\d+) +(\d+) +(\d+) +(\d+)", said, re.MULTILINE)
    assert (len(lines), lines[-1][:3]) == (MOST_HOSTS + 1, ["7", "other", "hosts"])
    assert [sum(column) for column in zip(*shown, strict=True)] == [int(n) for n in of_all]
    assert int(of_all[0]) == n_rows == sum(map(int, of_all[1:]))


def test_the_table_of_hosts_is_shown_without_a_work_folder(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["download", "--show-hosts"]) == 0
    said = capsys.readouterr().out
    assert 'hosts = ["upload.wikimedia.org"]' in said
    assert "contact_required = true" in said


@pytest.mark.slow
def test_a_dry_run_says_what_is_odd_and_what_it_costs_and_does_nothing(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = listed(server, 9)
    rows[1]["url"], rows[2]["id"] = "None", rows[3]["id"]
    urls, work = write_list(tmp_path / "list.csv", rows), tmp_path / "work"
    assert main(["download", str(work), "--urls", str(urls), "--dry-run", *FLAGS]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{urls}: 9 rows, 7 to be fetched now\n")
    assert "line 3: " in said
    assert "line 5: the id 'i00003' is that of line 4" in said
    assert "\ncost: " in said
    assert "private network" not in said
    strictly = [flag for flag in FLAGS if flag != "--allow-private"]
    assert main(["download", str(work), "--urls", str(urls), "--dry-run", *strictly]) == 0
    refused = "7 will be refused: their host lies inside a private network"
    assert refused in capsys.readouterr().out
    assert not work.exists()
    assert not server.book.asked


@pytest.mark.slow
def test_every_odd_row_can_be_had_and_the_first_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"i{n}", "url": "None" if n % 2 else f"http://a.test/{n}"} for n in range(100)]
    urls, odd = write_list(tmp_path / "list.csv", rows), tmp_path / "odd.csv"
    flags = [str(tmp_path / "w"), "--urls", str(urls)]
    assert main(["download", *flags, "--dry-run"]) == 0
    assert "  and 45 more: --odd-rows FILE lists all" in capsys.readouterr().out
    assert main(["download", *flags, "--dry-run", "--odd-rows", str(odd)]) == 0
    assert f"  and 45 more: all are in {odd}" in capsys.readouterr().out
    found = pl.read_csv(odd)
    assert found.columns == ["kind", "line", "words"]
    assert found["line"].to_list() == list(range(3, 102, 2))
    assert set(found["kind"]) == {"no address"}
    assert main(["download", *flags, "--odd-rows", str(odd)]) == 2
    assert "--odd-rows goes with --urls and --dry-run" in capsys.readouterr().err


def test_a_run_over_a_list_of_which_nothing_is_kept_says_why_and_what_to_do(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = write_list(tmp_path / "list.csv", listed(server, 3))
    assert main(["run", str(tmp_path / "w"), "--urls", str(urls), "--backbone", "embedded"]) == 1
    said = capsys.readouterr().err
    assert "none of 3 rows was kept (3 × private address)" in said
    assert "if the private addresses are yours, add --allow-private" in said


@pytest.mark.slow
def test_nothing_kept_and_too_many_failures_are_told_with_their_exit_codes(
    server: PhotoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.said = {f"/{number}.jpg": Said(404) for number in range(30)}
    arguments = ["download", str(tmp_path / "w"), "--urls",
                 str(write_list(tmp_path / "list.csv", listed(server, 30))), *FLAGS]  # fmt: skip
    assert main([*arguments, "--max-failures", "3", "--concurrency", "2"]) == 1
    said = capsys.readouterr().out
    assert "ended early: --max-failures was reached" in said
    assert re.search(r"next: the same command again fetches the 2\d rows that are left", said)
    assert main(arguments) == 0
    assert "next: nothing was kept; see what the causes above say" in capsys.readouterr().out
    server.said.clear()
    assert main([*arguments, "--retry-failed"]) == 0
    assert "30 rows: 30 images" in capsys.readouterr().out


# what is wrong


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--urls is not given; a CSV with a column of addresses was expected"),
        (["--urls", "nowhere.csv"], "nowhere.csv does not exist"),
        (["--urls", "https://a.test/list.csv"], "is an address"),
        (["--url", "x"], "there is no --url (did you mean --urls?"),
        (["--urls", "{list}", "--columns", "url=lnk"], "lnk"),
        (["--urls", "{list}", "--max-failures", "many"], "a number of photos or a share such as 30%"),
        (["--urls", "{list}", "--max-failures", "130%"], "a number of photos or a share such as 30%"),
        (["--urls", "{list}", "--side", "short"], "--side is 'short'"),
        (["--urls", "{list}", "--output", "zip"], "--output is 'zip'"),
        (["--urls", "{list}", "--attempts", "0"], "--attempts is '0'"),
        (["--urls", "{list}", "--retry-failed", "not fond"], "did you mean not found?"),
        (["--urls", "{list}", "--hosts", "nowhere.toml"], "nowhere.toml"),
        (["--urls", "{list}", "--proxy", "nonsense"], "nonsense"),
        (["--urls", "{list}", "--certificates", "nowhere.pem"], "nowhere.pem"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_once_and_nothing_is_asked_for(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = write_list(tmp_path / "list.csv", [{"id": "a", "url": "http://192.0.2.1/a.jpg"}])
    given = [flag.replace("{list}", str(urls)) for flag in flags]
    assert main(["download", str(tmp_path / "work"), *given]) in (1, 2)
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.startswith("cairn download: ")
    assert said.err.count("cairn download: ") == 1
    assert not said.out
    assert "Traceback" not in said.err


def test_all_wrong_settings_are_told_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ["--quality", "200", "--concurrency", "none", "--sample", "-1"]
    assert main(["download", str(tmp_path / "w"), "--urls", "x.csv", *wrong]) == 2
    said = capsys.readouterr().err
    assert "3 settings are wrong" in said
    assert all(flag in said for flag in wrong[::2])


# how it is stopped


@dataclass
class Stopped:
    """A download of photos that take their time, in a process of its own, some way into it."""

    work: Path
    urls: Path
    server: PhotoServer
    running: subprocess.Popen[str]

    def signal(self, number: signal.Signals) -> None:
        self.running.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        said, told = self.running.communicate(timeout=LONGEST_S)
        return self.running.returncode, said, told


def slow_list(server: PhotoServer, folder: Path, *, n_rows: int = 300, n_quick: int = 300) -> Path:
    """A list of which the first rows come quickly and the others not in time."""
    server.delay_s = 0.2
    for number in range(n_quick, n_rows):
        server.said[f"/{number}.jpg"] = Said(delay_s=300)
    return write_list(folder / "list.csv", listed(server, n_rows))


def stopped(server: PhotoServer, tmp_path: Path, *, n_asked: int, n_quick: int = 300) -> Stopped:
    urls = slow_list(server, tmp_path, n_quick=n_quick)
    running = begun(tmp_path / "work", urls, mark=tmp_path.name)
    waited_for(lambda: len(server.book.asked) >= n_asked, running)
    return Stopped(tmp_path / "work", urls, server, running)


SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@pytest.mark.slow
@SIGNALS
def test_the_first_signal_finishes_what_was_begun_and_the_next_run_does_the_rest(
    server: PhotoServer, tmp_path: Path, number: signal.Signals
) -> None:
    download = stopped(server, tmp_path, n_asked=60)
    download.signal(number)
    code, said, told = download.end()
    assert code == 128 + number
    assert "ending: photos under way are finished and recorded; once more stops at once" in told
    n_asked, found = len(server.book.asked), counts(download.work)
    assert found == {KEPT: n_asked, PENDING: 300 - n_asked}
    assert f"the same command again fetches the {300 - n_asked} rows that are left" in said
    assert not list(download.work.rglob("*.part"))
    assert "300 rows: 300 images" in begun(download.work, download.urls).communicate()[0]
    assert len(server.book.asked) == 300


@pytest.mark.slow
@SIGNALS
def test_the_second_signal_ends_at_once_and_nothing_recorded_is_lost(
    server: PhotoServer, tmp_path: Path, number: signal.Signals
) -> None:
    download = stopped(server, tmp_path, n_asked=250, n_quick=240)
    time.sleep(1.0)
    download.signal(number)
    time.sleep(1.0)
    # Photos that do not come are waited for, and so are the processes that would decode them.
    assert len(marked(tmp_path.name)) == 3
    began = time.monotonic()
    download.signal(number)
    code, said, told = download.end()
    assert time.monotonic() - began < 10
    assert (code, "Traceback" in told) == (128 + number, False)
    assert counts(download.work)[KEPT] >= 200
    assert "rows that are left" in said
    waited_for(lambda: not marked(tmp_path.name))
    server.said.clear()
    assert "300 rows: 300 images" in begun(download.work, download.urls).communicate()[0]
    assert not list(download.work.rglob("*.part"))


@pytest.mark.slow
def test_a_signal_before_the_first_photo_ends_with_a_word(
    server: PhotoServer, tmp_path: Path
) -> None:
    urls = slow_list(server, tmp_path, n_quick=0)
    running = begun(tmp_path / "work", urls)
    waited_for(lambda: (tmp_path / "work/journal.sqlite").exists(), running)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=LONGEST_S)
    assert running.returncode == 130
    assert "Traceback" not in told


@dataclass
class Terminal:
    """A program in a terminal of its own, which a person sees and types into."""

    screen: bytes = b""
    process: int = 0
    handle: int = -1

    def begin(self, command: list[str], mark: str) -> None:
        self.process, self.handle = pty.fork()
        if self.process == 0:
            os.environ |= {"TERM": "xterm-256color", "MARK": mark}
            os.execv(command[0], command)
        fcntl.ioctl(self.handle, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))

    def read_until(self, is_enough: Callable[[], object]) -> None:
        """Reads what is shown until that is so, or until the program has ended."""
        deadline = time.monotonic() + LONGEST_S
        while not is_enough():
            assert time.monotonic() < deadline
            if select.select([self.handle], [], [], 0.05)[0]:
                # Linux says so where the other side has gone.
                with contextlib.suppress(OSError):
                    if content := os.read(self.handle, 65_536):
                        self.screen += content
                        continue
                return

    def type(self, keys: bytes) -> None:
        os.write(self.handle, keys)

    def end(self) -> int:
        self.read_until(lambda: False)
        os.close(self.handle)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def shown(self) -> str:
        return self.screen.decode()


@pytest.mark.slow
@pytest.mark.parametrize("n_keys", [1, 2])
def test_ctrl_c_in_a_terminal(server: PhotoServer, tmp_path: Path, n_keys: int) -> None:
    urls = slow_list(server, tmp_path, n_quick=300 if n_keys == 1 else 240)
    terminal = Terminal()
    terminal.begin([*COMMAND, str(tmp_path / "work"), "--urls", str(urls), *FLAGS], tmp_path.name)
    n_asked = 60 if n_keys == 1 else 250
    terminal.read_until(lambda: len(server.book.asked) >= n_asked and b"to do" in terminal.screen)
    for _ in range(n_keys):
        # Ctrl-C goes to every process of the terminal: those that decode have to outlive the first.
        terminal.type(b"\x03")
        if n_keys == 2:
            seen_until = time.monotonic() + 1.5
            terminal.read_until(lambda: time.monotonic() > seen_until)  # noqa: B023 - called here
    assert terminal.end() == 130
    shown = terminal.shown()
    assert "to do" in shown
    assert "ending: photos under way are finished" in shown
    assert "Traceback" not in shown
    assert "decoder crashed" not in shown
    # The picture is gone, the cursor is back, and what follows is plain text.
    last = shown[shown.rindex("\x1b[?25h") :]
    plain = re.sub(r"\x1b\[[0-9?;]*[A-Za-z]", "", last).replace("\r", "")
    assert plain.strip().startswith("300 rows: ")
    assert "\x1b" not in last[last.index("300 rows") :]
    found = counts(tmp_path / "work")
    assert found.keys() == {KEPT, PENDING}
    if n_keys == 1:
        assert found[KEPT] == len(server.book.asked)
    waited_for(lambda: not marked(tmp_path.name))


# how it is shown


def snapshot(**changes: object) -> Snapshot:
    told: dict[str, object] = {
        "n_rows": 200, "n_kept": 90, "n_failed": 10, "n_running": 5, "bytes_received": 10_000_000,
        "elapsed_s": 20.0, "rows_per_s": 5.0, "eta_s": 20.0, "causes": {"not found": 10}, "hosts": (),
        "waits_for": None,
    }  # fmt: skip
    return Snapshot(**(told | changes))  # type: ignore[arg-type] # as a test gives them


def test_a_log_gets_a_line_now_and_then_and_each_reason_to_wait_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = LiveDownload(None)
    for waits_for in (None, "3 MB left", "2 MB left", None, "5 MB left"):
        shown(snapshot(waits_for=waits_for))
    assert capsys.readouterr().err == "waiting: 3 MB left\nwaiting: 5 MB left\n"
    monkeypatch.setattr("cairn.cli.live.LOG_EVERY_S", 0)
    shown(snapshot())
    assert capsys.readouterr().err == (
        "download: 100 of 200 (50 %): 90 kept, 10 failed; 5.0 a second, 4.0 Mbit/s, about 20 s left\n"
    )


def test_the_picture_fits_a_usual_terminal_and_holds_it_all() -> None:
    hosts = (
        HostState("photos.test", 70, 4, Doing.RUNNING, 0.0, 9),
        HostState("slow.test", 30, 1, Doing.COOLING, 9.0, 9),
    )
    shown = io.StringIO()
    with Live(console=Console(file=shown, width=80), auto_refresh=False) as live:
        LiveDownload(live)(snapshot(hosts=hosts, waits_for="the disk is full"))
        live.refresh()
    for words in (
        "100 of 200 (50 %): 90 kept, 10 failed; 5.0 a second, 4.0 Mbit/s, about 20 s left",
        "photos.test     70        4  running",
        "slow.test       30        1  cooling",
        "waiting: the disk is full",
        "failed: 10 not found",
    ):
        assert words in shown.getvalue()


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("reentrant call")])
def test_a_log_that_takes_no_line_ends_no_download(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unread(io.StringIO):
        def write(self, text: str) -> int:
            raise error

    monkeypatch.setattr("cairn.cli.live.LOG_EVERY_S", 0)
    monkeypatch.setattr("sys.stderr", Unread())
    LiveDownload(None)(snapshot(waits_for="no room"))
    Signals().caught(signal.SIGINT, None)


def test_the_exit_code_is_that_of_the_first_signal() -> None:
    signals = Signals()
    assert signals.exit_code == 0
    signals.caught(signal.SIGTERM, None)
    signals.caught(signal.SIGINT, None)
    assert signals.exit_code == 143
    assert signals.stopping.is_stopping


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5000, "83 min"),
        (7200, "2.0 h"),
        (200_000, "2.3 days"),
    ],
)
def test_times_are_told_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
