"""A running download shown to people: a live picture on a terminal, a line now and then in a log."""

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from cairn.base.checks import duration
from cairn.cli.display import warn
from cairn.images.fetch.manners import Doing
from cairn.stages.download.progress import Attendance, Snapshot, Stopping
from cairn.stages.download.schedule import HostState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

LOG_EVERY_S = 15.0
MOST_HOSTS, MOST_CAUSES = 8, 8
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class LiveDownload:
    """What shows the snapshots of one download; call it with each of them."""

    def __init__(self, live: "Live | None") -> None:
        self._live = live
        self._logged_at = time.monotonic()
        self._has_told_wait = False

    def __call__(self, now: Snapshot) -> None:
        """The snapshot on the terminal; in a log a line every quarter of a minute."""
        if self._live is not None:
            self._live.update(_picture(now))
            return
        if now.waits_for is not None and not self._has_told_wait:
            _warn(f"waiting: {now.waits_for}")
        self._has_told_wait = now.waits_for is not None
        if time.monotonic() - self._logged_at >= LOG_EVERY_S:
            self._logged_at = time.monotonic()
            waiting = _left_alone(now) if now.waits_for is None else f"; waiting: {now.waits_for}"
            _warn(f"download: {_progress(now)}{waiting}")


@contextmanager
def shown_download() -> Iterator[LiveDownload]:
    """Inside it a download is shown on stderr."""
    if not sys.stderr.isatty():
        yield LiveDownload(None)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=2, transient=True) as live:
        yield LiveDownload(live)


class Signals:
    """Ctrl-C and SIGTERM as they come: the first lets a download drain, the second stops it."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self._first: int | None = None

    @property
    def exit_code(self) -> int:
        """128 and the number of the first signal, as shells have it; 0 where none came."""
        return 0 if self._first is None else 128 + self._first

    def caught(self, number: int, _frame: FrameType | None) -> None:
        """A signal has come."""
        self._first = self._first or number
        if self.stopping.ask() == 1:
            _warn(
                "\nending: photos under way are finished and recorded; once more stops at once "
                "(nothing that was recorded is lost)"
            )


@contextmanager
def attended(signals: Signals) -> Iterator[Attendance]:
    """Inside it a download is shown, and the two signals ask it to end instead of ending the program."""
    before = {number: signal.signal(number, signals.caught) for number in STOPPING_SIGNALS}
    try:
        with shown_download() as shown:
            yield Attendance(shown, signals.stopping)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _warn(text: str) -> None:
    """A line on stderr; where nobody reads it any more, the download goes on without saying."""
    # A signal may come in the middle of such a line, and what writes it cannot be entered twice (RuntimeError).
    with contextlib.suppress(BrokenPipeError, RuntimeError):
        warn(text)


def _progress(now: Snapshot) -> str:
    left = "" if now.eta_s is None else f", about {duration(now.eta_s)} left"
    share = 100 * (now.n_kept + now.n_failed) / max(now.n_rows, 1)
    mbit = 8 * now.bytes_received / 1e6 / max(now.elapsed_s, 1e-9)
    return (
        f"{now.n_kept + now.n_failed:,} of {now.n_rows:,} ({share:.0f} %): {now.n_kept:,} kept, "
        f"{now.n_failed:,} failed; {now.rows_per_s:.1f} a second, {mbit:.1f} Mbit/s{left}"
    )


def _doing(host: HostState) -> str:
    """What a host is doing, and until when it is left alone."""
    left_s = host.until - time.monotonic()
    is_left_alone = host.state in (Doing.COOLING, Doing.SLOWED) and left_s >= 1
    return f"{host.state}, asked again in {duration(left_s)}" if is_left_alone else str(host.state)


def _left_alone(now: Snapshot) -> str:
    """The hosts that are left alone for a while, where nothing else is going on."""
    if now.n_running or now.waits_for is not None:
        return ""
    said = [f"{host.host} ({_doing(host)})" for host in now.hosts if host.state == Doing.COOLING]
    more = f" and {len(said) - 2} more hosts" if len(said) > 2 else ""
    return f"; waiting for {', '.join(said[:2])}{more}" if said else ""


def _picture(now: Snapshot) -> "RenderableType":
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    head = Table.grid(padding=(0, 1))
    head.add_row(
        Text("download"),
        ProgressBar(total=max(now.n_rows, 1), completed=now.n_kept + now.n_failed, width=32),
    )
    # A line of its own: beside the bar it would not fit into a usual terminal.
    parts: list[RenderableType] = [head, Text(_progress(now))]
    if now.waits_for is not None:
        parts.append(Text(f"waiting: {now.waits_for}", style="yellow"))
    if now.hosts:
        hosts = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for name in ("host", "to do", "at work", "state"):
            hosts.add_column(name, justify="left" if name in ("host", "state") else "right")
        for host in now.hosts[:MOST_HOSTS]:
            hosts.add_row(
                Text(host.host), f"{host.waiting:,}", f"{host.running:,}", Text(_doing(host))
            )
        parts.append(hosts)
    if now.causes:
        shown = list(now.causes.items())[:MOST_CAUSES]
        more = len(now.causes) - len(shown)
        said = ", ".join(f"{n:,} {cause}" for cause, n in shown)
        parts.append(Text(f"failed: {said}{f', and {more} more causes' if more else ''}"))
    return Group(*parts)
