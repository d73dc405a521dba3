"""The numbers of the scrub bench as rows of words, for the page and the command line alike."""

import statistics
from collections.abc import Sequence

from cairn.bench import hits
from cairn.bench.cleaners import CAIRN
from cairn.bench.measured import Cost
from cairn.bench.scrub import IMPORT, ScrubBench
from cairn.bench.tallies import AIMS, FIRST, LEAST_PRECISIONS, NEAR, QUEUES, Share

Rows = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]
NOTHING = "–"


def recall_rows(found: ScrubBench) -> Rows:
    """A head and a row for each planted kind: planted, found, interval, sure, first, what was aimed at, the peers."""
    ours = found.cairn.recalls
    others = [(contender.name, contender.recalls) for contender in found.contenders[1:]]
    head = ("planted", "n", "found", "95 % interval", "surely", f"in the first {FIRST}", "aim", *(n for n, _ in others))  # fmt: skip
    rows = []
    for kind, aim in AIMS.items():
        recall = ours[kind]
        rows.append(
            (
                kind,
                f"{recall.found.of:,}",
                shown(recall.found),
                interval(recall.found),
                shown(recall.sure),
                shown(recall.first) if aim.queue != NEAR else NOTHING,
                _aim(aim.recall, recall.first if aim.in_first else recall.found),
                *(shown(theirs[kind].found) for _, theirs in others),
            )
        )
    return head, tuple(rows)


def _aim(least: float | None, share: Share) -> str:
    if least is None or share.value is None:
        return NOTHING
    return f"{'reached' if share.value >= least else 'missed'} (≥ {100 * least:.0f} %)"


def precision_rows(found: ScrubBench) -> Rows:
    """A head and a row for each queue and contender: hits by verdict, precision as counted and after a look, and the aim."""
    head = (
        "findings", "of", "hits", *hits.COUNTED, "left out", "precision", "95 % interval", "aim", "after a look",
        "95 % interval", "aim", "of the sure", "of the sure after a look",
    )  # fmt: skip
    rows = []
    for queue in QUEUES:
        for contender in found.contenders:
            all_of, sure = contender.precisions()[queue], contender.precisions(sure=True)[queue]
            if not sum(all_of.counts.values()):
                continue
            rows.append(
                (
                    " or ".join(queue),
                    contender.name,
                    f"{sum(all_of.counts.values()):,}",
                    *(f"{all_of.counts[one]:,}" for one in hits.COUNTED),
                    f"{all_of.counts[hits.BESIDE] + all_of.counts[hits.NOTED]:,}",
                    shown(all_of.strict),
                    interval(all_of.strict),
                    _aim(LEAST_PRECISIONS.get(queue), all_of.strict),
                    shown(all_of.looked),
                    interval(all_of.looked),
                    _aim(LEAST_PRECISIONS.get(queue), all_of.looked),
                    shown(sure.strict),
                    shown(sure.looked),
                )
            )
    return head, tuple(rows)


def cost_rows(found: ScrubBench) -> Rows:
    """A head and a row for each contender: seconds, CPU seconds, milliseconds a photo, peak memory."""
    head = ("contender", "seconds", "CPU s", "ms/photo", "peak MB")
    rows = [_cost_row(IMPORT, found.imports, found.n_photos)]
    rows += [_cost_row(one.name, one.costs, found.n_photos) for one in found.contenders]
    return head, tuple(rows)


def _cost_row(name: str, costs: Sequence[Cost], n_photos: Sequence[int]) -> tuple[str, ...]:
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes]
    each = [1000 * cost.wall_s / n for cost, n in zip(costs, n_photos, strict=True)]
    return (
        f"{CAIRN}, scrub" if name == CAIRN else name,
        f"{statistics.median(cost.wall_s for cost in costs):.1f}",
        f"{statistics.median(cost.cpu_s for cost in costs):.1f}",
        f"{statistics.median(each):.1f}",
        f"{max(peaks) / 1e6:.0f}" if peaks else NOTHING,
    )


def shown(share: Share) -> str:
    """A share in percent, or nothing of nothing."""
    return NOTHING if share.value is None else f"{100 * share.value:.1f} %"


def interval(share: Share) -> str:
    """The 95 % interval of a share, in percent."""
    ends = share.interval
    return NOTHING if ends is None else f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
