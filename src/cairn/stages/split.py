"""Split: every labelled image in use goes to train, val or test, its copies with it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.dealing import UNDEALT, deal
from cairn.algorithms.duplicates import groups_of, near_pairs
from cairn.base.errors import InputError
from cairn.base.settings import SplitSettings
from cairn.records.catalog import EXCLUDED, Catalog
from cairn.records.split import PARTS, Split

UNLABELLED = "unlabelled"
BRIDGES = "a copy of images in different parts"
DISTRACTORS = ""
IntArray = npt.NDArray[np.int64]
Copies = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Leakage:
    """What connects the parts; the last three are zero where nothing leaks.

    n_groups, n_copies: groups of more than one image, and the images in them.
    n_copies_across: pairs of copies whose images lie in different parts; n_found_across: of these the pairs that
    scrub's findings alone tell of.
    n_alike_across: pairs somewhat less alike than copies that lie across, for a person to look at.
    """

    n_groups: int
    n_copies: int
    n_copies_across: int
    n_alike_across: int
    n_found_across: int = 0


def split(
    catalog: Catalog, *, settings: SplitSettings, before: Split | None = None, copies: Copies = ()
) -> Split:
    """A part for every labelled image in use; the promises are those of docs/split.md.

    before: an earlier split: its images stay where they are, and a new image that would connect
    images in different parts is in none, with that cause. An image that is excluded now leaves its part and
    keeps its place there for when it comes back.
    copies: pairs of image ids that count as copies beside those of like images.
    Raises InputError where no image is labelled.
    """
    images = catalog.kept.sort("image_id")
    in_use = images["excluded"].is_null().to_numpy()
    dealable = in_use & images["landmark_ids"].is_not_null().to_numpy()
    if not dealable.any():
        raise InputError(
            "no image in the catalog is labelled and in use; photos in landmark folders were expected; "
            "sort some into folders by landmark and import them, or undo decisions with cairn scrub WORK --apply none"
        )
    ids = images["image_id"].to_list()
    old = _Old.of(before, ids)
    alike = near_pairs(codes_of(images), max_bits=settings.copy_bits)
    pairs = _joined(alike, _rows_of(copies, ids))
    bridging = _bridging(pairs, old.parts)
    first_of = groups_of(len(images), _kept_pairs(pairs, old, bridging))
    dealt = dealable & ~bridging
    # A group stays where its old images are, also where these are excluded: they may come back.
    fixed = np.full(len(images), UNDEALT, dtype=np.int64)
    np.maximum.at(fixed, first_of, old.parts)
    parts = np.full(len(images), UNDEALT, dtype=np.int64)
    parts[dealt] = _deal_groups(
        images.filter(dealt), first_of[dealt], fixed[first_of][dealt], settings
    )
    return _as_split(images, parts, _named_first(first_of, in_use), bridging, old)


def leakage(
    catalog: Catalog, dealt: Split, *, settings: SplitSettings, copies: Copies = ()
) -> Leakage:
    """What connects the parts of `dealt`, found again from the images' likeness and from `copies`, not from its groups."""
    labelled = dealt.table.drop_nulls("part")
    images = labelled.join(catalog.images, on="image_id", how="inner", maintain_order="left")
    sizes = labelled.group_by("group").len().filter(pl.col("len") > 1)["len"]
    codes, parts = codes_of(images), images["part"].to_numpy()
    pairs = near_pairs(codes, max_bits=settings.copy_bits + settings.copy_bits // 8)
    pairs = pairs[parts[pairs[:, 0]] != parts[pairs[:, 1]]]
    differ = np.bitwise_count(codes[pairs[:, 0]] ^ codes[pairs[:, 1]]).sum(axis=1)
    alike = set(map(tuple, pairs[differ <= settings.copy_bits].tolist()))
    told = _rows_of(copies, images["image_id"].to_list())
    told = told[parts[told[:, 0]] != parts[told[:, 1]]]
    found = set(map(tuple, told.tolist()))
    nearly = set(map(tuple, pairs[differ > settings.copy_bits].tolist()))
    return Leakage(
        len(sizes), int(sizes.sum()), len(alike | found), len(nearly - found), len(found - alike)
    )


def codes_of(images: pl.DataFrame) -> npt.NDArray[np.uint8]:
    """The likeness of each image as [N, 64] bytes."""
    return np.frombuffer(b"".join(images["likeness"]), dtype=np.uint8).reshape(len(images), -1)


def _rows_of(copies: Copies, ids: Sequence[str]) -> IntArray:
    """[P, 2] the rows of the pairs of which both images are there, the smaller first, each once."""
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    found = {
        (min(row_of[a], row_of[b]), max(row_of[a], row_of[b]))
        for a, b in copies
        if a in row_of and b in row_of and a != b
    }
    return np.array(sorted(found), dtype=np.int64).reshape(-1, 2)


def _joined(pairs: IntArray, others: IntArray) -> IntArray:
    """The pairs of both, each once, sorted."""
    return np.unique(np.concatenate([pairs, others]), axis=0) if len(others) else pairs


@dataclass(frozen=True)
class _Old:
    """Where an earlier split put each row: its part or -1, and the first row of its group or itself.

    An image that was excluded then counts as being where it was before that.
    """

    parts: IntArray
    groups: IntArray

    @staticmethod
    def of(before: Split | None, ids: Sequence[str]) -> "_Old":
        parts = np.full(len(ids), UNDEALT, dtype=np.int64)
        groups = np.arange(len(ids))
        row_of = {image_id: row for row, image_id in enumerate(ids)}
        first: dict[str, int] = {}
        placed = pl.coalesce("part", "part_before").alias("part")
        table = before.table.with_columns(placed).drop_nulls("part") if before else pl.DataFrame()
        for was in table.iter_rows(named=True):
            row = row_of.get(was["image_id"])
            if row is not None:
                parts[row] = PARTS.index(was["part"])
                groups[row] = first.setdefault(was["group"], row)
        return _Old(parts, groups)


def _bridging(pairs: IntArray, old_parts: IntArray) -> npt.NDArray[np.bool_]:
    """[N] whether a new row, through copies of its own, touches old rows in different parts."""
    is_new: npt.NDArray[np.bool_] = old_parts == UNDEALT
    first_of = groups_of(len(old_parts), pairs[is_new[pairs].all(axis=1)])
    touched: dict[int, set[int]] = defaultdict(set)
    mixed = pairs[is_new[pairs].sum(axis=1) == 1]
    for a, b in mixed.tolist():
        new, known = (a, b) if is_new[a] else (b, a)
        touched[int(first_of[new])].add(int(old_parts[known]))
    torn = [first for first, parts in touched.items() if len(parts) > 1]
    in_torn: npt.NDArray[np.bool_] = np.asarray(np.isin(first_of, torn), dtype=np.bool_)
    return is_new & in_torn


def _kept_pairs(pairs: IntArray, old: _Old, bridging: npt.NDArray[np.bool_]) -> IntArray:
    """The pairs that may join rows into groups: none of a bridging row, none between old parts."""
    parts = old.parts[pairs]
    between = (parts != UNDEALT).all(axis=1) & (parts[:, 0] != parts[:, 1])
    same_group = np.stack([old.groups, np.arange(len(old.groups))], axis=1)
    return np.concatenate([pairs[~bridging[pairs].any(axis=1) & ~between], same_group])


def _deal_groups(
    images: pl.DataFrame, first_of: IntArray, fixed_parts: IntArray, settings: SplitSettings
) -> IntArray:
    """[N] the part of each image; of one whose group is fixed to a part, that part."""
    truths: list[list[str]] = images["landmark_ids"].to_list()
    _, firsts, group_of, sizes = np.unique(
        first_of, return_index=True, return_inverse=True, return_counts=True
    )
    keys = [truths[row][0] if truths[row] else DISTRACTORS for row in firsts.tolist()]
    owners = np.unique(np.array(keys), return_inverse=True)[1].astype(np.int64)
    fixed = np.full(len(firsts), UNDEALT, dtype=np.int64)
    np.maximum.at(fixed, group_of, fixed_parts)
    _pin_hidden_landmarks(truths, keys, group_of, fixed)
    rng = np.random.default_rng(settings.seed)
    return deal(sizes.astype(np.int64), owners, fixed, shares=settings.ratio, rng=rng)[group_of]


def _pin_hidden_landmarks(
    truths: Sequence[list[str]], keys: Sequence[str], group_of: IntArray, fixed: IntArray
) -> None:
    """One group stays in train for each landmark that is never the main one of a group's first image."""
    groups_showing: dict[str, list[int]] = defaultdict(list)
    for row, truth in enumerate(truths):
        for landmark_id in truth:
            groups_showing[landmark_id].append(int(group_of[row]))
    for landmark_id in sorted(groups_showing.keys() - set(keys)):
        groups = groups_showing[landmark_id]
        if not any(fixed[group] == 0 for group in groups):
            free = next((group for group in groups if fixed[group] == UNDEALT), None)
            if free is not None:
                fixed[free] = 0


def _named_first(first_of: IntArray, in_use: npt.NDArray[np.bool_]) -> IntArray:
    """[N] the row that a group is called by: its first in use, or its first where none is."""
    rows = np.arange(len(first_of))
    named = np.full(len(first_of), len(first_of), dtype=np.int64)
    np.minimum.at(named, first_of[in_use], rows[in_use])
    return np.where(named < len(first_of), named, rows)[first_of]


def _as_split(
    images: pl.DataFrame, parts: IntArray, first_of: IntArray, bridging: npt.NDArray[np.bool_], old: _Old
) -> Split:  # fmt: skip
    ids: list[str] = images["image_id"].to_list()
    excluded: list[str | None] = images["excluded"].to_list()

    def cause(row: int) -> str | None:
        if excluded[row] is not None:
            return f"{EXCLUDED}: {excluded[row]}"
        return None if parts[row] != UNDEALT else BRIDGES if bridging[row] else UNLABELLED

    return Split.of(
        {
            "image_id": image_id,
            "part": None if parts[row] == UNDEALT else PARTS[parts[row]],
            "group": ids[first_of[row]],
            "cause": cause(row),
            "part_before": _part_before(int(old.parts[row])) if excluded[row] is not None else None,
        }
        for row, image_id in enumerate(ids)
    )


def _part_before(part: int) -> str | None:
    return None if part == UNDEALT else PARTS[part]
