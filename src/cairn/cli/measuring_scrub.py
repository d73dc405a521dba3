"""The command that measures scrub: `cairn bench scrub`."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from cairn.base.settings import DescribeSettings, ScrubBenchSettings, Settings
from cairn.bench.scrub import Asked, ScrubBench, bench_scrub
from cairn.bench.scrub_report import write_page
from cairn.bench.scrub_tables import cost_rows, precision_rows, recall_rows
from cairn.cli.display import TerminalWatch, say, table
from cairn.cli.flags import Option, Shape, parse
from cairn.cli.measuring_options import FOLDER, NOTES, WORK
from cairn.engines.local import processors

SCRUB_SUMMARY = (
    "what scrub finds of faults that were planted, kind by kind, beside cleanvision and imagededup"
)
LOOKED = Option("--looked", "CSV: what you said of hits that were not planted", value="CSV")
CLEANVISION = Option(
    "--cleanvision", "the Python of an environment that has cleanvision, to measure it too", value="PYTHON"
)  # fmt: skip
IMAGEDEDUP = Option(
    "--imagededup", "the Python of an environment that has imagededup, to measure it too", value="PYTHON"
)  # fmt: skip


def bench_scrub_command(arguments: Sequence[str]) -> int:
    """Plant faults, look for them, and say what was found."""
    options = (FOLDER, NOTES, LOOKED, CLEANVISION, IMAGEDEDUP, WORK)
    sections: dict[str, type[Settings]] = {
        "describe": DescribeSettings,
        "bench_scrub": ScrubBenchSettings,
    }
    given = parse("bench scrub", SCRUB_SUMMARY, Shape((), options, sections), arguments)
    asked = Asked(
        folder=Path(given.options[FOLDER.flag]),
        notes=given.path(NOTES.flag),
        looked=given.path(LOOKED.flag),
        cleanvision=given.path(CLEANVISION.flag),
        imagededup=given.path(IMAGEDEDUP.flag),
    )
    kept = given.path(WORK.flag)
    with tempfile.TemporaryDirectory() as scratch:
        found = bench_scrub(
            kept or Path(scratch),
            asked,
            settings=given.settings("bench_scrub", ScrubBenchSettings),
            describing=given.settings("describe", DescribeSettings),
            watch=TerminalWatch(),
        )
        page = write_page(kept or Path(scratch), found)
    _say_scrub(found)
    if kept:
        say(f"page, with the photos to be looked at: {page}")
    return 0


def _say_scrub(found: ScrubBench) -> None:
    counts = ", ".join(f"{n:,}" for n in found.n_photos)
    say(f"{counts} photos in the planted sets of seeds {', '.join(map(str, found.seeds))}")
    versions = [f"{name} {version}" for name, version in found.versions.items()]
    say(", ".join([f"{found.processor}, {processors()} processors", *versions]))
    for head, rows in (recall_rows(found), precision_rows(found), cost_rows(found)):
        say(table(head, rows))
    for name, reason in found.left_out.items():
        say(f"left out: {name}: {reason}")
