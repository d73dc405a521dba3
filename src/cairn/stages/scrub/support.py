"""Which images the photos of their own landmark do not support: likely wrong landmark, or none at all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.doubting import Doubts, doubts, shares
from cairn.algorithms.standing import Shown
from cairn.base.checks import counted
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.records.findings import NO_LANDMARK, WRONG_LANDMARK
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.trying import LEAST_WITNESSES, Album, Tried, try_photos

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_EVIDENCE, N_COUNTED = 5, 10
# Less likely doubts are not worth a person's time.
LEAST_SCORE, SURE_SCORE = 0.01, 0.97


@dataclass(frozen=True)
class _Images:
    """The images with what was worked out for all of them."""

    known: KnownImages
    own: Ints
    shown: Shown
    album: Album
    landmark_ids: tuple[str, ...]
    found: Doubts

    def own_of(self, row: int) -> list[int]:
        """The image's own landmarks."""
        return [code for code in self.own[row].tolist() if code >= 0]

    def others_of(self, row: int) -> list[int]:
        """The other landmarks that its neighbours speak for, the likeliest first."""
        return [code for code in self.found.others.landmarks[row].tolist() if code >= 0]

    def names(self, codes: list[int]) -> str:
        """The landmarks' names, for a sentence."""
        return " and ".join(self.known.name(self.landmark_ids[code]) for code in codes)

    def n_near(self, row: int, codes: list[int]) -> tuple[int, int]:
        """How many of the nearest images show one of these landmarks, of how many; copies left out."""
        rows = self.known.neighbors.rows[row]
        groups = self.shown.copy_groups
        rows = rows[(rows >= 0) & (groups[rows] != groups[row])][:N_COUNTED]
        return int(np.isin(self.own[rows], codes).any(axis=1).sum()), len(rows)


def support_findings(
    images: KnownImages,
    *,
    looks: Looks,
    engine: Engine,
    max_candidates: int,
    seed: int = 0,
    watch: Watch,
) -> list[dict[str, object]]:
    """Findings of the kinds "wrong landmark" and "no landmark", as rows for `Findings.of`.

    The score is how likely the finding is right: from how the image stands among its neighbours
    (`algorithms/doubting.py`), then from which photos of its own and of other landmarks match it
    (`algorithms/saying.py`). A wrong landmark is sure only where two photos of the other one match.
    max_candidates: so many images of each kind are matched, the most doubtful first; 0 leaves the
    matching out. engine: what it finds does not depend on its threads.
    """
    own, shown = images.own_codes(), images.shown()
    rng = np.random.default_rng(seed)
    found = doubts(images.vectors, images.neighbors, own, shown, images.distractors(), rng=rng)
    album = Album(images.vectors, shown.copy_groups, shown.images_of())
    every = _Images(images, own, shown, album, images.landmark_ids(), found)
    tried = _all_tried(every, _doubtful(every, max_candidates), looks, engine, seed, watch)
    wrong, none = found.wrong.copy(), found.none.copy()
    for row, one in tried.items():
        wrong[row] += one.others_say - one.own_says
        # That no other landmark matches either says little, as most landmarks were not tried.
        none[row] -= one.own_says + max(one.others_say, 0.0)
    wrong_shares, none_shares = shares(wrong, none)
    return [
        _wrong(every, row, float(wrong_shares[row]), tried.get(row))
        for row in np.flatnonzero(wrong_shares >= LEAST_SCORE).tolist()
        if every.others_of(row)
    ] + [
        _none(every, row, float(none_shares[row]), tried.get(row))
        for row in np.flatnonzero(none_shares >= LEAST_SCORE).tolist()
    ]


def _doubtful(every: _Images, most: int) -> list[int]:
    """The most doubtful images, at most so many of each kind; those that are tried with the same photos together."""
    queues = shares(every.found.wrong, every.found.none)
    rows = np.unique(np.concatenate([_likeliest(queue, most) for queue in queues]))
    return sorted(rows.tolist(), key=lambda row: (every.own_of(row), every.others_of(row), row))


