"""The command that gives networks away: export."""

from collections.abc import Sequence
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.settings import DescribeSettings, ExportSettings
from cairn.cli.display import TerminalWatch, program, say, table, warn
from cairn.cli.flags import Option, Shape, Word, parse
from cairn.records.parity import FormatParity, ParityReport

SOURCE = Word("SOURCE", "the name of a timm model, a backbone folder, a bundle, or 'embedded'")
OUT = Word("OUT", "the folder to make, which must not exist yet")
PHOTOS = Option(
    "--photos", "a folder of photos or a work folder: int8 is calibrated and all formats are compared on them",
    value="DIR",
)  # fmt: skip
DECIDED = ("backbone", "runtime", "describe_in")


def export_command(arguments: Sequence[str]) -> int:
    """Write a network as ONNX and OpenVINO, in bf16 and int8, and tell how near each comes to it."""
    from cairn.pipeline.exporting import export

    summary = (
        "A network as a folder with ONNX, OpenVINO bf16 and int8, and how near each comes to it."
    )
    shape = Shape(
        (SOURCE, OUT), (PHOTOS,), {"export": ExportSettings, "describe": DescribeSettings}
    )
    given = parse("export", summary, shape, arguments)
    given.require_untyped_names(
        DECIDED, because="export takes its network from SOURCE, and runs every format"
    )
    watch = TerminalWatch()
    done = export(
        given.words["SOURCE"],
        Path(given.words["OUT"]),
        photos=given.path(PHOTOS.flag),
        describing=given.settings("describe", DescribeSettings),
        settings=given.settings("export", ExportSettings),
        watch=watch,
    )
    if done.parity is None:
        say(
            "nothing was compared, for no photos were given; to see how near each format comes, add --photos DIR"
        )
    else:
        say(parity_words(done.parity))
        if done.parity.remark:
            warn(done.parity.remark)
        for warning in done.parity.warnings:
            warn(warning)
    say(f"exported: {done.folder} ({counted(len(done.files), 'file')})")
    say(f"next: {program()} train WORK --backbone {done.folder}")
    return 0


def parity_words(parity: ParityReport) -> str:
    """The comparison as a table, and what it was made on."""
    rows = [_row(one, parity) for one in parity.formats]
    head = ("format", "cosine: median", "1 in 100 below", "least", "MB", "images/s", "× onnx")
    sides = ", ".join(map(str, parity.sides_px))
    return (
        f"{parity.backbone}: {counted(parity.n_photos, 'photo')} at {sides} px, {' + '.join(parity.pooling)}, compared "
        f"with {parity.reference}; {parity.processor}\n{table(head, rows)}"
    )


def _row(one: FormatParity, parity: ParityReport) -> tuple[str, ...]:
    rates = sorted(one.images_per_s)
    return (
        one.name,
        f"{one.cosine_median:.6f}",
        f"{one.cosine_low:.6f}",
        f"{one.cosine_least:.6f}",
        f"{one.size_bytes / 1e6:.1f}",
        f"{rates[len(rates) // 2]:.1f}",
        f"{parity.times_as_quick(one.name):.2f}",
    )
