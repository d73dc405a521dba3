"""Which images show several landmarks: parts beside each other that look like, and match, different ones."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import Logistic
from cairn.algorithms.neighbors import Neighbors
from cairn.algorithms.parts import PartPair, best_pair, fit_likeness, part_odds
from cairn.algorithms.standing import Shown, Votes, other_landmarks, own_similarity
from cairn.base.checks import counted
from cairn.base.watching import Watch
from cairn.images.seams import Seam, seams
from cairn.records.findings import SEVERAL_LANDMARKS
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Box, Looks
from cairn.stages.scrub.proofs import Proof, matched_points, nearest_to, proof

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Search = Callable[[Floats, int], Neighbors]

MAX_CANDIDATES = 2_000
# Halves and quarters; a seam's two sides come on top.
PARTS: tuple[Box, ...] = (
    (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0),
    (0.0, 0.0, 0.5, 0.5), (0.5, 0.0, 1.0, 0.5), (0.0, 0.5, 0.5, 1.0), (0.5, 0.5, 1.0, 1.0),
)  # fmt: skip
N_NEIGHBORS, N_LANDMARKS, N_TRIED, N_EVIDENCE = 30, 6, 6, 2
ROWS_AT_ONCE = 64
LEAST_SEAM = 0.5
LEAST_SCORE, SURE_SCORE = 0.5, 0.97
LEAST_INLIERS, MOST_OVERLAP, MOST_SHARED = 5, 0.3, 0.02
LEAST_SURPRISE, MOST_SURPRISE, MOST_ODDS = 2.0, 10.0, 8.0
# Set by hand, not fitted: of the own part's and the other part's log odds, of what the best match of either proves, and of the seam.
WEIGHTS, BIAS = (0.5, 0.8, 0.15, 0.4, 3.0), -4.0
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class _Looked:
    """The parts of one image and what they look like: landmarks and log odds [P, M]."""

    row: int
    boxes: tuple[Box, ...]
    seams: tuple[Seam, ...]
    vectors: Floats
    votes: Votes


@dataclass(frozen=True)
class _Case:
    """What speaks for one image's showing a second landmark.

    own_proof, other_proof: what matching gave. overlap: the least share of the points of one that lie among
    those of the other; 0 where one of them has none.
    """

    looked: _Looked
    pair: PartPair
    own_proof: Proof
    other_proof: Proof
    regions: tuple[Region, Region]
    overlap: float

    @property
    def seam(self) -> float:
        """How clear a seam runs between the two parts, 0 where none does."""
        sides = {self.looked.boxes[self.pair.own], self.looked.boxes[self.pair.other]}
        return max((one.share for one in self.looked.seams if sides <= set(one.boxes)), default=0.0)

    def features(self) -> tuple[float, ...]:
        """What the score is made of, see WEIGHTS."""
        is_apart = self.overlap <= MOST_OVERLAP
        proven = min(self.other_proof.best, MOST_SURPRISE) if is_apart else 0.0
        return (
            float(np.clip(self.pair.own_odds, -MOST_ODDS, MOST_ODDS)),
            float(np.clip(self.pair.other_odds, -MOST_ODDS, MOST_ODDS)),
            min(self.own_proof.best, MOST_SURPRISE),
            proven,
            self.seam,
        )

    @property
    def is_verified(self) -> bool:
        """Whether points of the other part match the other landmark; a straight edge looks like a seam too often."""
        return self.overlap <= MOST_OVERLAP and self.other_proof.best >= LEAST_SURPRISE

    @property
    def score(self) -> float:
        """How likely it is that the image shows both."""
        return float(1 / (1 + np.exp(-(np.dot(self.features(), WEIGHTS) + BIAS))))


def several_findings(
    images: KnownImages,
    *,
    looks: Looks,
    search: Search,
    max_candidates: int = MAX_CANDIDATES,
    seed: int = 0,
    watch: Watch,
) -> list[dict[str, object]]:
    """Findings of the kind "several landmarks", as rows for `Findings.of`.

    Halves and quarters of an image, and the two sides of a seam, are described by themselves; where one
    looks like the image's own landmark and another, beside it, like another one, photos of both are
    matched, and their points must lie apart. Copies never speak for an image.
    search: the nearest of all images to vectors [Q, D]. max_candidates: so many images are looked at, those
    first whose neighbours speak the most for another landmark.
    """
    own, shown = images.own_codes(), images.shown()
    rows = _most_mixed(images, own, shown, max_candidates)
    looked = list(_looked(rows, own, shown, looks, search, watch))
    cases = _cases(looked, images, own, shown, looks, seed, watch)
    return [
        _row(case, images, own) for case in cases if case.is_verified and case.score >= LEAST_SCORE
    ]


def _cases(
    looked: list[_Looked], images: KnownImages, own: Ints, shown: Shown, looks: Looks, seed: int,
    watch: Watch,
) -> list[_Case]:  # fmt: skip
    """Each image's likeliest pair of parts, with what matching says of it."""
    likeness = _likeness(looked, own)
    if likeness is None:
        return []
    voters = shown.images_of()
    cases = []
    with watch.phase("match parts of images", len(looked)) as advance:
        for one in looked:
            odds = part_odds(one.votes, likeness)
            pair = best_pair(one.votes.landmarks, odds, own[one.row], _are_beside(one.boxes))
            if pair is not None:
                cases.append(_case(one, pair, images, own, shown, voters, looks, seed))
            advance(1)
    return cases


