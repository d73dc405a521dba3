"""Landmark heads as torch modules, softmax and cosine, and the sample of landmarks that a step's loss may keep to."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cairn.algorithms.losses import (
    Truths,
    arcface_logits,
    cross_entropies,
    in_full,
    read_truths,
    require_margins,
    require_scale,
    require_smoothing,
    require_weights,
)
from cairn.base.errors import InputError

# A descriptor of zeros must not send back a gradient of a million millions.
_SHORTEST = 1e-6


@dataclass(frozen=True)
class SampledLandmarks:
    """Some of the L landmarks: `landmarks` [n], ascending, each once, and how many each stands for.

    counts: [n]. Those of the batch stand for themselves; those drawn stand for all the rest, each for
    as many. So the sum in the softmax is that over all landmarks in expectation.
    """

    landmarks: Tensor
    counts: Tensor

    def among(self, truths: Truths) -> Truths:
        """`truths` with columns of the sample in place of columns of the head.

        Raises InputError where an image's landmark is not in the sample.
        """
        landmarks = self.landmarks.to(truths.columns.device)
        columns = torch.searchsorted(landmarks, truths.columns).clamp(max=len(landmarks) - 1)
        n_missing = int((landmarks[columns] != truths.columns).sum())
        if n_missing:
            raise InputError(
                f"{n_missing} of the batch's {len(columns)} truths are not among the "
                f"{len(landmarks)} sampled landmarks; all were expected; "
                "sample with the targets of this batch"
            )
        return replace(truths, columns=columns)


def sample_landmarks(
    targets: Tensor, *, n_landmarks: int, n_sampled: int, rng: np.random.Generator
) -> SampledLandmarks:
    """All landmarks of a batch, and as many others, drawn without preference, as make `n_sampled`.

    targets: positions of landmarks in any shape, -1 for padding; those of all processes, where
    several share one step. Where they are `n_sampled` or more, none is drawn.
    n_sampled: 1 to n_landmarks.
    Raises InputError for another number, or targets out of range.
    Source: An et al., arXiv:2010.05222 (partial softmax); that those drawn count for those left out
    is after Jean et al., arXiv:1412.2007.
    """
    if not 1 <= n_sampled <= n_landmarks:
        raise InputError(
            f"{n_sampled} landmarks were to be sampled of {n_landmarks}; 1 to {n_landmarks} was "
            "expected; a tenth of them, and some thousands, is usual"
        )
    told = targets.cpu().numpy()
    present = np.unique(told[told >= 0])
    if len(present) and present[-1] >= n_landmarks:
        raise InputError(
            f"targets reach to {present[-1]}; 0 to {n_landmarks - 1} was expected; "
            "make the head for the landmarks of these images"
        )
    is_rest = np.ones(n_landmarks, dtype=bool)
    is_rest[present] = False
    rest = np.flatnonzero(is_rest)
    n_drawn = max(0, n_sampled - len(present))
    drawn = rng.choice(rest, n_drawn, replace=False, shuffle=False)
    landmarks = np.concatenate([present, drawn])
    counts = np.ones(len(landmarks), np.float32)
    counts[len(present) :] = len(rest) / max(n_drawn, 1)
    order = np.argsort(landmarks)
    return SampledLandmarks(torch.from_numpy(landmarks[order]), torch.from_numpy(counts[order]))


def random_start(*shape: int, generator: torch.Generator) -> Tensor:
    """Weights to start a head from, float32 in `shape`: every direction as likely, lengths about 1."""
    return torch.randn(shape, generator=generator).div_(math.sqrt(shape[-1]))


class SoftmaxHead(nn.Module):
    """A weight row and a bias for each landmark; called, it gives the loss of each image.

    start: [L, D], weights to start from: random ones, or those of a closed form. It becomes the
    parameter `rows` and is not copied; the biases start at 0.
    weights: [L], what an image of each landmark counts; 1 if left out. smoothing: 0 to below 1.
    Raises InputError for another shape, or numbers out of range.
    """

    def __init__(
        self, start: Tensor, *, weights: Tensor | None = None, smoothing: float = 0.0
    ) -> None:
        super().__init__()
        _require_start(start, sides="LD")
        require_smoothing(smoothing)
        self.rows = nn.Parameter(start)
        self.biases = nn.Parameter(start.new_zeros(len(start), 1))
        self.weights: Tensor
        self.register_buffer("weights", _weights_of(start, weights))
        self.smoothing = smoothing

    @property
    def n_landmarks(self) -> int:
        """How many landmarks there are."""
        return len(self.rows)

    def logits(self, vectors: Tensor, sampled: SampledLandmarks | None = None) -> Tensor:
        """[B, L], or [B, n] of a sample: how much speaks for each landmark. vectors: [B, D]."""
        _require_width(vectors, self.rows.shape[1])
        with _without_autocast(vectors):
            rows, biases = (in_full(_picked(kept, sampled)) for kept in (self.rows, self.biases))
            return in_full(vectors) @ rows.T + biases[:, 0]

    def forward(
        self, vectors: Tensor, targets: Tensor, sampled: SampledLandmarks | None = None
    ) -> Tensor:
        """The loss of each image, [B]; everything as in `CosineHead.forward`."""
        truths = read_truths(targets, n_landmarks=len(self.rows))
        columns = truths if sampled is None else sampled.among(truths)
        logits = self.logits(vectors, sampled)
        return _losses(logits, columns, sampled, self.smoothing) * _counted(truths, self.weights)


class CosineHead(nn.Module):
    """S centres for each landmark, the nearest of which counts; called, it gives each image's loss.

    With margins this is ArcFace (with sub-centres where S is above 1), with none a cosine softmax.

    start: [L, S, D], centres to start from: random ones, or means of descriptors. It becomes the
    parameter `centres` [L · S, D] and is not copied. Lengths of centres and vectors do not matter.
    margins: [L], radians, 0 to below π/2; all 0 if left out. scale: what cosines are multiplied with.
    weights: [L], what an image of each landmark counts; 1 if left out. smoothing: 0 to below 1.

    Memory, beside what the network takes, with L · S rows of D numbers: centres, their gradient and what AdamW remembers
    take 4 · L · S · D bytes each, 1.25 GB at 203,094 × 3 × 512; AdamW takes two or three times that again for a while, and a step
    some tables of B rows: in all at most 4 · (7 · L · S · D + 5 · B · L · S + 8 · B · L), 9.9 GB at B = 64.
    With a sample of n landmarks the gradient is a sparse tensor of n · S rows, which `learn_rows_lazily` takes, and
    remembers a number a row: in all at most 4 · (L · S · D + L · S + 6 · n · S · D + 3 · B · n · S + 8 · B · n), 2.1 GB at
    n = 20,000.
    Raises InputError for another shape, or numbers out of range.
    Source: Deng, Guo, Xue, Zafeiriou, arXiv:1801.07698 (ArcFace); Deng, Guo, Liu, Gong, Zafeiriou,
    Sub-center ArcFace, ECCV 2020.
    """

    def __init__(
        self, start: Tensor, *, scale: float, margins: Tensor | None = None,
        weights: Tensor | None = None, smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        _require_start(start, sides="LSD")
        require_scale(scale)
        require_smoothing(smoothing)
        self.n_landmarks, self.n_centres, width = start.shape
        self.centres = nn.Parameter(start.reshape(-1, width))
        self.margins: Tensor
        self.register_buffer("margins", _margins_of(start, margins))
        self.weights: Tensor
        self.register_buffer("weights", _weights_of(start, weights))
        self.scale, self.smoothing = scale, smoothing

    def cosines(self, vectors: Tensor, sampled: SampledLandmarks | None = None) -> Tensor:
        """[B, L], or [B, n] of a sample: the cosine to the nearest centre of each landmark.

        vectors: [B, D], of any length above 1e-6.
        """
        _require_width(vectors, self.centres.shape[1])
        with _without_autocast(vectors):
            centres = in_full(_picked(self.centres, sampled, n_each=self.n_centres))
            unit = functional.normalize(in_full(vectors), dim=1, eps=_SHORTEST)
            cosines: Tensor = _Cosines.apply(unit, centres)
            return cosines.view(len(cosines), -1, self.n_centres).max(dim=2).values

    def logits(self, vectors: Tensor) -> Tensor:
        """[B, L]: the scaled cosines, by which answers are ranked; no margin."""
        return self.cosines(vectors) * self.scale

    def forward(
        self, vectors: Tensor, targets: Tensor, sampled: SampledLandmarks | None = None
    ) -> Tensor:
        """The loss of each image, [B], in float32 (or float64) whatever the autocast around it.

        vectors: [B, D]. targets: [B], or [B, T] padded with -1, positions of landmarks; where they
        and the sample lie on the CPU, no step waits for the device.
        sampled: the landmarks whose softmax is taken, all of the batch's among them; all if left out.
        Raises InputError for other shapes, positions out of range, or a truth outside of the sample.
        """
        truths = read_truths(targets, n_landmarks=self.n_landmarks)
        columns = truths if sampled is None else sampled.among(truths)
        cosines = self.cosines(vectors, sampled)
        margins = self.margins if sampled is None else _picked(self.margins[:, None], sampled)[:, 0]
        logits = arcface_logits(
            cosines, columns.to(cosines.device), margins=margins, scale=self.scale
        )
        return _losses(logits, columns, sampled, self.smoothing) * _counted(truths, self.weights)


class _Cosines(torch.autograd.Function):
    """The cosines [B, R] between vectors u [B, D] of length one and rows c [R, D] of any length.

    It makes no table as large as the rows but their gradient, of which the usual way makes four. With the gradient G of
    the cosines Z that of a row is  Σ_b (G u - G Z c / |c|) / |c|.  A row shorter than 1e-6 counts as that long.
    """

    @staticmethod
    # Any: what torch gives for remembering has no type.
    def forward(ctx: Any, unit: Tensor, rows: Tensor) -> Tensor:
        lengths = torch.linalg.vector_norm(rows, dim=1)
        longer = lengths.clamp(min=_SHORTEST)
        cosines = (unit @ rows.T).div_(longer)
        ctx.save_for_backward(unit, rows, longer, lengths >= _SHORTEST, cosines)
        return cosines

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        unit, rows, lengths, is_free, cosines = ctx.saved_tensors
        # The length of a row that counts as longer than it is does not change with it.
        along = (gradient * cosines).sum(dim=0) / lengths.square() * is_free
        scaled = gradient / lengths
        of_rows = (scaled.T @ unit).addcmul_(rows, along[:, None], value=-1)
        return scaled @ rows, of_rows


def sampled_for(
    head: nn.Module, targets: Tensor, *, n_sampled: int, rng: np.random.Generator
) -> SampledLandmarks | None:
    """As many of the head's landmarks as a step is to see, those of `targets` among them; None: all of them."""
    if not isinstance(head, SoftmaxHead | CosineHead):
        raise TypeError(f"a landmark head was expected, not {type(head).__name__}")
    if not 0 < n_sampled < head.n_landmarks:
        return None
    return sample_landmarks(targets, n_landmarks=head.n_landmarks, n_sampled=n_sampled, rng=rng)


