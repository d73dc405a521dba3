"""The command that compares ways of training: `cairn bench recipes`."""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cairn.base.settings import DescribeSettings, RecipesBenchSettings
from cairn.bench.parts import Row
from cairn.bench.recipes import OLD, gain_over
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Shape, parse
from cairn.cli.measuring_options import FOLDER, NOTES, WORK
from cairn.pipeline.comparing_recipes import compare_recipes
from cairn.pipeline.importing import Lists

RECIPES_SUMMARY = (
    "GAP of the old project's way of training, of each of its faults mended, and of Cairn's"
)


def bench_recipes_command(arguments: Sequence[str]) -> int:
    """Train in each way on several splits of a folder of photos, and ask about the rest."""
    shape = Shape(
        (), (FOLDER, NOTES, WORK), {"describe": DescribeSettings, "bench_recipes": RecipesBenchSettings}
    )  # fmt: skip
    given = parse("bench recipes", RECIPES_SUMMARY, shape, arguments)
    settings = given.settings("bench_recipes", RecipesBenchSettings)
    with tempfile.TemporaryDirectory() as scratch:
        rows = compare_recipes(
            given.path(WORK.flag) or Path(scratch),
            Lists(Path(given.options[FOLDER.flag]), notes=given.path(NOTES.flag)),
            describing=given.settings("describe", DescribeSettings),
            settings=settings,
            watch=TerminalWatch(),
        )
    say(
        f"seeds {', '.join(map(str, settings.seeds))}; {settings.old_epochs} epochs of the old ways"
    )
    _say_rows(rows)
    return 0


def _say_rows(rows: Sequence[Row]) -> None:
    old = next(row for row in rows if row.name == OLD)
    cells = []
    for row in rows:
        gain = gain_over(row, old)
        spread = statistics.stdev(row.gaps) if len(row.gaps) > 1 else 0.0
        cells.append(
            (
                row.name, f"{statistics.mean(row.gaps):.3f}", f"{spread:.3f}", f"{statistics.mean(row.top1s):.3f}",
                "" if row is old else f"{gain.mean:+.3f}",
                "" if row is old or gain.low != gain.low else f"{gain.low:+.3f} to {gain.high:+.3f}",
            )
        )  # fmt: skip
    say(table(("way", "GAP", "SD", "top-1", f"over {OLD}", "95 % interval"), cells))
