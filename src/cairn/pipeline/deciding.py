"""Deciding over a work folder: a policy, findings and verdicts become decisions, and these hold."""

from pathlib import Path

import polars as pl

from cairn.base.watching import Silent, Watch
from cairn.pipeline.holding import hold, kept_rows, settle, undecided, undecided_rows
from cairn.pipeline.results import Applied
from cairn.pipeline.verifying import verified_support
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.decisions import Decisions
from cairn.records.findings import COPIES, Findings
from cairn.records.verdicts import Merged, read_verdicts
from cairn.stages.deciding import Decided, decide
from cairn.stages.policies import NONE, Policy, policy_named

__all__ = ["apply", "undecided"]


def apply(work: str | Path, *, policy: str, watch: Watch | None = None) -> Applied:
    """What the policy of that name and people's verdicts decide about the images of `work`; see docs/scrub.md.

    Decisions made before are undone first, so that the last policy alone counts, and `none` undoes all. A second
    time, nothing changes.
    Raises InputError where there is no such policy, nothing was imported or nothing was scrubbed.
    """
    place, chosen = WorkFolder(Path(work)), policy_named(policy)
    place.require()
    with place.locked():
        settle(place)
        decided = _decided(place, chosen, watch or Silent())
        hold(place, decided.decisions)
        n_images = kept_rows(place).select(pl.len()).collect().item()
    return Applied(
        place, chosen.name, n_images, decided.decisions, decided.n_disputed, decided.n_protected,
        decided.n_left,
    )  # fmt: skip


def _decided(place: WorkFolder, policy: Policy, watch: Watch) -> Decided:
    if policy == NONE:
        return Decided(Decisions.of([]), 0, 0, 0)
    findings = Findings.read(place.findings_path)
    said = read_verdicts(place.verdicts).merged()
    rows, support = undecided_rows(place), None
    if policy.least_verified:
        support = verified_support(place, rows, watch=watch)
    else:
        rows = rows.filter(pl.col("image_id").is_in(_touched(findings, said).implode()))
    images = rows.select("image_id", "landmark_ids").collect(engine="streaming")
    return decide(images, findings, said, policy=policy, support=support)


def _touched(findings: Findings, said: Merged) -> pl.Series:
    """The id of each image that a finding or a verdict is about, or that stays where its copy goes."""
    copies = findings.of_kinds(*COPIES).table
    about = [verdict.image_id for verdict in said.agreed.values()]
    staying = copies["evidence"].list.first().alias("image_id")
    ids = (findings.table["image_id"], staying, pl.Series("image_id", about, pl.String))
    return pl.concat(ids).drop_nulls().unique()
