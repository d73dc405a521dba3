"""Precision over recall as one picture: a small panel for each kind of finding, as an SVG file that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.base.files import write_text
from cairn.reports.pages import render

WIDE = 4
PANEL_PX, STEP_X_PX, STEP_Y_PX = 150, 205, 222
LEFT_PX, TOP_PX = 48, 40
TICKS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class CurveShown:
    """Of one kind of finding the recall and precision at each rank, both 0 to 1, and what is held against them.

    aim: the least recall and precision, None where nothing is asked.
    """

    name: str
    recalls: Sequence[float]
    precisions: Sequence[float]
    aim: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Panel:
    name: str
    left: int
    top: int
    path: str
    end: tuple[float, float]
    aim: tuple[float, float] | None


def write_precision_recall(path: Path, curves: Sequence[CurveShown], *, summary: str) -> None:
    """`path` holds the picture of `curves`; `summary` says in a sentence what it shows."""
    panels = [_panel(place, one) for place, one in enumerate(curves)]
    n_rows = -(-len(panels) // WIDE)
    size_px = (LEFT_PX + WIDE * STEP_X_PX, TOP_PX + n_rows * STEP_Y_PX)
    told = {"panels": panels, "summary": summary, "size": size_px, "side": PANEL_PX, "ticks": TICKS}
    write_text(path, render("precision_recall.svg.j2", told))


def _panel(place: int, shown: CurveShown) -> _Panel:
    left, top = LEFT_PX + place % WIDE * STEP_X_PX, TOP_PX + place // WIDE * STEP_Y_PX
    spots = [_spot(*point) for point in zip(shown.recalls, shown.precisions, strict=True)]
    path = "M" + " L".join(f"{x} {y}" for x, y in dict.fromkeys(spots))
    return _Panel(shown.name, left, top, path, spots[-1], _spot(*shown.aim) if shown.aim else None)


def _spot(recall: float, precision: float) -> tuple[float, float]:
    return round(PANEL_PX * recall, 1), round(PANEL_PX * (1 - precision), 1)
