"""Split: every labelled image in use goes to train, val or test, its copies with it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.dealing import UNDEALT, deal
from cairn.algorithms.duplicates import groups_of, near_pairs
from cairn.algorithms.placing import place_copies
from cairn.base.errors import InputError
from cairn.base.settings import SplitSettings
from cairn.records.catalog import EXCLUDED, Catalog
from cairn.records.split import PARTS, Split

UNLABELLED = "unlabelled"
BRIDGES = "a copy of images in different parts"
_PLACES = {part: place for place, part in enumerate(PARTS)}
DISTRACTORS = ""
IntArray = npt.NDArray[np.int64]
Copies = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Leakage:
    """What connects the parts; the last three are zero where nothing leaks.

    n_groups, n_copies: groups of more than one image, and the images in them.
    n_copies_across: pairs of copies, also of copies of copies, whose images lie in different parts; n_found_across: of
    these the pairs that likeness alone would not tell of.
    n_alike_across: pairs somewhat less alike than copies that lie across, for a person to look at.
    """

    n_groups: int
    n_copies: int
    n_copies_across: int
    n_alike_across: int
    n_found_across: int = 0


def split(
    catalog: Catalog,
    *,
    settings: SplitSettings,
    before: Split | None = None,
    copies: Copies = (),
    apart: Copies = (),
) -> Split:
    """A part for every labelled image in use; the promises are those of docs/split.md.

    before: an earlier split: its images stay where they are, and a new image that would connect
    images in different parts is in none, with that cause. An image that is excluded now leaves its part and
    keeps its place there for when it comes back.
    copies: pairs of image ids that count as copies beside those of like images. apart: pairs that do not, however
    alike they are.
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
    pairs = _pairs(alike, copies, apart, ids)
    placed = place_copies(pairs, old.parts, in_use)
    first_of = groups_of(len(images), np.concatenate([placed.links, old.links]))
    dealt = dealable & ~placed.torn
    # A group stays where its old images are, also where these are excluded: they may come back.
    fixed = np.full(len(images), UNDEALT, dtype=np.int64)
    np.maximum.at(fixed, first_of, placed.parts)
    parts = np.full(len(images), UNDEALT, dtype=np.int64)
    parts[dealt] = _deal_groups(
        images.filter(dealt), first_of[dealt], fixed[first_of][dealt], settings
    )
    return _as_split(images, parts, _named_first(first_of, in_use), placed.torn, old)


def leakage(
    catalog: Catalog, dealt: Split, *, settings: SplitSettings, copies: Copies = (), apart: Copies = ()
) -> Leakage:  # fmt: skip
    """What connects the parts of `dealt`, found again from the images' likeness and from pairs, not from its groups.

    copies, apart: as for `split`. Images in no part count for nothing themselves, but they connect their copies.
    """
    labelled = dealt.table.drop_nulls("part")
    sizes = labelled.group_by("group").len().filter(pl.col("len") > 1)["len"]
    places = dealt.table.select("image_id", pl.col("part").replace_strict(_PLACES, default=UNDEALT))
    # An image that was left out after the dealing lies across nothing.
    in_use = pl.col("excluded").is_null()
    images = catalog.kept.join(
        places, on="image_id", how="left", maintain_order="left"
    ).with_columns(pl.when(in_use).then("part").alias("part"))
    codes, parts = codes_of(images), images["part"].fill_null(UNDEALT).to_numpy()
    ids = images["image_id"].to_list()
    near = near_pairs(codes, max_bits=settings.copy_bits + settings.copy_bits // 8)
    differ = np.bitwise_count(codes[near[:, 0]] ^ codes[near[:, 1]]).sum(axis=1)
    alike = near[differ <= settings.copy_bits]
    by_likeness = groups_of(len(ids), _pairs(alike, (), apart, ids))
    group = groups_of(len(ids), _pairs(alike, copies, apart, ids))
    nearly = _pairs(near[differ > settings.copy_bits], (), apart, ids)
    is_across = (parts[nearly] != UNDEALT).all(axis=1) & (
        parts[nearly[:, 0]] != parts[nearly[:, 1]]
    )
    is_told = group[nearly[:, 0]] == group[nearly[:, 1]]
    n_across = _pairs_across(group, parts)
    return Leakage(
        n_groups=len(sizes),
        n_copies=int(sizes.sum()),
        n_copies_across=n_across,
        n_alike_across=int((is_across & ~is_told).sum()),
        n_found_across=n_across - _pairs_across(by_likeness, parts),
    )  # fmt: skip


def _pairs_across(group: IntArray, parts: IntArray) -> int:
    """The number of pairs of rows of one group that lie in different parts."""
    counts = np.zeros((len(group), len(PARTS)), dtype=np.int64)
    is_dealt = parts != UNDEALT
    np.add.at(counts, (group[is_dealt], parts[is_dealt]), 1)
    return int((counts.sum(axis=1) ** 2 - (counts**2).sum(axis=1)).sum() // 2)


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


def _pairs(alike: IntArray, copies: Copies, apart: Copies, ids: Sequence[str]) -> IntArray:
    """The pairs of like rows and of copies, each once, sorted, without those that are told apart."""
    pairs = alike
    if copies:
        pairs = np.unique(np.concatenate([alike, _rows_of(copies, ids)]), axis=0)
    different = _rows_of(apart, ids)
    if not len(different):
        return pairs
    # As one number each, as they are only few beside many.
    n = len(ids)
    is_apart = np.isin(pairs[:, 0] * n + pairs[:, 1], different[:, 0] * n + different[:, 1])
    return pairs[~is_apart]


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

    @property
    def links(self) -> IntArray:
        """[P, 2] rows that shared a group, and lie in one part."""
        rows = np.flatnonzero(self.parts[self.groups] == self.parts)
        return np.stack([self.groups[rows], rows], axis=1)


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
