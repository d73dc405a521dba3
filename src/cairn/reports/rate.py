"""The page of a learning-rate finder: the loss over rates that rise, and the rate that was chosen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.base.files import write_text
from cairn.reports.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Line, Point, Tick
from cairn.reports.pages import render

_N_LOSS_TICKS = 5
# The loss may end far above all that matters; the chart shows it to so many times the first one.
_HIGHEST_SHOWN = 1.5


@dataclass(frozen=True)
class RateContents:
    """What the page tells: rates, the loss of each step and the smoothed loss, and the rate to train with."""

    name: str
    lead: str
    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    suggested: float
    rows: tuple[tuple[str, str], ...]


def write_rate_report(path: Path, contents: RateContents) -> None:
    """`path` holds the page; it asks for nothing from outside and runs no script."""
    write_text(path, render("rate.html.j2", {"contents": contents, "chart": rate_chart(contents)}))


def rate_chart(contents: RateContents) -> Chart:
    """The smoothed loss over the logarithm of the rate, each step a dot, the chosen rate an upright line."""
    first, last = math.log10(contents.rates[0]), math.log10(contents.rates[-1])
    known = [loss for loss in contents.smoothed if math.isfinite(loss)]
    lowest, highest = min(known), min(max(known), _HIGHEST_SHOWN * known[0])
    room = 0.05 * (highest - lowest) or 1.0
    bottom, top = lowest - room, highest + room

    def across(rate: float) -> float:
        return round(LEFT + (math.log10(rate) - first) / (last - first or 1) * (RIGHT - LEFT), 1)

    def up(loss: float) -> float:
        share = (loss - bottom) / (top - bottom)
        return round(BOTTOM - min(max(share, 0.0), 1.0) * (BOTTOM - TOP), 1)

    spots = [
        (across(rate), up(loss))
        for rate, loss in zip(contents.rates, contents.smoothed, strict=True)
        if math.isfinite(loss)
    ]
    at = across(contents.suggested)
    levels = [bottom + (top - bottom) * i / _N_LOSS_TICKS for i in range(_N_LOSS_TICKS + 1)]
    return Chart(
        summary=f"The smoothed loss over learning rates from {contents.rates[0]:.0e} to {contents.rates[-1]:.0e}, lowest at "
        f"{lowest:.3g}; {contents.suggested:g} is suggested.",
        x_title="learning rate",
        y_title="loss",
        x_ticks=tuple(
            Tick(across(10.0**power), f"1e{power}")
            for power in range(math.ceil(first), math.floor(last) + 1)
        ),
        y_ticks=tuple(Tick(up(level), f"{level:.3g}") for level in levels),
        path=" ".join(
            f"{'L' if number else 'M'}{x:g} {y:g}" for number, (x, y) in enumerate(spots)
        ),
        lines=(Line(at, TOP + 12, at, BOTTOM, label=f"{contents.suggested:g}"),),
        points=tuple(
            Point(across(rate), up(loss), up(loss), up(loss), f"{rate:.1e}: {loss:.4g}")
            for rate, loss in zip(contents.rates, contents.losses, strict=True)
            if math.isfinite(loss)
        ),
    )
