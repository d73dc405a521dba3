"""Hearing: what people's verdicts about findings mean for each image, before any policy acts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from cairn.records.decisions import DECISIONS_SCHEMA
from cairn.records.findings import BAD_PIXELS, COPIES, WRONG_LANDMARK, Findings
from cairn.records.verdicts import (
    BAD,
    COPY,
    KEEP,
    NO_LANDMARK,
    SEVERAL,
    UNSURE,
    WRONG,
    Merged,
    Verdict,
)

ROWS_SCHEMA = {
    name: kind for name, kind in DECISIONS_SCHEMA.items() if name != "before_landmark_ids"
}
Row = dict[str, object]


@dataclass(frozen=True)
class Heard:
    """What people said, image by image.

    rows: decisions as they follow from verdicts, without what was shown before. image_ids: the images about which
    people said something that holds, which no policy touches. open_findings: those that no policy acts on, for
    reviewers differ about them or were unsure. excluded: images that people leave out; landmark_ids: what people say
    that images show.
    """

    rows: pl.DataFrame
    image_ids: frozenset[str]
    open_findings: frozenset[str]
    excluded: frozenset[str]
    landmark_ids: Mapping[str, list[str]]
    n_disputed: int
    n_protected: int

    @staticmethod
    def nothing() -> "Heard":
        """Nobody said anything."""
        none: frozenset[str] = frozenset()
        return Heard(pl.DataFrame(schema=ROWS_SCHEMA), none, none, none, {}, 0, 0)


@dataclass
class _Image:
    """What was said about one image: verdicts that leave it out, that say what it shows, and that keep it."""

    leaving: list[tuple[str, Verdict]] = field(default_factory=list)
    showing: list[tuple[tuple[str, ...], Verdict]] = field(default_factory=list)
    keeping: list[Verdict] = field(default_factory=list)


def hear(said: Merged, findings: Findings, images: pl.DataFrame) -> Heard:
    """What the agreed verdicts mean for `images`, which have image_id and landmark_ids.

    Verdicts about one image are joined over its findings: it goes where one of them says so, shows what one of them
    says, and stays as it is where people only said to keep it. Where two say that it shows different things, neither
    counts. A wrong landmark without the right one leaves the image out; several without their names is no verdict,
    unless the finding names them.
    """
    by_image, open_findings = _by_image(said, _kinds(said, findings))
    truths: dict[str, list[str] | None] = dict(
        images.filter(pl.col("image_id").is_in(list(by_image)))
        .select("image_id", "landmark_ids")
        .iter_rows()
    )
    rows: list[Row] = []
    shown: dict[str, list[str]] = {}
    kept: set[str] = set()
    torn: set[str] = set()
    for image_id, told in by_image.items():
        if image_id not in truths:
            continue
        answers = {frozenset(landmark_ids) for landmark_ids, _ in told.showing}
        if len(answers) > 1:
            torn.add(image_id)
        if len(answers) == 1:
            shown[image_id] = list(told.showing[0][0])
        row = _row(image_id, told, shown.get(image_id), truths[image_id])
        if row is not None:
            rows.append(row)
        elif image_id not in torn:
            kept.add(image_id)
    return Heard(
        rows=pl.DataFrame(rows, schema=ROWS_SCHEMA),
        image_ids=frozenset({str(row["image_id"]) for row in rows} | kept | torn),
        open_findings=frozenset(open_findings),
        excluded=frozenset(str(row["image_id"]) for row in rows if row["excluded"] is not None),
        landmark_ids=shown,
        n_disputed=len(said.disputed) + len(torn),
        n_protected=len(kept),
    )


def _kinds(said: Merged, findings: Findings) -> dict[str, tuple[str, list[str] | None]]:
    """The kind and the suggestion of each finding that has a verdict."""
    told = findings.table.filter(pl.col("finding_id").is_in(list(said.verdicts)))
    return {
        finding_id: (kind, suggested)
        for finding_id, kind, suggested in told.select(
            "finding_id", "kind", "suggested"
        ).iter_rows()
    }


def _by_image(
    said: Merged, kinds: Mapping[str, tuple[str, list[str] | None]]
) -> tuple[dict[str, _Image], set[str]]:
    """What was said about each image, and the findings that stay open."""
    by_image: dict[str, _Image] = {}
    open_findings: set[str] = set()
    for finding_id, verdict in said.verdicts.items():
        if verdict is None or verdict.verdict == UNSURE:
            open_findings.add(finding_id)
            continue
        kind, suggested = kinds.get(finding_id, ("", None))
        told = by_image.setdefault(verdict.image_id, _Image())
        if verdict.verdict in (COPY, BAD):
            told.leaving.append((_cause(verdict.verdict, kind), verdict))
        elif verdict.verdict == WRONG and verdict.landmark_ids is None:
            told.leaving.append((WRONG_LANDMARK, verdict))
        elif verdict.verdict == KEEP:
            told.keeping.append(verdict)
        else:
            named = verdict.landmark_ids if verdict.verdict != NO_LANDMARK else ()
            if named is None and verdict.verdict == SEVERAL and len(suggested or ()) > 1:
                named = tuple(suggested or ())
            if named is None:
                open_findings.add(finding_id)
            else:
                told.showing.append((tuple(dict.fromkeys(named)), verdict))
    return {key: told for key, told in by_image.items() if told != _Image()}, open_findings


def _cause(verdict: str, kind: str) -> str:
    """The finding's kind where the verdict confirms it, else the verdict's own word."""
    confirmed = COPIES if verdict == COPY else BAD_PIXELS
    return kind if kind in confirmed else verdict


def _row(
    image_id: str, told: _Image, shown: list[str] | None, before: list[str] | None
) -> Row | None:
    """The decision about an image; None where it stays as it is."""
    excluded = told.leaving[0][0] if told.leaving else None
    changed = shown if shown != before else None
    if excluded is None and changed is None:
        return None
    heard = [verdict for _, verdict in told.leaving]
    sentences = [f"{verdict.reviewer} said: {verdict.verdict}" for verdict in heard[:1]]
    if changed is not None:
        verdict = told.showing[0][1]
        heard.append(verdict)
        sentences.append(f"{verdict.reviewer} said that it shows {_listed(changed)}")
    names = {name for verdict in heard for name in verdict.reviewer.split(", ")}
    return {
        "image_id": image_id, "excluded": excluded, "landmark_ids": changed,
        "because": "; ".join(sentences), "by": ", ".join(sorted(names)),
    }  # fmt: skip


def _listed(landmark_ids: list[str]) -> str:
    return " and ".join(landmark_ids) if landmark_ids else "no landmark"
