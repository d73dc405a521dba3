"""Charts as geometry: where lines, points and ticks lie; templates/charts.html.j2 draws them as SVG.

Drawn by the page itself and not as pictures, they follow its light and dark, its fonts hold every
script a landmark is named in, and nothing has to be rendered.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from cairn.algorithms.resampling import wilson
from cairn.records.exploration import SizeRange
from cairn.records.scores import CalibrationBin, Scores

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 76, 430, 18, 268
MAX_TAIL_POINTS = 400
ROOM_FOR_NAME = 0.09
TIME_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, in units of the drawing, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Point:
    """A dot with its whisker and what it says when pointed at; `label` stands beside it."""

    x: float
    y: float
    low: float
    high: float
    tip: str
    label: str = ""
    label_goes_left: bool = False
    label_goes_below: bool = False


@dataclass(frozen=True)
class Line:
    """A straight line that others are compared with; `label` stands above its right end."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: str = ""


@dataclass(frozen=True)
class Curve:
    """One of several lines: an SVG path, the class that says its colour, and its dots: x, y and what each says."""

    path: str
    kind: str
    dots: tuple[tuple[float, float, str], ...] = ()


@dataclass(frozen=True)
class Column:
    """An upright bar from the x axis up to `top`, and what it says when pointed at."""

    left: float
    right: float
    top: float
    tip: str


