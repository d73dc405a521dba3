"""The command that looks: explore."""

from collections.abc import Sequence

from cairn.base.checks import counted
from cairn.base.settings import DescribeSettings, ExploreSettings
from cairn.cli.display import TerminalWatch, program, say, table
from cairn.cli.flags import Option, Shape, Word, parse
from cairn.pipeline.exploring import explore
from cairn.pipeline.results import Explored

WORK = Word("WORK", "the work folder: where this project's data lies")
MAP = Option(
    "--map", "describe the images of the map first, where they have no descriptor yet", is_switch=True
)  # fmt: skip
MOST_ENDS = 8


def explore_command(arguments: Sequence[str]) -> int:
    """Show what the catalog holds."""
    summary = "What the catalog holds, as one page that opens offline and as tables."
    shape = Shape((WORK,), (MAP,), {"explore": ExploreSettings, "describe": DescribeSettings})
    given = parse("explore", summary, shape, arguments)
    if MAP.flag not in given.switches:
        given.require_untyped(
            DescribeSettings, because="it goes with --map, which describes images"
        )
    done = explore(
        given.words["WORK"],
        settings=given.settings("explore", ExploreSettings),
        describing=given.settings("describe", DescribeSettings),
        with_map=MAP.flag in given.switches,
        watch=TerminalWatch(),
    )
    say(explored(done))
    say(f"next: {program()} scrub {done.work.root} --backbone NAME-OR-FOLDER")
    return 0


def explored(done: Explored) -> str:
    """What was found, in counts that add up, and where the page lies."""
    counts = done.exploration.counts
    totals = counts.totals
    ends = [f"{n:,} {cause or status}" for status, cause, n in counts.rows.ends]
    more = f", {len(ends) - MOST_ENDS:,} causes more" if len(ends) > MOST_ENDS else ""
    lines = [
        f"{counted(totals.n_rows, 'row')}: {', '.join(ends[:MOST_ENDS])}{more}",
        f"{counted(totals.n_images, 'image')}: {totals.n_labelled:,} of {counted(totals.n_landmarks, 'landmark')}, "
        f"{totals.n_distractors:,} that show none, {totals.n_unlabelled:,} unlabelled",
    ]
    if counts.sizes:
        head = ("size", "images of each", "landmarks", "images")
        rows = [
            (size.name, _range(size.smallest, size.largest), f"{size.n_landmarks:,}", f"{size.n_images:,}")
            for size in counts.sizes
        ]  # fmt: skip
        lines.append(table(head, rows))
    if counts.parts:
        lines.append("parts: " + ", ".join(f"{part.n_images:,} {part.name}" for part in counts.parts))  # fmt: skip
    lines.append(_map_words(done))
    lines.append(f"report: {done.report}")
    return "\n".join(lines)


def _range(smallest: int, largest: int | None) -> str:
    if largest is None:
        return f"{smallest} or more"
    return f"{smallest}" if smallest == largest else f"{smallest} to {largest}"


def _map_words(done: Explored) -> str:
    image_map = done.image_map
    if image_map is None:
        return f"map: none, for want of descriptors; to make some: {program()} explore {done.work.root} --map"
    return f"map: {counted(len(image_map.table), 'image')} of {image_map.n_described:,} described"
