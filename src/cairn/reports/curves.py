"""Curves of a training: numbers of steps and epochs, smoothed and thinned, as charts over the epochs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.reports.charts import (
    LEFT,
    RIGHT,
    Chart,
    Curve,
    Line,
    Point,
    Tick,
    across,
    nice_step,
    path_of,
    up,
)

MAX_POINTS, MAX_DOTS = 500, 60
# A smoothed curve forgets half of what it knew after this share of the steps.
HALF_LIFE_SHARE = 0.02
Floats = npt.NDArray[np.float64]
Lines = Sequence[Mapping[str, float | None]]


@dataclass(frozen=True)
class Series:
    """Numbers over epochs, both [N]; `kind` is the colour: train, val, test or faint."""

    name: str
    kind: str
    at: Floats
    values: Floats
    has_dots: bool = False


def told(lines: Lines, name: str) -> tuple[Floats, Floats]:
    """The epochs at which the log tells a number, and the number; lines where it is none are left out."""
    rows = [
        (line["epoch"], line[name])
        for line in lines
        if line.get(name) is not None and line.get("epoch") is not None
    ]
    found = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def step_series(lines: Lines, name: str) -> tuple[Series, ...]:
    """What the log tells of a number of each step: as it is, and smoothed."""
    at, values = told(lines, name)
    if not len(at):
        return ()
    half_life = max(1.0, HALF_LIFE_SHARE * len(at))
    smooth = pl.Series(values).ewm_mean(half_life=half_life, adjust=True).to_numpy()
    kept = _spread(len(at))
    return (
        Series("each step", "faint", *binned(at, values)),
        Series("smoothed", "train", at[kept], smooth[kept]),
    )


def binned(at: Floats, values: Floats, *, most: int = MAX_POINTS) -> tuple[Floats, Floats]:
    """At most `most` points: the means of runs of about equally many, one after the other."""
    runs = [
        run for run in np.array_split(np.arange(len(at)), max(1, min(most, len(at)))) if len(run)
    ]
    return (
        np.array([at[run].mean() for run in runs]),
        np.array([values[run].mean() for run in runs]),
    )


def _spread(n: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, n - 1, min(n, MAX_POINTS)).round().astype(np.int64))


def curve_chart(
    series: Sequence[Series],
    *,
    what: str,
    y_title: str = "",
    n_epochs: float,
    span: tuple[float, float] | None = None,
    level: float = 0.0,
    best: tuple[float, float, str] | None = None,
    word: Callable[[float], str] = lambda value: f"{value:,.6g}",
) -> Chart | None:
    """The curves over 0 to `n_epochs`; None where there is nothing to draw.

    what: is drawn, in words. span: of the y axis; from 0 to the largest, where it is not given. level: a value that is marked.
    best: epoch, value and name of a point that is marked. word: how values are written.
    """
    drawn = [one for one in series if len(one.at)]
    if not drawn:
        return None
    low, high = span or (0.0, _top(drawn))
    step = nice_step(high - low, most=5)
    high = low + math.ceil((high - low) / step - 1e-9) * step

    def spot(at: float, value: float) -> tuple[float, float]:
        return across(at / n_epochs), up(min(max((value - low) / (high - low), 0.0), 1.0))

    x_step = max(1, round(nice_step(n_epochs, most=8)))
    n_steps = round((high - low) / step)
    return Chart(
        summary=_summary(drawn, what, word),
        x_title="epochs",
        y_title=y_title,
        x_ticks=tuple(
            Tick(across(at / n_epochs), f"{at:,}")
            for at in range(0, math.floor(n_epochs) + 1, x_step)
        ),
        y_ticks=tuple(Tick(up(i / n_steps), word(low + i * step)) for i in range(n_steps + 1)),
        curves=tuple(_curve(one, spot, word) for one in drawn),
        lines=(_across_all(spot(0, level)[1]),) if low < level < high else (),
        points=(_marked(*spot(best[0], best[1]), best[2]),) if best else (),
    )


def _top(series: Sequence[Series]) -> float:
    """The largest value to be drawn; a few outliers of single steps may lie above."""
    tops = [np.quantile(one.values, 0.99 if one.kind == "faint" else 1.0) for one in series]
    return float(max(tops)) or 1.0


def _curve(
    one: Series, spot: Callable[[float, float], tuple[float, float]], word: Callable[[float], str]
) -> Curve:
    spots = [spot(at, value) for at, value in zip(one.at.tolist(), one.values.tolist(), strict=True)]  # fmt: skip
    tips = [f"{one.name}, epoch {at:g}: {word(value)}" for at, value in zip(one.at, one.values, strict=True)]  # fmt: skip
    shown = one.has_dots and len(spots) <= MAX_DOTS
    dots = tuple((*place, tip) for place, tip in zip(spots, tips, strict=True)) if shown else ()
    return Curve(path_of(spots), one.kind, dots)


def _across_all(y: float) -> Line:
    return Line(LEFT, y, RIGHT, y)


def _marked(x: float, y: float, label: str) -> Point:
    return Point(
        x,
        y,
        y,
        y,
        label,
        label=label,
        label_goes_left=x > (LEFT + RIGHT) / 2,
        label_goes_below=True,
    )


def _summary(series: Sequence[Series], what: str, word: Callable[[float], str]) -> str:
    ends = "; ".join(f"{one.name}: {word(float(one.values[-1]))}" for one in series)
    return f"{what} over the epochs, at the end {ends}."
