"""The command that opens the review page: review."""

import contextlib
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.settings import ReviewSettings
from cairn.cli.display import program, say, warn
from cairn.cli.flags import Shape, Word, parse
from cairn.cli.listening import listening_at
from cairn.pipeline.reviewing import Desk, open_desk, reviewer_name

WORK = Word("WORK", "the work folder")
TOKEN_BYTES = 24
# Where a machine would send to the outside from; nothing is sent.
OUTSIDE = ("192.0.2.1", 9)


def review_command(arguments: Sequence[str]) -> int:
    """Decide about the doubtful images on a page."""
    import uvicorn

    from cairn.web.review.app import make_review
    from cairn.web.review.guard import is_loopback

    summary = "Decide about the doubtful images on a page in the browser; several reviewers may do so at once."
    given = parse("review", summary, Shape((WORK,), (), {"review": ReviewSettings}), arguments)
    settings = given.settings("review", ReviewSettings)
    reviewer = reviewer_name(settings.reviewer) if settings.reviewer else None
    work = Path(given.words["WORK"])
    desk = open_desk(work, settings)
    if reviewer is not None:
        desk.claim(reviewer)
    token = None if is_loopback(settings.host) else secrets.token_urlsafe(TOKEN_BYTES)
    page = make_review(desk, reviewer=reviewer, token=token)
    server = uvicorn.Server(
        uvicorn.Config(page, log_level="warning", access_log=False, server_header=False)
    )
    listening = listening_at(settings.host, settings.port)
    _say_what_there_is(desk)
    port = listening.getsockname()[1]
    say(f"open {_address(settings.host, port)}{f'?token={token}' if token else ''}")
    if token:
        warn(
            "the page is open to others who have this address; it is not encrypted: use it in a network that you trust"
        )
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listening])
    desk.close()
    warn("stopped; what was decided is kept")
    say(f"next: {program()} scrub {work} --apply careful")
    return 0


def _say_what_there_is(desk: Desk) -> None:
    rows, standing = desk.rows, desk.standing()
    audited = sum(audit.n_sample for audit in standing.audits if not audit.kind)
    say(
        f"{counted(rows.n_open, 'finding')} to decide, {rows.n_sure:,} accepted automatically, "
        f"{audited:,} of those and of {counted(rows.n_clear, 'image')} without finding to audit"
    )
    if rows.n_gone:
        warn(
            f"{counted(rows.n_gone, 'finding')} about images that are no longer kept are left out; run cairn scrub again"
        )
    for reviewer, n in standing.n_decided.items():
        say(f"{reviewer}: {n:,} decided")


def _address(host: str, port: int) -> str:
    """Where to find the page, as a browser takes it."""
    shown = _own_address() if host in ("0.0.0.0", "::") else host
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"


def _own_address() -> str:
    """The address by which others in the network find this machine, as far as it can be known."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(OUTSIDE)
            found = str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
    return found if not ipaddress.ip_address(found).is_unspecified else socket.gethostname()