@dataclass(frozen=True)
class Chart:
    """One drawing, `width` × `height`, its axes from `left` to `right` and from `bottom` up to `top`.

    path: an SVG path; `area` is the same, closed down to the x axis.
    """

    summary: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    path: str = ""
    area: str = ""
    lines: tuple[Line, ...] = ()
    points: tuple[Point, ...] = ()
    columns: tuple[Column, ...] = ()
    curves: tuple[Curve, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def percent(share: float) -> str:
    """A share as people read it: `93.1 %`, `100 %`."""
    return f"{100 * share:.1f}".removesuffix(".0") + "\N{NO-BREAK SPACE}%"


def risk_coverage_chart(scores: Scores) -> Chart:
    """How many answers are wrong against how many images are answered, the threshold marked."""
    curve = scores.risk_coverage
    wanted_risk = 1 - scores.wanted_precision
    most = max([wanted_risk, *(point.risk for point in curve)])
    step = nice_step(most, most=6)
    n_steps = math.ceil(most / step - 1e-9)
    top = n_steps * step
    spots = [(across(point.coverage), up(point.risk / top)) for point in curve]
    answered, precision = scores.answered.value, scores.answered_precision.value
    points: tuple[Point, ...] = ()
    said = "No image was answered at the threshold."
    if answered is not None and precision is not None:
        said = f"threshold: {percent(answered)} answered, {percent(1 - precision)} of them wrong"
        x, y = across(answered), up(min((1 - precision) / top, 1))
        points = (Point(x, y, y, y, said, label="threshold", label_goes_left=answered > 0.3),)
    level = up(wanted_risk / top)
    return Chart(
        summary=f"Share of wrong answers against the share of images answered; {said}.",
        x_title="share of test images answered",
        y_title="share of answers that is wrong",
        x_ticks=_share_ticks(across),
        y_ticks=tuple(Tick(up(i / n_steps), percent(i * step)) for i in range(n_steps + 1)),
        path=path_of(spots),
        area=_closed(spots),
        lines=(Line(LEFT, level, RIGHT, level, label=f"{percent(wanted_risk)} wrong"),),
        points=points,
    )


def calibration_chart(scores: Scores) -> Chart:
    """How often images of a stated probability are right, with 95 % intervals, and the ideal line."""
    points = tuple(_calibration_point(part) for part in scores.calibration)
    return Chart(
        summary="Share of right answers against the stated probability, in bins of equally many images; "
        + "; ".join(point.tip for point in points),
        x_title="stated probability of the best candidate",
        y_title="share that is right",
        x_ticks=_share_ticks(across),
        y_ticks=_share_ticks(up),
        path=path_of([(point.x, point.y) for point in points]),
        lines=(Line(across(0), up(0), across(1), up(1)),),
        points=points,
    )


def _calibration_point(part: CalibrationBin) -> Point:
    low, high = wilson(part.right, part.n)
    said, right = percent(part.probability), percent(part.right)
    tip = f"{part.n} images of mean probability {said}: {right} right"
    return Point(across(part.probability), up(part.right), up(low), up(high), tip)


def tail_chart(counts: Sequence[int], sizes: Sequence[SizeRange] = ()) -> Chart:
    """The images of each landmark, the largest landmark first, on a logarithmic scale.

    counts: descending, each at least 1. sizes: ranges that are marked, those of the largest landmarks first.
    """
    n, largest = len(counts), counts[0]
    top = math.log10(max(2, largest)) * 1.04
    kept = sorted({round(i * (n - 1) / MAX_TAIL_POINTS) for i in range(MAX_TAIL_POINTS + 1)})
    spots = [
        (across(x), up(math.log10(counts[row]) / top))
        for row in kept
        for x in (row / n, (row + 1) / n)
    ]
    step = max(1, round(nice_step(n, most=6)))
    digits = (1, 2, 5) if largest <= 200 else (1,)
    marks = [d * 10**power for power in range(8) for d in digits if d * 10**power <= 1.1 * largest]
    return Chart(
        summary=f"{n:,} landmarks by their number of images, from {largest:,} down to {counts[-1]:,}.",
        x_title="landmarks, the largest first",
        y_title="images",
        x_ticks=tuple(Tick(across(row / n), f"{row:,}") for row in range(0, n + 1, step)),
        y_ticks=tuple(Tick(up(math.log10(mark) / top), f"{mark:,}") for mark in marks),
        path=path_of(spots),
        area=_closed(spots),
        lines=_starts_of(sizes, n),
    )


def _starts_of(sizes: Sequence[SizeRange], n: int) -> tuple[Line, ...]:
    """A line where each range of landmarks begins, with its name where that has room."""
    lines, rank = [], 0
    for size in sizes:
        at, share = across(rank / n), size.n_landmarks / n
        lines.append(Line(at, TOP, at, BOTTOM, label=size.name if share > ROOM_FOR_NAME else ""))
        rank += size.n_landmarks
    return tuple(lines)


def column_chart(columns: Sequence[tuple[str, int]], *, x_title: str, y_title: str) -> Chart:
    """A column for each name and number, side by side; each name stands at the right end of its column."""
    most = max((n for _, n in columns), default=0) or 1
    step = max(1, round(nice_step(most, most=5)))
    top = math.ceil(most / step) * step
    width = 1 / max(len(columns), 1)
    return Chart(
        summary=f"{y_title} by {x_title}: " + "; ".join(f"{name}: {n:,}" for name, n in columns),
        x_title=x_title,
        y_title=y_title,
        x_ticks=tuple(Tick(across((i + 1) * width), name) for i, (name, _) in enumerate(columns)),
        y_ticks=tuple(Tick(up(n / top), _short(n)) for n in range(0, top + 1, step)),
        columns=tuple(
            Column(across(i * width) + 1, across((i + 1) * width) - 1, up(n / top), f"{n:,}")
            for i, (_, n) in enumerate(columns)
        ),
    )


def _short(n: int) -> str:
    """A number that has room beside an axis: `40,000`, `400k`."""
    return f"{n // 1000:,}k" if n >= 100_000 and n % 1000 == 0 else f"{n:,}"


def fetched_chart(times_s: Sequence[float], *, n_kept: int) -> Chart:
    """The images that were there after each time, from the first to the last.

    times_s: seconds, ascending, two or more that differ; a sample of `n_kept` images, evenly taken.
    """
    first, span_s = times_s[0], times_s[-1] - times_s[0]
    unit, unit_s = next((u, s) for u, s in TIME_UNITS if span_s >= 2 * s or s == 1)
    step_s = nice_step(span_s / unit_s, most=6) * unit_s
    step = max(1, round(nice_step(n_kept, most=5)))
    top = math.ceil(n_kept / step) * step
    spots = [
        (across((at - first) / span_s), up((place + 1) / len(times_s) * n_kept / top))
        for place, at in enumerate(times_s)
    ]
    n_ticks = math.floor(span_s / step_s + 1e-9)
    return Chart(
        summary=f"{n_kept:,} images kept over {span_s / unit_s:.1f} {unit}.",
        x_title=f"{unit} since the first image",
        y_title="images kept",
        x_ticks=tuple(
            Tick(across(i * step_s / span_s), f"{i * step_s / unit_s:g}")
            for i in range(n_ticks + 1)
        ),
        y_ticks=tuple(Tick(up(n / top), f"{n:,}") for n in range(0, top + 1, step)),
        path=path_of(spots),
        area=_closed(spots),
    )


def rank_chart(shares: Sequence[float], *, y_title: str, mark: int) -> Chart:
    """A share (0 to 1) at each rank from 1 on, with an upright line at the rank `mark` where it is reached.

    shares: one or more, that of the first rank first.
    """
    n = len(shares)
    step = max(1, round(nice_step(n, most=6)))
    kept = sorted({round(i * (n - 1) / MAX_TAIL_POINTS) for i in range(MAX_TAIL_POINTS + 1)})
    at = across(mark / n) if mark < n else 0
    said = f"; {percent(shares[mark - 1])} at rank {mark:,}" if mark < n else ""
    return Chart(
        summary=f"{y_title}: {percent(shares[-1])} at rank {n:,}{said}.",
        x_title="rank in the queue",
        y_title=y_title,
        x_ticks=tuple(Tick(across(rank / n), f"{rank:,}") for rank in range(0, n + 1, step)),
        y_ticks=_share_ticks(up),
        path=path_of([(across((row + 1) / n), up(shares[row])) for row in kept]),
        lines=(Line(at, TOP + 12, at, BOTTOM, label=f"{mark:,}"),) if at else (),
    )


def nice_step(top: float, *, most: int) -> float:
    """The smallest of 1, 2, 5, 10, … (and their tenths) that divides 0 to `top` in at most `most` steps."""
    power: float = 10.0 ** math.floor(math.log10(top / most))
    return next(n * power for n in (1, 2, 5, 10) if top / (n * power) <= most + 1e-9)


def across(share: float) -> float:
    """Where a share of the x axis lies."""
    return round(LEFT + share * (RIGHT - LEFT), 1)


def up(share: float) -> float:
    """Where a share of the y axis lies."""
    return round(BOTTOM - share * (BOTTOM - TOP), 1)


def _share_ticks(place: Callable[[float], float]) -> tuple[Tick, ...]:
    return tuple(Tick(place(i / 5), percent(i / 5)) for i in range(6))


def path_of(spots: Iterable[tuple[float, float]]) -> str:
    """Spots as an SVG path."""
    return " ".join(f"{'L' if row else 'M'}{x:g} {y:g}" for row, (x, y) in enumerate(spots))


def _closed(spots: Sequence[tuple[float, float]]) -> str:
    if not spots:
        return ""
    return f"{path_of(spots)} L{spots[-1][0]:g} {BOTTOM} L{spots[0][0]:g} {BOTTOM} Z"
