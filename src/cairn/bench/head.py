"""What training a head on fixed descriptors costs and gives: closed form, whole passes and sampled steps."""

import resource
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.answering import answer
from cairn.algorithms.fusion import fit_recognizer
from cairn.algorithms.heads import Head, Way, train_head
from cairn.algorithms.metrics import gap, once
from cairn.algorithms.sampled_steps import SampledSteps
from cairn.algorithms.voting import centroid_vectors
from cairn.base.settings import HeadBenchSettings
from cairn.base.watching import Watch

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

CENTROID, ALL_COLUMNS = "nearest centroid", "the same steps over all landmarks"
FIT = "all that cairn train fits"
# What a way costs in memory is seen only where none before it took more.
WAYS: dict[str, tuple[Way, SampledSteps]] = {
    "closed form": ("closed form", SampledSteps()),
    "sampled steps": ("sampled steps", SampledSteps()),
    ALL_COLUMNS: ("sampled steps", SampledSteps(n_others=10**9)),
    "whole passes": ("whole passes", SampledSteps()),
}
# Ways that look at all landmarks for each image, up to so many multiplications a pass.
_MOST_OVER_ALL = {ALL_COLUMNS: 1e12, "whole passes": 3e11}

# As descriptors of landmarks lie: some landmarks of each sort of building, which are alike, and whose photos differ
# from one another in ways of their sort.
_LANDMARKS_A_SORT, _DIRECTIONS_A_SORT = 30, 6
_SPREAD_OF_LANDMARKS = 0.6
_DISTRACTOR_SHARE = 0.2
_ROWS_AT_ONCE, _QUERIES_AT_ONCE = 4_096, 1_024


@dataclass(frozen=True)
class HeadRow:
    """One way: what it cost, and GAP with distractors and top-1 on descriptors that it has not seen.

    peak_bytes: the most memory that the process ever took, up to here.
    """

    name: str
    seconds: float
    cpu_s: float
    peak_bytes: int
    gap: float
    top1: float


@dataclass(frozen=True)
class MadeUp:
    """Descriptors [N, D] of length one and the landmark [N] of each, -1 for a distractor, in mixed order."""

    vectors: Floats
    landmarks: Ints


def bench_head(settings: HeadBenchSettings, *, watch: Watch) -> list[HeadRow]:
    """A row for the nearest centroid and each way, without those that would take an hour, unless all are asked for."""
    n = settings.n_images
    with watch.phase("make up descriptors", 1) as advance:
        everything = made_up(
            n + settings.n_queries, settings.n_landmarks, settings.width, seed=settings.seed
        )
        images = MadeUp(everything.vectors[:n], everything.landmarks[:n])
        queries = MadeUp(everything.vectors[n:], everything.landmarks[n:])
        advance(1)
    work = n * settings.width * settings.n_landmarks
    ways = [way for way in WAYS if settings.all_ways or work <= _MOST_OVER_ALL.get(way, np.inf)]
    rows = [_centroids(images, queries, settings.n_landmarks)]
    with watch.phase("train", len(ways)) as advance:
        for way in ways:
            rows.append(_trained(images, queries, way, settings.seed))
            advance(1)
    if settings.fit:
        with watch.phase("fit", 1) as advance:
            rows.append(_fitted(images, queries, settings.seed))
            advance(1)
    return rows