def _likeliest(queue: Doubles, most: int) -> Ints:
    """The rows of the largest shares, at most so many."""
    rows = np.flatnonzero(~np.isnan(queue))
    return rows[np.argsort(-queue[rows], kind="stable")[:most]].astype(np.int64)


def _all_tried(
    every: _Images, rows: list[int], looks: Looks, engine: Engine, seed: int, watch: Watch
) -> dict[int, Tried]:
    """What matching says of each of `rows`."""

    def tried(row: int) -> Tried:
        own, others = every.own_of(row), every.others_of(row)
        return try_photos(row, own, others, album=every.album, looks=looks, seed=seed)

    found = {}
    with watch.phase("match doubtful images", len(rows)) as advance:
        for row, one in zip(rows, engine.map(tried, rows), strict=True):
            found[row] = one
            advance(1)
    return found


def _wrong(every: _Images, row: int, score: float, tried: Tried | None) -> dict[str, object]:
    """A row that says which other landmark an image shows."""
    own, other = every.own_of(row), _suggested(every, row, tried)
    evidence = every.album.nearest(row, [other], N_EVIDENCE).tolist()
    matching, has_witnesses = "", False
    if tried is not None and other in tried.others:
        said = tried.others[other]
        matched = list(said.proof.matching)
        evidence = (matched + [one for one in evidence if one not in matched])[:N_EVIDENCE]
        has_witnesses = said.n_apart >= LEAST_WITNESSES
        matching = (
            f"; {counted(len(matched), 'photo')} of {every.names([other])} and "
            f"{len(tried.own.matching)} of its own landmark match it point by point"
        )
    n_other, n_all = every.n_near(row, [other])
    n_own, _ = every.n_near(row, own)
    return {
        "kind": WRONG_LANDMARK,
        "image_id": every.known.image_ids[row],
        "score": score,
        "is_sure": has_witnesses and score >= SURE_SCORE,
        "reason": f"of its {n_all} nearest photos {n_other} show {every.names([other])} and {n_own} "
        f"{every.names(own)}{matching}",
        "evidence": every.known.ids_of(evidence),
        "suggested": [every.landmark_ids[other]],
    }


def _suggested(every: _Images, row: int, tried: Tried | None) -> int:
    """The landmark that an image likely shows: the one whose photos match it best, else the likeliest by neighbours."""
    others = every.others_of(row)
    matching = [
        code
        for code in others
        if tried is not None and code in tried.others and tried.others[code].n_apart
    ]
    if tried is None or not matching:
        return others[0]
    said = tried.others
    return max(matching, key=lambda code: (said[code].surprise, said[code].proof.best))


def _none(every: _Images, row: int, score: float, tried: Tried | None) -> dict[str, object]:
    """A row that says that an image shows no landmark."""
    own = every.own_of(row)
    n_own, n_all = every.n_near(row, own)
    matching, was_possible = "", tried is not None and tried.was_possible
    if tried is not None and was_possible:
        n_matching, n_tried = len(tried.own.matching), len(tried.own.rows)
        matching = (
            f"; {n_matching or 'none'} of the {n_tried} that were tried match it point by point"
        )
    near = every.found.distractors.rows[row]
    near = near[near >= 0]
    alike = "; the photos beside it are like it and show no landmark" if len(near) else ""
    evidence = near if len(near) else every.album.nearest(row, own, N_EVIDENCE)
    return {
        "kind": NO_LANDMARK,
        "image_id": every.known.image_ids[row],
        "score": score,
        "is_sure": was_possible and score >= SURE_SCORE,
        "reason": f"of its {n_all} nearest photos {n_own or 'none'} show {every.names(own)}{matching}{alike}",
        "evidence": every.known.ids_of(evidence),
        "suggested": [],
    }
