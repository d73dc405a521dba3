"""What each part of the recogniser adds: the same photos, the same splits, one part more a row."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.algorithms.answering import answer
from cairn.algorithms.fusion import fit_recognizer
from cairn.algorithms.heads import Way as HeadWay
from cairn.algorithms.heads import train_head
from cairn.algorithms.metrics import gap, once
from cairn.algorithms.neighbors import ExactIndex
from cairn.algorithms.sampled_steps import SampledSteps
from cairn.algorithms.verifying import Matcher
from cairn.algorithms.voting import VOTES, Ballot
from cairn.algorithms.whitening import fit_whitening
from cairn.base.settings import DescribeSettings, TrainSettings
from cairn.base.watching import Watch

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BASELINE = "plain linear head, squashed to 320 px"
FUSED = "+ vote and distractors, fused"
SHIPPED = "+ matched points: Cairn as shipped"
N_NEIGHBORS = 64
# So few that steps do not look at all of some dozen landmarks.
FEW_OTHERS = 16


@dataclass(frozen=True)
class Deal:
    """One split: rows of the gallery and of the queries, in the order of the descriptors."""

    seed: int
    gallery: IntArray
    queries: IntArray


@dataclass(frozen=True)
class Images:
    """What all rows share. truth: [N, T] landmarks shown, -1 padded; groups: [N] copies."""

    truth: IntArray
    groups: IntArray
    n_landmarks: int


@dataclass(frozen=True)
class Row:
    """One way of recognising: GAP with distractors and top-1 for each deal."""

    name: str
    gaps: tuple[float, ...]
    top1s: tuple[float, ...]


def describe_variants(shipped: DescribeSettings) -> dict[str, DescribeSettings]:
    """The descriptors that the rows need, by name; the last is the one that is shipped."""
    plain = shipped.model_copy(
        update={"sides_px": (320,), "keep_shape": False, "pooling": ("avg",)}
    )
    kept = plain.model_copy(update={"keep_shape": True})
    return {
        "squashed": plain,
        "shape kept": kept,
        "pooled": kept.model_copy(update={"pooling": shipped.pooling}),
        "shipped": shipped,
    }


def bench_parts(
    descriptors: Mapping[str, FloatArray],
    images: Images,
    deals: Sequence[Deal],
    *,
    training: TrainSettings,
    match: Matcher,
    watch: Watch,
) -> list[Row]:
    """A row for each way, the plain ones first.

    descriptors: by the names of `describe_variants`, each [N, D]. match: tells what pairs of images have in common.
    """
    ways = _ways(descriptors, training, match)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    with watch.phase("recognize", len(ways) * len(deals)) as advance:
        for deal in deals:
            for name, way in ways.items():
                landmarks, scores = way(images, deal)
                found[name].append(_scored(images, deal, landmarks, scores))
                advance(1)
    return [
        Row(name, tuple(g for g, _ in pairs), tuple(t for _, t in pairs))
        for name, pairs in found.items()
    ]


Way = Callable[[Images, Deal], tuple[IntArray, FloatArray]]


def _ways(
    descriptors: Mapping[str, FloatArray], training: TrainSettings, match: Matcher
) -> dict[str, Way]:
    """Each gives the best landmark of every query, and how sure it is."""
    squashed, shipped = descriptors["squashed"], descriptors["shipped"]
    ways: dict[str, Way] = {
        "nearest neighbour, squashed to 320 px": _vote(squashed, "nearest"),
        BASELINE: _head(squashed),
        "+ shape kept": _head(descriptors["shape kept"]),
        "+ poolings joined": _head(descriptors["pooled"]),
        "+ several sizes": _head(shipped),
        "+ whitening": _head(shipped, whiten=True),
        "+ a none class": _head(shipped, whiten=True, none_weight=0.5),
        "the same head by sampled steps": _head(
            shipped, whiten=True, none_weight=0.5, way="sampled steps"
        ),
    }
    for name in ("nearest", "few_photos", "cos8", "distractor_aware"):
        ways[f"vote alone: {name}"] = _vote(shipped, name, whiten=True)
    ways[FUSED] = _recognizer(shipped, training, None)
    ways[SHIPPED] = _recognizer(shipped, training, match if training.verify else None)
    return ways


def _head(
    vectors: FloatArray,
    *,
    whiten: bool = False,
    none_weight: float = 0.0,
    way: HeadWay | None = None,
) -> Way:
    def recognize(images: Images, deal: Deal) -> tuple[IntArray, FloatArray]:
        fitting, asked = _prepared(vectors, deal, whiten=whiten)
        rng = np.random.default_rng(deal.seed)
        head = train_head(
            fitting, images.truth[deal.gallery, 0], rng=rng, none_weight=none_weight,
            steps=SampledSteps(n_others=FEW_OTHERS), way=way,
        )  # fmt: skip
        logits = head.logits(asked)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[:, head.landmarks < 0] = -1
        return head.landmarks[shares.argmax(axis=1)], shares.max(axis=1)

    return recognize


def _vote(vectors: FloatArray, name: str, *, whiten: bool = False) -> Way:
    def way(images: Images, deal: Deal) -> tuple[IntArray, FloatArray]:
        fitting, asked = _prepared(vectors, deal, whiten=whiten)
        mains = images.truth[deal.gallery, 0]
        held, distractors = fitting[mains >= 0], fitting[mains < 0]
        found = ExactIndex(held).search(asked, n_neighbors=N_NEIGHBORS)
        votes = VOTES[name](
            Ballot(
                similarities=found.similarities,
                landmarks=mains[mains >= 0][found.rows],
                n_images=np.bincount(mains[mains >= 0], minlength=images.n_landmarks),
                row_closeness=_closeness(held, distractors, 5)[found.rows],
                none_closeness=_closeness(asked, distractors, 10),
            )
        )
        return votes.landmarks[:, 0], votes.scores[:, 0]

    return way


def _recognizer(vectors: FloatArray, training: TrainSettings, match: Matcher | None) -> Way:
    def way(images: Images, deal: Deal) -> tuple[IntArray, FloatArray]:
        recognizer, _ = fit_recognizer(
            vectors[deal.gallery], images.truth[deal.gallery], images.groups[deal.gallery],
            match=_between(match, deal.gallery, deal.gallery),
            seed=training.seed, precision=training.precision,
            whitening_power=training.whitening_power,
        )  # fmt: skip
        known = deal.gallery[images.truth[deal.gallery, 0] >= 0]
        found = answer(
            recognizer, vectors[deal.queries], n_candidates=1, n_evidence=1,
            match=_between(match, deal.queries, known),
        )  # fmt: skip
        return found.landmarks[:, 0], found.scores[:, 0].astype(np.float32)

    return way


def _between(match: Matcher | None, first: IntArray, second: IntArray) -> Matcher | None:
    """The matcher for places in two lists of images."""
    if match is None:
        return None
    return lambda pairs: match(np.stack([first[pairs[:, 0]], second[pairs[:, 1]]], axis=1))


def _prepared(vectors: FloatArray, deal: Deal, *, whiten: bool) -> tuple[FloatArray, FloatArray]:
    fitting, asked = vectors[deal.gallery], vectors[deal.queries]
    if not whiten:
        return fitting, asked
    whitening = fit_whitening(fitting)
    return whitening.apply(fitting), whitening.apply(asked)


def _closeness(vectors: FloatArray, distractors: FloatArray, n_nearest: int) -> FloatArray:
    if not len(distractors):
        return np.zeros(len(vectors), dtype=np.float32)
    nearest = -np.sort(-(vectors @ distractors.T), axis=1)[:, :n_nearest]
    return np.asarray(nearest.mean(axis=1), dtype=np.float32)


def _scored(
    images: Images, deal: Deal, landmarks: IntArray, scores: FloatArray
) -> tuple[float, float]:
    truth = images.truth[deal.queries]
    is_right = ((truth == landmarks[:, None]) & (landmarks[:, None] >= 0)).any(axis=1)
    shows = (truth >= 0).any(axis=1)
    order = np.argsort(-scores, kind="stable")
    found = gap(is_right[order], shows.sum(keepdims=True).astype(np.float64), once(len(order)))
    return float(found[0]), float(is_right[shows].mean())
