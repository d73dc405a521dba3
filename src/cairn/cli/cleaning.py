"""The command that finds what is doubtful and applies what was decided: cairn scrub."""

from collections.abc import Sequence

import polars as pl

from cairn.base.settings import DescribeSettings, ScrubSettings
from cairn.cli.display import TerminalWatch, program, say, table
from cairn.cli.flags import Given, Option, Shape, Word, parse
from cairn.pipeline.deciding import apply
from cairn.pipeline.results import Scrubbed
from cairn.pipeline.scrubbing import scrub
from cairn.reports.scrub import findings_lead
from cairn.stages.policies import NONE, POLICIES

WORK = Word("WORK", "the work folder: where this project's data lies")
APPLY = Option(
    "--apply", f"find nothing: decide by findings and verdicts; one of {', '.join(POLICIES)}", value="POLICY"
)  # fmt: skip


def scrub_command(arguments: Sequence[str]) -> int:
    """Find what is doubtful about the images, or decide by what was found."""
    summary = (
        "Find copies, wrong, missing and several landmarks and bad images; with --apply, decide by what was found. Nothing "
        "is ever deleted."
    )
    shape = Shape((WORK,), (APPLY,), {"describe": DescribeSettings, "scrub": ScrubSettings})
    given = parse("scrub", summary, shape, arguments)
    if APPLY.flag in given.options:
        return _apply(given)
    done = scrub(
        given.words["WORK"],
        describing=given.settings("describe", DescribeSettings),
        settings=given.settings("scrub", ScrubSettings),
        watch=TerminalWatch(),
    )
    say(scrubbed(done))
    say(f"next: {program()} review {done.work.root}")
    say(f"  or: {program()} scrub {done.work.root} --apply careful")
    return 0


def _apply(given: Given) -> int:
    given.require_untyped(
        DescribeSettings,
        ScrubSettings,
        because="it says how doubts are found, and --apply finds none",
    )
    done = apply(given.words["WORK"], policy=given.options[APPLY.flag], watch=TerminalWatch())
    for sentence in done.sentences():
        say(sentence)
    if given.options[APPLY.flag] != NONE.name:
        say(f"to undo it: {program()} scrub {given.words['WORK']} --apply {NONE.name}")
    say(f"next: {program()} split {given.words['WORK']}")
    return 0


def scrubbed(done: Scrubbed) -> str:
    """What scrub found, as a table by kind."""
    findings = done.findings.table
    sure = dict(findings.group_by("kind").agg(pl.col("is_sure").sum()).iter_rows())
    rows = [(kind, f"{n:,}", f"{sure[kind]:,}") for kind, n in done.findings.counts().items()]
    lines = [
        findings_lead(done.findings, done.n_images, done.n_duplicates),
        *([table(("kind", "findings", "sure"), rows)] if rows else []),
    ]
    lines += [f"findings: {done.work.findings_path}", f"report: {done.report}"]
    return "\n".join(lines)
