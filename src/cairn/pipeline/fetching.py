"""The rows of a plan fetched: settings become schedule, client, decoders and crew, and the crew runs."""

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.settings import DownloadSettings
from cairn.engines.local import processors
from cairn.images.decoders import Decoders
from cairn.images.fetch.addresses import checked_address, host_of
from cairn.images.fetch.causes import FetchError
from cairn.images.fetch.client import Came, Client, ClientSettings, Deadlines, unnoticed
from cairn.images.fetch.connecting import proxy_address, tls_context
from cairn.images.fetch.manners import HostManners, Pace
from cairn.images.fetch.resolving import Lookup, Resolver, system_lookup
from cairn.images.fetch.rules import HostRules
from cairn.images.fetch.sizes import smaller_address
from cairn.images.keeping import Fit
from cairn.images.pixels import Limits
from cairn.pipeline.work_folder import WorkFolder
from cairn.stages.download.backlog import Backlog
from cairn.stages.download.crew import Crew
from cairn.stages.download.orders import Ended, Hands, Orders, Output, Record
from cairn.stages.download.plan import Plan
from cairn.stages.download.progress import Attendance, Attended, Counts, unattended
from cairn.stages.download.schedule import Schedule, Task
from cairn.stages.download.space import Free, Room, free_at, shortage_ahead
from cairn.version import __version__

if sys.platform != "win32":
    import resource

USER_AGENT = f"Cairn/{__version__}"
ENOUGH_FOR_A_SHARE = 100
# Asked for where the system allows any number.
ENOUGH_FILES = 65_536
# Awaited with a host and so many bytes that came from it.
WaitFor = Callable[[str, int], Awaitable[None]]


@dataclass(frozen=True)
class Surroundings:
    """What a download meets outside: the hosts' rules, name servers, and who looks at it."""

    rules: HostRules
    lookup: Lookup = system_lookup
    attended: Attended = unattended


def fetch_rows(
    place: WorkFolder,
    plan: Plan,
    wanted: npt.NDArray[np.bool_],
    *,
    journal: Record,
    output: Output,
    settings: DownloadSettings,
    around: Surroundings,
) -> Ended:
    """How the run over the wanted rows of the plan ended; the journal knows each of them."""
    allow_many_files()
    with around.attended() as attendance:
        return asyncio.run(
            _fetch_rows(place, plan, wanted, journal, output, settings, around, attendance)
        )


