"""Which images show several landmarks: parts beside each other that look like, and match, different ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.calibration import Logistic
from cairn.algorithms.parts import PartPair, best_pair, fit_likeness, own_odds, part_odds
from cairn.algorithms.standing import Shown, Votes
from cairn.base.checks import counted
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.seams import Box
from cairn.models.keypoints import Keypoints
from cairn.records.findings import SEVERAL_LANDMARKS
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.mixed import (
    CLEAR_SEAM,
    ByMixture,
    Mixed,
    Search,
    mixed_images,
)
from cairn.stages.scrub.proofs import Proof, matched_points, nearest_to, proof_of

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

N_TRIED, N_EVIDENCE = 6, 2
LEAST_SCORE, SURE_SCORE = 0.4, 0.97
LEAST_INLIERS = 5
LEAST_SURPRISE, MOST_SURPRISE = 2.0, 10.0
# Where either part looks less like its landmark, nothing is matched.
LEAST_ODDS = -3.0
# What a clear seam adds to the log odds that two parts are two photos, when parts are chosen.
SEAM_SAYS = 4.0
# Of the own part's and the other part's log odds, of how much better the other part matches the other landmark, and of
# the seam: fitted by logistic regression on seed 0 of `cairn bench scrub`.
WEIGHTS, BIAS = (0.65, 1.5, 0.4, 17.8), -8.1
Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Case:
    """What speaks for one image's showing a second landmark.

    own_proof, other_proof: what matching the points of either part gave. rival: how well those of the other part match
    photos of the image's own landmark, as a watermark does that lies on all of them. seam: how clear a seam runs between the two parts, 0 where none.
    """

    mixed: Mixed
    pair: PartPair
    own_proof: Proof
    other_proof: Proof
    rival: float
    regions: tuple[Region, Region]
    seam: float

    @property
    def proven(self) -> float:
        """How much better the other part matches the other landmark than the image's own, 0 or more."""
        return max(0.0, min(self.other_proof.best, MOST_SURPRISE) - self.rival)

    def features(self) -> tuple[float, ...]:
        """What the score is made of, see WEIGHTS: more than so much of each says no more."""
        return (
            float(np.clip(self.pair.own_odds, -8, 2)),
            float(np.clip(self.pair.other_odds, -8, 3)),
            min(self.proven, 4.0),
            float(np.clip(self.seam - 0.6, 0, 0.3)),
        )

    @property
    def is_verified(self) -> bool:
        """Whether points of the other part match the other landmark, or a clear seam divides the two."""
        return self.proven >= LEAST_SURPRISE or self.seam >= CLEAR_SEAM

    @property
    def score(self) -> float:
        """How likely it is that the image shows both."""
        return float(1 / (1 + np.exp(-(np.dot(self.features(), WEIGHTS) + BIAS))))


def several_findings(
    images: KnownImages,
    *,
    looks: Looks,
    search: Search,
    seams_clear: Floats,
    max_candidates: int,
    seed: int = 0,
    engine: Engine,
    watch: Watch,
) -> list[dict[str, object]]:
    """Findings of the kind "several landmarks", as rows for `Findings.of`.

    Halves and quarters of an image, and the parts on either side of a clear seam, are described by themselves; where
    one looks like the image's own landmark and another, beside it, like another one, photos of both are
    matched, and their points must lie apart. Copies never speak for an image.
    search: the nearest of all images to vectors [Q, D]. seams_clear: [N] how clear the clearest seam of each image is.
    max_candidates: so many images are looked at, those first whose neighbours speak the most for another landmark;
    and so many with clear seams.
    """
    own = images.own_codes()
    found = several_cases(
        images, looks=looks, search=search, seams_clear=seams_clear, max_candidates=max_candidates,
        seed=seed, engine=engine, watch=watch,
    )  # fmt: skip
    return [
        _row(case, images, own) for case in found if case.is_verified and case.score >= LEAST_SCORE
    ]