def _picked(kept: Tensor, sampled: SampledLandmarks | None, *, n_each: int = 1) -> Tensor:
    """The rows of the sampled landmarks, `n_each` of each, with a sparse gradient; all rows otherwise."""
    if sampled is None:
        return kept
    first = sampled.landmarks.to(kept.device)[:, None] * n_each
    rows = (first + torch.arange(n_each, device=kept.device)).flatten()
    return functional.embedding(rows, kept, sparse=True)


def _losses(
    logits: Tensor, columns: Truths, sampled: SampledLandmarks | None, smoothing: float
) -> Tensor:
    counts = None if sampled is None else sampled.counts.to(logits.device)
    return cross_entropies(logits, columns.to(logits.device), smoothing=smoothing, counts=counts)


def _counted(truths: Truths, weights: Tensor) -> Tensor:
    """[B]: what each image counts, the mean of the weights of its landmarks."""
    there = truths.to(weights.device)
    return there.mean(weights[there.columns])


def _without_autocast(vectors: Tensor) -> torch.autocast:
    # A loss needs more digits than half precision has.
    return torch.autocast(vectors.device.type, enabled=False)


def _weights_of(start: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return start.new_ones(len(start))
    require_weights(weights, n_landmarks=len(start))
    return weights.to(start.device)


def _margins_of(start: Tensor, margins: Tensor | None) -> Tensor:
    if margins is None:
        return start.new_zeros(len(start))
    require_margins(margins, n_landmarks=len(start))
    return margins.to(start.device)


def _require_start(start: Tensor, *, sides: str) -> None:
    if start.ndim != len(sides) or not start.numel() or not start.is_floating_point():
        raise InputError(
            f"a head was to start from {start.dtype} of the shape {tuple(start.shape)}; floating-point "
            f"[{', '.join(sides)}] was expected, no side 0; make it with random_start"
        )


def _require_width(vectors: Tensor, width: int) -> None:
    if vectors.ndim != 2 or vectors.shape[1] != width:
        raise InputError(
            f"vectors have the shape {tuple(vectors.shape)}; [B, {width}] was expected: one row an "
            "image; give the head the vectors of the network that it was made for"
        )