async def _fetch_rows(
    place: WorkFolder, plan: Plan, wanted: npt.NDArray[np.bool_], journal: Record, output: Output,
    settings: DownloadSettings, around: Surroundings, attendance: Attendance,
) -> Ended:  # fmt: skip
    rng = random.Random()
    schedule = Schedule(
        plan.queues(wanted),
        make=lambda index, host: _task(plan, index, host, settings, around.rules),
        manners=lambda host: HostManners(around.rules.of(host), rng=rng),
        most_doubted=max(1, settings.concurrency // 2),
    )
    orders = Orders(
        schedule=schedule,
        key_of=lambda index: int(plan.key[index]),
        n_rows=int(wanted.sum()),
        attempts=settings.attempts,
        concurrency=settings.concurrency,
        refusal=_refusal(around.rules, settings.contact),
        is_too_much=failure_limit(settings.max_failures),
        rng=rng,
    )
    backlog, counts = Backlog(), Counts()

    def came(host: str, n_bytes: int) -> None:
        counts.bytes_received += n_bytes
        schedule.received(host, n_bytes)

    pace = paced(Pace(settings.bandwidth_mbit, around.rules.of), backlog)
    room = Room(lambda: free_at(place.root), spare_bytes=settings.spare_disk_mb * 1_000_000)
    async with (
        open_client(settings, lookup=around.lookup, pace=pace, came=came) as client,
        open_decoders(settings) as decoders,
    ):
        hands = Hands(client, decoders, output, journal, room, counts=counts, backlog=backlog)
        crew = Crew(orders, hands, stopping=attendance.stopping, tell=attendance.tell)
        return await crew.run()


def allow_many_files() -> None:
    """As many files may be open at once as the system lets us ask for: each connection is one."""
    if sys.platform == "win32":
        return
    with suppress(ValueError, OSError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = ENOUGH_FILES if hard == resource.RLIM_INFINITY else hard
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def require_ways_out(settings: DownloadSettings) -> None:
    """Nothing, where proxy and certificates can be used; otherwise raises InputError, before long work begins."""
    proxy_address(settings.proxy)
    tls_context(settings.certificates)


def open_client(
    settings: DownloadSettings, *, lookup: Lookup, pace: WaitFor | None = None, came: Came = unnoticed
) -> Client:  # fmt: skip
    """The client that the settings describe; it is to be entered."""
    resolver = Resolver(
        allow_private=settings.allow_private, deadline_s=settings.dns_s, lookup=lookup
    )
    return Client(_client_settings(settings), resolver, pace=pace, came=came)


def _client_settings(settings: DownloadSettings) -> ClientSettings:
    return ClientSettings(
        deadlines=Deadlines(
            connect_s=settings.connect_s,
            first_byte_s=settings.first_byte_s,
            silence_s=settings.silence_s,
            photo_s=settings.photo_s,
            least_bytes_per_s=settings.least_kb_per_s * 1000,
        ),
        max_bytes=settings.max_bytes,
        user_agent=f"{USER_AGENT} ({settings.contact})" if settings.contact else USER_AGENT,
        allow_private=settings.allow_private,
        proxy=settings.proxy,
        certificates=settings.certificates,
        opt_out=settings.opt_out,
    )


def open_decoders(settings: DownloadSettings) -> Decoders:
    """The decoding processes that the settings describe; they are to be entered."""
    return Decoders(
        settings.decoders or processors(),
        fit=fit_of(settings),
        limits=Limits(max_pixels=settings.max_pixels, max_bytes=settings.max_bytes),
        memory_bytes=settings.decode_memory_mb * 1_000_000,
        deadline_s=settings.decode_s,
    )


def fit_of(settings: DownloadSettings) -> Fit:
    """How kept images are made from what came."""
    return Fit(
        max_side_px=settings.max_side_px,
        side=settings.side,
        quality=settings.quality,
        as_it_came=settings.as_it_came,
    )


def _task(plan: Plan, index: int, host: str, settings: DownloadSettings, rules: HostRules) -> Task:
    """The first request for a row: at the smaller address, where its host offers one."""
    _, url = plan.source.identity(int(plan.offsets[index]))
    with suppress(FetchError):
        url = checked_address(url)
    if settings.smaller and not settings.as_it_came:
        side_px = settings.max_side_px * (2 if settings.side == "shortest" else 1)
        smaller = smaller_address(url, rule=rules.of(host), side_px=side_px)
        if smaller is not None and host_of(smaller) == host:
            return Task(index=index, url=smaller, host=host, original=url)
    return Task(index=index, url=url, host=host)


def _refusal(rules: HostRules, contact: str) -> Callable[[str], str | None]:
    """Why a host may not be asked at all, or None."""

    def refusal(host: str) -> str | None:
        rule = rules.of(host)
        if contact or not rule.contact_required:
            return None
        return f"{host} answers only those who can be reached ({rule.source}); add --contact"

    return refusal


def failure_limit(max_failures: str) -> Callable[[int, int], bool]:
    """Whether so many failed rows of so many that ended are too many; a share counts from 100 rows on."""
    if not max_failures:
        return lambda n_done, n_failed: False
    if not max_failures.endswith("%"):
        most = int(max_failures)
        return lambda n_done, n_failed: n_failed >= most
    share = int(max_failures.removesuffix("%")) / 100
    return lambda n_done, n_failed: n_done >= ENOUGH_FOR_A_SHARE and n_failed > share * n_done


def paced(pace: Pace, backlog: Backlog | None = None) -> WaitFor:
    """Waits as long as the bandwidth asks for, and until not too much waits to be decoded."""
    clock = time.monotonic

    async def wait(host: str, n_bytes: int) -> None:
        if backlog is not None:
            await backlog.room()
        delay_s = pace.delay_s(host, n_bytes, clock())
        if delay_s > 0:
            await asyncio.sleep(delay_s)

    return wait


def counted_pace(counts: Counts, settings: DownloadSettings, around: Surroundings) -> WaitFor:
    """What counts the bytes that come of large files, and waits as long as the bandwidth asks for."""
    wait = paced(Pace(settings.bandwidth_mbit, around.rules.of))

    async def pace(host: str, n_bytes: int) -> None:
        counts.bytes_received += n_bytes
        await wait(host, n_bytes)

    return pace


def room_in_words(n_bytes: float, n_files: int, *, free: Free, settings: DownloadSettings) -> str:
    """Whether the disk has room for so many bytes in so many files."""
    spare_bytes = settings.spare_disk_mb * 1_000_000
    files = "" if free.files is None else f" and room for {free.files:,} files"
    return (
        shortage_ahead(n_bytes, n_files, free=free, spare_bytes=spare_bytes)
        or f"the disk has {free.n_bytes / 1e9:,.2f} GB{files} left: enough"
    )