def _likeness(looked: list[_Looked], own: Ints) -> Logistic | None:
    if not looked:
        return None
    votes = Votes(
        np.concatenate([one.votes.landmarks for one in looked]),
        np.concatenate([one.votes.similarities for one in looked]),
    )
    return fit_likeness(
        votes, np.concatenate([np.full(len(one.boxes), own[one.row, 0]) for one in looked])
    )


def _case(
    one: _Looked, pair: PartPair, images: KnownImages, own: Ints, shown: Shown, voters: list[Ints],
    looks: Looks, seed: int,
) -> _Case:  # fmt: skip
    groups = shown.copy_groups
    codes = [code for code in own[one.row].tolist() if code >= 0]
    mine = np.unique(np.concatenate([voters[code] for code in codes]))
    proofs = []
    for part, among in ((pair.own, mine), (pair.other, voters[pair.landmark])):
        photos = nearest_to(
            one.vectors[part], groups[one.row], among, images.vectors, groups, n=N_TRIED
        )
        proofs.append(proof(one.row, photos, looks=looks, seed=seed))
    points = looks.keypoints(one.row).points
    matched = [matched_points(found) for found in proofs]
    # A point that matches both landmarks, as a watermark or a lamp does, speaks for neither.
    alone = [np.setdiff1d(matched[0], matched[1]), np.setdiff1d(matched[1], matched[0])]
    size = looks.size_px(one.row)
    regions = (
        _region(points[alone[0]], one.boxes[pair.own], size),
        _region(points[alone[1]], one.boxes[pair.other], size),
    )
    return _Case(
        one, pair, proofs[0], proofs[1], regions, _overlap(points[alone[0]], points[alone[1]])
    )


def _overlap(a: Floats, b: Floats) -> float:
    """The lesser of the shares of the points of either that lie among those of the other."""
    if min(len(a), len(b)) < LEAST_INLIERS:
        return 0.0
    return min(_share_within(a, b), _share_within(b, a))


def _share_within(a: Floats, b: Floats) -> float:
    low, high = _middle_box(b)
    return float(((a >= low) & (a <= high)).all(axis=1).mean())


def _middle_box(points: Floats) -> tuple[Floats, Floats]:
    """The box that holds nearly all points, whatever a few far ones do."""
    low, high = np.quantile(points, [0.05, 0.95], axis=0)
    return low, high


def _region(points: Floats, box: Box, size: tuple[int, int]) -> Region:
    """The pixels where a landmark was matched; those of its part where it was not."""
    width, height = size
    if len(points) < LEAST_INLIERS:
        left, top, right, bottom = box
        return (
            round(left * width),
            round(top * height),
            round(right * width),
            round(bottom * height),
        )
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return (
        max(0, int(left)), max(0, int(top)), min(width, int(right) + 1), min(height, int(bottom) + 1)
    )  # fmt: skip