def made_up(n: int, n_landmarks: int, width: int, *, seed: int) -> MadeUp:
    """`n` descriptors, a fifth of them distractors; landmark k has about 1 / (k + 3) of the others."""
    rng = np.random.default_rng(seed)
    sorts = rng.standard_normal((max(2, n_landmarks // _LANDMARKS_A_SORT), width), np.float32)
    directions = rng.standard_normal((len(sorts), _DIRECTIONS_A_SORT, width), np.float32)
    sort_of = rng.integers(0, len(sorts), n_landmarks)
    places = sorts[sort_of]
    places += _SPREAD_OF_LANDMARKS * rng.standard_normal(places.shape, np.float32)
    landmarks = _long_tailed(n, n_landmarks, rng)
    vectors = np.empty((n, width), np.float32)
    for first in range(0, n, _ROWS_AT_ONCE):
        block, of = vectors[first : first + _ROWS_AT_ONCE], landmarks[first : first + _ROWS_AT_ONCE]
        sort = np.where(of < 0, rng.integers(0, len(sorts), len(of)), sort_of[of])
        elsewhere = rng.standard_normal(block.shape, np.float32)
        block[:] = np.where(
            of[:, None] < 0, sorts[sort] + _SPREAD_OF_LANDMARKS * elsewhere, places[of]
        )
        block += rng.standard_normal(block.shape, np.float32)
        ways = rng.standard_normal((len(of), 1, _DIRECTIONS_A_SORT), np.float32)
        block += (ways @ directions[sort])[:, 0]
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return MadeUp(vectors, landmarks)


def _long_tailed(n: int, n_landmarks: int, rng: np.random.Generator) -> Ints:
    chances = 1 / np.arange(3.0, n_landmarks + 3)
    landmarks = rng.choice(n_landmarks, n, p=chances / chances.sum())
    landmarks[rng.random(n) < _DISTRACTOR_SHARE] = -1
    return landmarks.astype(np.int64)


def _trained(images: MadeUp, queries: MadeUp, name: str, seed: int) -> HeadRow:
    way, steps = WAYS[name]
    rng = np.random.default_rng(seed)
    wall, cpu = time.perf_counter(), time.process_time()
    head = train_head(images.vectors, images.landmarks, rng=rng, steps=steps, way=way)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_bytes = _peak_bytes()
    return HeadRow(name, wall, cpu, peak_bytes, *_scores(queries, *_answers(head, queries.vectors)))


def _fitted(images: MadeUp, queries: MadeUp, seed: int) -> HeadRow:
    """All that `cairn train` fits on descriptors: six heads, whitenings and galleries, fusion, calibration, threshold."""
    wall, cpu = time.perf_counter(), time.process_time()
    each_alone = np.arange(len(images.landmarks))
    recognizer, _ = fit_recognizer(images.vectors, images.landmarks[:, None], each_alone, seed=seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak_bytes = _peak_bytes()
    found = answer(recognizer, queries.vectors, n_candidates=1, n_evidence=1)
    sure = found.scores[:, 0].astype(np.float32)
    return HeadRow(FIT, wall, cpu, peak_bytes, *_scores(queries, found.landmarks[:, 0], sure))


def _centroids(images: MadeUp, queries: MadeUp, n_landmarks: int) -> HeadRow:
    wall, cpu = time.perf_counter(), time.process_time()
    centroids = centroid_vectors(images.vectors, images.landmarks, n_landmarks=n_landmarks)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    cosines = queries.vectors @ centroids.T
    scores = _scores(queries, cosines.argmax(axis=1), cosines.max(axis=1))
    return HeadRow(CENTROID, wall, cpu, _peak_bytes(), *scores)


def _answers(head: Head, vectors: Floats) -> tuple[Ints, Floats]:
    """The best landmark of each query, and its share."""
    landmarks, sure = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    for first in range(0, len(vectors), _QUERIES_AT_ONCE):
        block = slice(first, first + _QUERIES_AT_ONCE)
        shares = head.logits(vectors[block])
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[:, head.landmarks < 0] = -1
        landmarks[block], sure[block] = head.landmarks[shares.argmax(axis=1)], shares.max(axis=1)
    return landmarks, sure


def _scores(queries: MadeUp, landmarks: Ints, sure: Floats) -> tuple[float, float]:
    is_right, shows = landmarks == queries.landmarks, queries.landmarks >= 0
    order = np.argsort(-sure, kind="stable")
    found = gap(is_right[order], np.asarray([float(shows.sum())]), once(len(order)))
    return float(found[0]), float(is_right[shows].mean())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
