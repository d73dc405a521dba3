"""Copies told as findings: which of them stays, how far they agree, whose parts and landmarks they mix up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cairn.records.catalog import DUPLICATE
from cairn.records.findings import COPY_ACROSS, EXACT_COPY, NEAR_COPY, TWO_LANDMARKS
from cairn.stages.scrub.copies import Connected, CopyPair
from cairn.stages.scrub.laying import Found, How

Row = dict[str, object]
Truth = tuple[str, ...] | None


@dataclass(frozen=True)
class CopyTold:
    """What is said of the images of a catalog, row by row.

    truths: None unknown, () shows none, else landmarks. parts: train, val, test or None for none; empty where nothing
    was split yet. names: of landmarks. sizes_px: pixels in all, of which the copy that stays has most; empty where only
    pairs tell it.
    """

    image_ids: Sequence[str]
    truths: Sequence[Truth]
    parts: Sequence[str | None]
    names: Mapping[str, str]
    sizes_px: Sequence[int] = ()

    def said(self, truth: Truth) -> str:
        """What a truth says, in words."""
        if not truth:
            return "no landmark" if truth is not None else "nothing"
        return " and ".join(self.names.get(one) or one for one in truth)


def copy_findings(pairs: Sequence[CopyPair], told: CopyTold) -> list[Row]:
    """The findings that `pairs` make, about the image of each that goes; enough of them to connect all copies."""
    rows = []
    chosen = connecting(pairs)
    for pair in chosen:
        rows.append(_as_copy(pair, told))
        rows += _across_parts(pair, told)
        rows += _under_two(pair, told)
    return rows + _across_bridges(chosen, told)


def duplicate_findings(table: pl.DataFrame, told: CopyTold) -> list[Row]:
    """The findings that the duplicates of a catalog make: files with the bytes of another that is kept.

    A row that repeats an address was never fetched: there is no file to be looked at, and it is no finding, but what
    it says of the photo counts.
    """
    twins = table.filter((pl.col("status") == DUPLICATE) & pl.col("twin_id").is_not_null())
    twins = twins.filter(pl.col("image_id") != pl.col("twin_id"))
    place = {image_id: row for row, image_id in enumerate(told.image_ids)}
    rows: list[Row] = []
    others: dict[str, list[str]] = {}
    said: dict[str, list[tuple[str, ...]]] = {}
    for image_id, twin_id, own, path in (
        twins.unique("image_id", maintain_order=True)
        .select("image_id", "twin_id", "own_landmark_ids", "path")
        .iter_rows()
    ):
        if twin_id not in place:
            continue
        if path is not None:
            reason = "its file has the same bytes as that of the image beside it"
            rows.append(_row(EXACT_COPY, image_id, [twin_id], 1.0, True, reason))
        if own is not None:
            others.setdefault(twin_id, []).extend([image_id] if path is not None else [])
            said.setdefault(twin_id, []).append(tuple(own))
    own_of = _own_words(table, set(said))
    for twin_id, truths in said.items():
        rows += _joined(twin_id, [*own_of.get(twin_id, ()), *truths], others[twin_id], told)
    return rows


def connecting(pairs: Sequence[CopyPair]) -> list[CopyPair]:
    """As few of `pairs` as connect the same rows: sure ones first, then those with the image that stays first of all."""
    n_wins: dict[int, int] = {}
    for pair in pairs:
        n_wins[pair.stays] = n_wins.get(pair.stays, 0) + 1
    order = sorted(
        pairs,
        key=lambda pair: (not pair.found.is_sure, -n_wins[pair.stays], pair.stays, pair.goes),
    )
    connected = Connected()
    return [pair for pair in order if connected.join(pair.stays, pair.goes)]


def _as_copy(pair: CopyPair, told: CopyTold) -> Row:
    kind = EXACT_COPY if pair.found.how == How.PIXELS else NEAR_COPY
    return _of_pair(kind, pair, told, said_of(pair.found), is_sure=pair.found.is_sure)


def said_of(found: Found) -> str:
    """How an image is a copy, in a sentence."""
    parts = f"laid over it, {100 * found.share:.0f} of 100 parts agree pixel for pixel"
    area = f"it shares {100 * found.covered:.0f} % of the area with the image beside it"
    composed = "; but one seems to be put together from several photos" if found.is_composed else ""
    said = {
        How.PIXELS: "every pixel is the same as in the image beside it",
        How.WHOLE: f"the same photo as the image beside it: {parts}",
        How.MIRRORED: f"the mirror image of the image beside it: {parts}",
        How.PART: f"the same photo, cropped: {area}, and {parts}",
        How.MIRRORED_PART: f"the same photo, mirrored and cropped: {area}, and {parts}",
    }
    return said[found.how] + composed


def _across_parts(pair: CopyPair, told: CopyTold) -> list[Row]:
    if not told.parts:
        return []
    goes, stays = told.parts[pair.goes], told.parts[pair.stays]
    if goes is None or stays is None or goes == stays:
        return []
    reason = f"it lies in {goes}, and a copy of it in {stays}: {said_of(pair.found)}"
    return [_of_pair(COPY_ACROSS, pair, told, reason, is_sure=pair.found.is_sure)]


def _across_bridges(pairs: Sequence[CopyPair], told: CopyTold) -> list[Row]:
    """The findings about copies in different parts that only images in no part connect, all of them surely.

    About each image that lies elsewhere than the one that stays of them, with that one as its evidence first.
    """
    sure = [pair for pair in pairs if pair.found.is_sure] if told.parts else []
    bridging = [pair for pair in sure if None in _parts(pair, told)]
    beside: dict[int, list[CopyPair]] = {}
    bridges = Connected(
        (pair.stays, pair.goes) for pair in bridging if set(_parts(pair, told)) == {None}
    )
    for pair in bridging:
        if set(_parts(pair, told)) != {None}:
            bridge = pair.stays if told.parts[pair.stays] is None else pair.goes
            beside.setdefault(bridges.top(bridge), []).append(pair)
    rows: list[Row] = []
    for touching in beside.values():
        ends = {_end(pair, told): pair for pair in touching}
        stays = min(ends, key=lambda row: (-told.sizes_px[row] if told.sizes_px else 0, row))
        for goes, pair in sorted(ends.items()):
            if told.parts[goes] != told.parts[stays]:
                rows.append(_bridged(goes, stays, pair, ends[stays], told))
    return rows


def _bridged(goes: int, stays: int, own: CopyPair, other: CopyPair, told: CopyTold) -> Row:
    """The finding about one image, by its pair with an image in no part and that of the image that stays."""
    between = {*_rows(own), *_rows(other)} - {goes, stays}
    reason = (
        f"it lies in {told.parts[goes]}, and a copy of it in {told.parts[stays]}: both are copies of an image in no "
        f"part; {said_of(own.found)}"
    )
    evidence = [told.image_ids[row] for row in (stays, *sorted(between))]
    score = min(own.found.score, other.found.score)
    return _row(COPY_ACROSS, told.image_ids[goes], evidence, score, True, reason)


def _rows(pair: CopyPair) -> tuple[int, int]:
    return pair.stays, pair.goes


def _parts(pair: CopyPair, told: CopyTold) -> tuple[str | None, str | None]:
    return told.parts[pair.stays], told.parts[pair.goes]


def _end(pair: CopyPair, told: CopyTold) -> int:
    """The one of the two that lies in a part."""
    return pair.goes if told.parts[pair.stays] is None else pair.stays


def _under_two(pair: CopyPair, told: CopyTold) -> list[Row]:
    goes, stays = told.truths[pair.goes], told.truths[pair.stays]
    if goes is None or stays is None or _agree(goes, stays):
        return []
    reason = f"it is said to show {told.said(goes)}, and its copy {told.said(stays)}: {said_of(pair.found)}"
    return [_of_pair(TWO_LANDMARKS, pair, told, reason, is_sure=False)]


def _own_words(table: pl.DataFrame, image_ids: set[str]) -> dict[str, list[tuple[str, ...]]]:
    """What the rows of these kept images themselves say, where they say something."""
    rows = table.filter(
        pl.col("image_id").is_in(sorted(image_ids)) & (pl.col("status") != DUPLICATE)
    )
    pairs = rows.drop_nulls("own_landmark_ids").select("image_id", "own_landmark_ids").iter_rows()
    return {image_id: [tuple(own)] for image_id, own in pairs}


def _joined(
    image_id: str, truths: Sequence[tuple[str, ...]], others: Sequence[str], told: CopyTold
) -> list[Row]:
    """The finding about one image whose equal files lie under landmarks that do not agree."""
    distinct = list(dict.fromkeys(truths))
    if all(_agree(a, b) for i, a in enumerate(distinct) for b in distinct[:i]):
        return []
    said = ", ".join(f"under {told.said(truth)}" for truth in distinct)
    return [
        _row(
            TWO_LANDMARKS,
            image_id,
            list(others),
            1.0,
            False,
            f"its very bytes lie {said}",
        )
    ]


def _agree(a: tuple[str, ...], b: tuple[str, ...]) -> bool:
    return a == b or bool(set(a) & set(b))


def _of_pair(kind: str, pair: CopyPair, told: CopyTold, reason: str, *, is_sure: bool) -> Row:
    image_id, stays = told.image_ids[pair.goes], told.image_ids[pair.stays]
    return _row(kind, image_id, [stays], pair.found.score, is_sure, reason)


def _row(
    kind: str, image_id: str, evidence: list[str], score: float, is_sure: bool, reason: str
) -> Row:
    return {
        "kind": kind,
        "image_id": image_id,
        "score": score,
        "is_sure": is_sure,
        "reason": reason,
        "evidence": evidence,
    }