def _are_beside(boxes: tuple[Box, ...]) -> Bools:
    """[P, P]: whether two parts have next to no pixels in common."""
    sides = np.array(boxes).reshape(-1, 4)
    wide = np.minimum(sides[:, None, 2], sides[:, 2]) - np.maximum(sides[:, None, 0], sides[:, 0])
    high = np.minimum(sides[:, None, 3], sides[:, 3]) - np.maximum(sides[:, None, 1], sides[:, 1])
    return np.asarray((wide <= MOST_SHARED) | (high <= MOST_SHARED))


def _row(case: _Case, images: KnownImages, own: Ints) -> dict[str, object]:
    """The finding, for a person."""
    ids = images.landmark_ids()
    mine = [ids[code] for code in own[case.looked.row].tolist() if code >= 0]
    other = ids[case.pair.landmark]
    n_own, n_other = len(case.own_proof.matching), len(case.other_proof.matching)
    is_proven = n_own > 0 and n_other > 0 and case.overlap <= MOST_OVERLAP
    matching = (
        f"; {counted(n_own, 'photo')} of the one and {n_other} of the other match it point by point, in "
        "different places"
        if is_proven
        else ""
    )
    seam = "; a straight seam runs between the two" if case.seam else ""
    names = " and ".join(images.name(one) for one in mine)
    evidence = [*case.own_proof.rows[:N_EVIDENCE], *case.other_proof.rows[:N_EVIDENCE]]
    own_region, other_region = (list(region) for region in case.regions)
    return {
        "kind": SEVERAL_LANDMARKS,
        "image_id": images.image_ids[case.looked.row],
        "score": case.score,
        "is_sure": is_proven and case.score >= SURE_SCORE,
        "reason": f"one part looks like {names}, another like {images.name(other)}{matching}{seam}",
        "evidence": images.ids_of(evidence),
        "suggested": [*mine, other],
        "regions": [own_region for _ in mine] + [other_region],
    }


def _most_mixed(images: KnownImages, own: Ints, shown: Shown, most: int) -> Ints:
    """The images whose neighbours speak the most for another landmark than their own, at most so many."""
    near = own_similarity(images.vectors, shown)
    others = other_landmarks(images.neighbors, shown.copy_groups, own, own[:, 0], shown)
    rows = np.flatnonzero((own[:, 0] >= 0) & ~np.isnan(near))
    lead = others.similarities[rows, 0] - near[rows]
    return rows[np.argsort(-lead, kind="stable")[:most]].astype(np.int64)


def _looked(
    rows: Ints, own: Ints, shown: Shown, looks: Looks, search: Search, watch: Watch
) -> Iterator[_Looked]:  # fmt: skip
    """The parts of each image and the landmarks that they look like."""
    with watch.phase("look at parts of images", len(rows)) as advance:
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE].tolist()
            found = {row: _parts(row, looks) for row in chunk}
            asked = [(row, box) for row in chunk for box in found[row][0]]
            vectors = looks.describe([row for row, _ in asked], [box for _, box in asked])
            of_row = np.array([row for row, _ in asked], np.int64)
            near = search(vectors, N_NEIGHBORS)
            votes = other_landmarks(
                near, shown.copy_groups[of_row], np.full((len(of_row), 1), -1), own[:, 0], shown,
                n_best=N_LANDMARKS,
            )  # fmt: skip
            for row in chunk:
                at = np.flatnonzero(of_row == row)
                chosen = Votes(votes.landmarks[at], votes.similarities[at])
                yield _Looked(row, *found[row], vectors[at], chosen)
            advance(len(chunk))


def _parts(row: int, looks: Looks) -> tuple[tuple[Box, ...], tuple[Seam, ...]]:
    """The boxes of an image's parts; none where it cannot be read."""
    seen = looks.pixels(row)
    if seen is None:
        return (), ()
    found = tuple(seam for seam in seams(seen.pixels) or () if seam.share >= LEAST_SEAM)
    return (*PARTS, *(box for seam in found for box in seam.boxes)), found