def several_cases(
    images: KnownImages, *, looks: Looks, search: Search, seams_clear: Floats, max_candidates: int, seed: int,
    engine: Engine, watch: Watch,
) -> list[Case]:  # fmt: skip
    """The likeliest pair of parts of each image that was looked at, with what matching says of it."""
    own, shown = images.own_codes(), images.shown()
    mixture = ByMixture.of(images, own, shown)
    rows, usual = mixture.most(max_candidates, seams_clear), mixture.usual()
    taught, looked = (
        list(mixed_images(some, images, own, shown, looks=looks, search=search, watch=watch))
        for some in (usual, rows)
    )
    likeness = _likeness(taught, own)
    if likeness is None:
        return []
    pairs = [(one, _likeliest(one, likeness, own)) for one in looked]
    likely = [
        (one, pair)
        for one, pair in pairs
        if pair is not None and min(pair.own_odds, pair.other_odds) >= LEAST_ODDS
    ]
    cases = []
    matching = _Matching(images, own, shown, shown.images_of(), looks, seed)
    with watch.phase("match parts of images", len(likely)) as advance:
        for case in engine.map(lambda job: _case(*job, matching), likely):
            cases.append(case)
            advance(1)
    return cases


def _likeness(usual: list[Mixed], own: Ints) -> Logistic | None:
    """What the likeness of a part says, as parts of usual images teach."""
    if not usual:
        return None
    votes = Votes(
        np.concatenate([one.votes.landmarks for one in usual]),
        np.concatenate([one.votes.similarities for one in usual]),
    )
    codes = np.concatenate([np.full(len(one.boxes), own[one.row, 0]) for one in usual])
    return fit_likeness(votes, codes, np.concatenate([one.own for one in usual]))


def _likeliest(one: Mixed, likeness: Logistic, own: Ints) -> PartPair | None:
    """The pair of parts that shows two landmarks most likely."""
    codes = np.full(len(one.boxes), own[one.row, 0])
    between = np.where(one.are_beside(), SEAM_SAYS * one.clear_seams(), -np.inf)
    of_own = own_odds(one.votes, codes, one.own, likeness)
    return best_pair(
        one.votes.landmarks, part_odds(one.votes, likeness), of_own, own[one.row], between
    )


@dataclass(frozen=True)
class _Matching:
    """What parts of images are matched with. voters: the rows of each landmark's images."""

    images: KnownImages
    own: Ints
    shown: Shown
    voters: list[Ints]
    looks: Looks
    seed: int

    def own_photos(self, row: int) -> Ints:
        """The rows of the images of all landmarks that an image is said to show."""
        codes = [code for code in self.own[row].tolist() if code >= 0]
        return np.unique(np.concatenate([self.voters[code] for code in codes]))

    def proof(self, one: Mixed, part: int, points: Keypoints, among: Ints) -> Proof:
        """What those of `among` prove that are nearest to a part with these points."""
        groups = self.shown.copy_groups
        photos = nearest_to(
            one.vectors[part], int(groups[one.row]), among, self.images.vectors, groups, n=N_TRIED
        )
        return proof_of(points, photos, looks=self.looks, seed=self.seed)


def _case(one: Mixed, pair: PartPair, matching: _Matching) -> Case:
    looks, mine = matching.looks, matching.own_photos(one.row)
    own_points, other_points = (
        looks.part_keypoints(one.row, one.boxes[part]) for part in (pair.own, pair.other)
    )
    own_proof = matching.proof(one, pair.own, own_points, mine)
    other_proof = matching.proof(one, pair.other, other_points, matching.voters[pair.landmark])
    is_matched = other_proof.best >= LEAST_SURPRISE
    rival = matching.proof(one, pair.other, other_points, mine).best if is_matched else 0.0
    size = looks.size_px(one.row)
    regions = (
        _region(own_points.points[matched_points(own_proof)], one.boxes[pair.own], size),
        _region(other_points.points[matched_points(other_proof)], one.boxes[pair.other], size),
    )
    seam = float(one.clear_seams()[pair.own, pair.other])
    return Case(one, pair, own_proof, other_proof, rival, regions, seam)


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


def _row(case: Case, images: KnownImages, own: Ints) -> dict[str, object]:
    """The finding, for a person."""
    ids = images.landmark_ids()
    mine = [ids[code] for code in own[case.mixed.row].tolist() if code >= 0]
    other = ids[case.pair.landmark]
    n_own, n_other = len(case.own_proof.matching), len(case.other_proof.matching)
    is_proven = n_own > 0 and n_other > 0 and case.proven >= LEAST_SURPRISE
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
        "image_id": images.image_ids[case.mixed.row],
        "score": case.score,
        "is_sure": is_proven and case.score >= SURE_SCORE,
        "reason": f"one part looks like {names}, another like {images.name(other)}{matching}{seam}",
        "evidence": images.ids_of(evidence),
        "suggested": [*mine, other],
        "regions": [own_region for _ in mine] + [other_region],
    }
