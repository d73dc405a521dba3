"""Which images the photos of their own landmark do not support: likely wrong landmark, or none at all."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.doubting import Doubts, doubts, shares
from cairn.algorithms.standing import Shown
from cairn.base.checks import counted
from cairn.base.watching import Watch
from cairn.records.findings import NO_LANDMARK, WRONG_LANDMARK
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.proofs import ENOUGH, Proof, nearest_to, proof

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MAX_CANDIDATES = 2_000
N_OWN_TRIED, N_LANDMARKS_TRIED, N_TRIED_OF_EACH = 8, 2, 4
N_EVIDENCE, N_COUNTED = 5, 10
# Less likely doubts are not worth a person's time.
LEAST_SCORE, SURE_SCORE = 0.01, 0.97
# What the best surprise among the photos tried says of whether the image shows their landmark, as log
# odds: set by hand from how seldom chance surprises (algorithms/surprise.py), not fitted.
_SURPRISES = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)
_OWN_SAYS = (-1.3, -0.5, 0.5, 2.0, 4.0, 5.0)
_OTHER_SAYS = (-0.7, -0.3, 0.5, 2.0, 3.5, 4.5)


@dataclass(frozen=True)
class _Tried:
    """What matching said of one image: with photos of its own landmark, and of the likeliest others."""

    own: Proof
    others: dict[int, Proof]

    @property
    def own_says(self) -> float:
        """Log odds that the image shows its own landmark."""
        return float(np.interp(self.own.best, _SURPRISES, _OWN_SAYS)) if self.own.rows else 0.0

    @property
    def others_say(self) -> float:
        """Log odds that it shows another one."""
        best = max((other.best for other in self.others.values()), default=0.0)
        return float(np.interp(best, _SURPRISES, _OTHER_SAYS)) if self.others else 0.0


@dataclass(frozen=True)
class _Images:
    """The images with what was worked out for all of them."""

    known: KnownImages
    own: Ints
    shown: Shown
    voters: list[Ints]
    landmark_ids: tuple[str, ...]
    found: Doubts

    def nearest(self, row: int, codes: list[int], n: int) -> Ints:
        """The `n` photos of these landmarks that are nearest to an image, its copies left out."""
        voters = np.unique(np.concatenate([self.voters[code] for code in codes]))
        groups = self.shown.copy_groups
        return nearest_to(
            self.known.vectors[row], int(groups[row]), voters, self.known.vectors, groups, n=n
        )

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
    looks: Looks | None,
    max_candidates: int = MAX_CANDIDATES,
    seed: int = 0,
    watch: Watch,
) -> list[dict[str, object]]:
    """Findings of the kinds "wrong landmark" and "no landmark", as rows for `Findings.of`.

    The score is how likely the finding is right: from how the image stands among its neighbours
    (`algorithms/doubting.py`), then from which photos of its own and of other landmarks match it.
    looks: None leaves the matching out. max_candidates: so many images of each kind are matched, the
    most doubtful first.
    """
    own, shown = images.own_codes(), images.shown()
    rng = np.random.default_rng(seed)
    found = doubts(images.vectors, images.neighbors, own, shown, images.distractors(), rng=rng)
    every = _Images(images, own, shown, shown.images_of(), images.landmark_ids(), found)
    tried = _all_tried(every, looks, max_candidates=max_candidates, seed=seed, watch=watch)
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


def _all_tried(
    every: _Images, looks: Looks | None, *, max_candidates: int, seed: int, watch: Watch
) -> dict[int, _Tried]:
    """What matching says of the most doubtful images, by row."""
    if looks is None:
        return {}
    queues = shares(every.found.wrong, every.found.none)
    rows = np.unique(np.concatenate([_likeliest(queue, max_candidates) for queue in queues]))
    tried = {}
    with watch.phase("match doubtful images", len(rows)) as advance:
        for row in rows.tolist():
            tried[row] = _try(every, row, looks, seed)
            advance(1)
    return tried


def _likeliest(queue: Doubles, most: int) -> Ints:
    """The rows of the largest shares, at most so many."""
    rows = np.flatnonzero(~np.isnan(queue))
    return rows[np.argsort(-queue[rows], kind="stable")[:most]].astype(np.int64)


def _try(every: _Images, row: int, looks: Looks, seed: int) -> _Tried:
    own = every.nearest(row, every.own_of(row), N_OWN_TRIED)
    others = {
        code: proof(row, every.nearest(row, [code], N_TRIED_OF_EACH), looks=looks, seed=seed)
        for code in every.others_of(row)[:N_LANDMARKS_TRIED]
    }
    return _Tried(proof(row, own, looks=looks, seed=seed), others)


def _wrong(every: _Images, row: int, score: float, tried: _Tried | None) -> dict[str, object]:
    """A row that says which other landmark an image shows."""
    own, others = every.own_of(row), every.others_of(row)
    other, matching, evidence = others[0], "", every.nearest(row, others[:1], N_EVIDENCE).tolist()
    if tried is not None and tried.others:
        likely = max(tried.others, key=lambda code: (tried.others[code].best, -others.index(code)))
        if tried.others[likely].best >= ENOUGH:
            other = likely
            matched = list(tried.others[likely].matching)
            rest = every.nearest(row, [likely], N_EVIDENCE).tolist()
            evidence = (matched + [one for one in rest if one not in matched])[:N_EVIDENCE]
        matching = (
            f"; {counted(len(tried.others[other].matching), 'photo')} of {every.names([other])} and "
            f"{len(tried.own.matching)} of its own landmark match it point by point"
            if other in tried.others
            else ""
        )
    n_other, n_all = every.n_near(row, [other])
    n_own, _ = every.n_near(row, own)
    is_proven = tried is not None and any(one.best >= ENOUGH for one in tried.others.values())
    return {
        "kind": WRONG_LANDMARK,
        "image_id": every.known.image_ids[row],
        "score": score,
        "is_sure": is_proven and score >= SURE_SCORE,
        "reason": f"of its {n_all} nearest photos {n_other} show {every.names([other])} and {n_own} "
        f"{every.names(own)}{matching}",
        "evidence": every.known.ids_of(evidence),
        "suggested": [every.landmark_ids[other]],
    }


def _none(every: _Images, row: int, score: float, tried: _Tried | None) -> dict[str, object]:
    """A row that says that an image shows no landmark."""
    own = every.own_of(row)
    n_own, n_all = every.n_near(row, own)
    matching = ""
    if tried is not None and tried.own.rows:
        n_matching, n_tried = len(tried.own.matching), len(tried.own.rows)
        matching = (
            f"; {n_matching or 'none'} of the {n_tried} that were tried match it point by point"
        )
    near = every.found.distractors.rows[row]
    near = near[near >= 0]
    alike = "; the photos beside it are like it and show no landmark" if len(near) else ""
    evidence = near if len(near) else every.nearest(row, own, N_EVIDENCE)
    return {
        "kind": NO_LANDMARK,
        "image_id": every.known.image_ids[row],
        "score": score,
        "is_sure": tried is not None and score >= SURE_SCORE,
        "reason": f"of its {n_all} nearest photos {n_own or 'none'} show {every.names(own)}{matching}{alike}",
        "evidence": every.known.ids_of(evidence),
        "suggested": [],
    }
