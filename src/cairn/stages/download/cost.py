"""What a download will cost in files, bytes and hours at the allowed rates, before anything is asked for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.settings import DownloadSettings
from cairn.images.fetch.rules import HostRule, SizeKind
from cairn.stages.download.plan import Plan

MOST_HOSTS_TOLD = 10
# Bytes a pixel of a JPEG, by quality: the mean of 90 photos of buildings, made small (256 and 512 px) by Pillow.
BYTES_A_PIXEL = ((50, 0.14), (75, 0.21), (85, 0.28), (92, 0.38), (100, 0.88))
# The short side of a photo is so long where the long one is 1: between 4:3 and 3:2.
SHAPE = 0.71
# Photos that nobody has asked for yet: what a host sends where it is not asked for a size, and how long one takes.
ORIGINAL_BYTES = 1_500_000
SECONDS_A_PHOTO = 0.5


@dataclass(frozen=True)
class HostCost:
    """What one host takes: photos, hours, and what keeps it from taking fewer."""

    host: str
    n_rows: int
    hours: float
    held_by: str


@dataclass(frozen=True)
class Cost:
    """What a run costs.

    n_rows: photos that are asked for; n_files: files that are written, if every photo comes.
    hours: about; the slowest host or all connections together decide.
    slowest: the hosts that take longest, slowest first.
    basis: what the numbers stand on, in words.
    """

    n_rows: int
    n_hosts: int
    n_files: int
    received_bytes: int
    kept_bytes: int
    hours: float
    slowest: tuple[HostCost, ...]
    basis: str


def cost_of(
    plan: Plan,
    wanted: npt.NDArray[np.bool_],
    *,
    settings: DownloadSettings,
    rule_of: Callable[[str], HostRule],
) -> Cost:
    """What it costs to fetch the rows of `plan` that are `wanted` [N] and to be fetched at all.

    rule_of: what each host allows.
    """
    numbers = plan.host[wanted & plan.to_fetch]
    counts = (
        np.bincount(numbers, minlength=len(plan.hosts)) if numbers.size else np.zeros(0, np.int64)
    )
    kept = kept_bytes_of(settings)
    hosts, received = [], 0.0
    for number in np.flatnonzero(counts).tolist():
        host, n_rows = plan.hosts[number], int(counts[number])
        rule = rule_of(host)
        each = _received_bytes(rule, settings)
        received += n_rows * each
        hosts.append(_host_cost(host, n_rows, n_rows * each, rule))
    hosts.sort(key=lambda cost: (-cost.hours, cost.host))
    n_rows = int(counts.sum())
    together_s = n_rows * SECONDS_A_PHOTO / settings.concurrency
    if settings.bandwidth_mbit:
        together_s = max(together_s, _seconds(received, settings.bandwidth_mbit))
    n_files = -(-n_rows // settings.shard_images) if settings.output == "shards" else n_rows
    return Cost(
        n_rows=n_rows,
        n_hosts=len(hosts),
        n_files=n_files,
        received_bytes=round(received),
        kept_bytes=round(received if settings.as_it_came else n_rows * kept),
        hours=max([together_s / 3600, *(host.hours for host in hosts)]) if hosts else 0.0,
        slowest=tuple(hosts[:MOST_HOSTS_TOLD]),
        basis=_basis(settings, kept),
    )  # fmt: skip


def _host_cost(host: str, n_rows: int, n_bytes: float, rule: HostRule) -> HostCost:
    seconds = {
        "requests a second": n_rows / rule.rate_per_s,
        "requests at once": n_rows * SECONDS_A_PHOTO / rule.concurrency,
        "bandwidth": _seconds(n_bytes, rule.mbit_per_s) if rule.mbit_per_s else 0.0,
    }
    held_by = max(seconds, key=lambda what: seconds[what])
    return HostCost(host, n_rows, seconds[held_by] / 3600, held_by)


def _seconds(n_bytes: float, mbit_per_s: float) -> float:
    return n_bytes * 8 / (mbit_per_s * 1e6)


def _jpeg_bytes(long_side_px: float, quality: int) -> float:
    qualities, each = zip(*BYTES_A_PIXEL, strict=True)
    return float(np.interp(quality, qualities, each)) * SHAPE * long_side_px**2


def _long_side_px(settings: DownloadSettings) -> float:
    return settings.max_side_px / (SHAPE if settings.side == "shortest" else 1)


def kept_bytes_of(settings: DownloadSettings) -> float:
    """Bytes of one kept image, by an estimate."""
    return min(_jpeg_bytes(_long_side_px(settings), settings.quality), ORIGINAL_BYTES)


def _received_bytes(rule: HostRule, settings: DownloadSettings) -> float:
    """What the host sends for one photo: one that is just large enough, where it can be asked for that."""
    if rule.smaller is None or not settings.smaller or settings.as_it_came:
        return ORIGINAL_BYTES
    wanted_px = settings.max_side_px * (2 if settings.side == "shortest" else 1)
    if rule.smaller.kind is SizeKind.GOOGLE:
        return min(_jpeg_bytes(wanted_px, 92), ORIGINAL_BYTES)
    # A thumbnail of a width is higher than that where the photo stands upright.
    side_px = next((width for width in rule.smaller.widths if width >= wanted_px), None)
    return min(_jpeg_bytes(side_px, 92), ORIGINAL_BYTES) if side_px else ORIGINAL_BYTES


def _basis(settings: DownloadSettings, kept: float) -> str:
    stays = "as they came" if settings.as_it_came else f"{kept / 1000:,.0f} kB kept of each"
    return (
        f"an estimate: {ORIGINAL_BYTES / 1e6} MB for each that is not asked for smaller, "
        f"{stays}, {SECONDS_A_PHOTO} s a request, every photo still there"
    )
