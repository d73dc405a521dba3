"""Losses of landmark heads, in torch: truths, weights, margins, cross-entropy; nothing that learns lives here."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from cairn.base.errors import InputError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Truths:
    """What B images show: P entries, one for each image and landmark, at least one for each image.

    rows: [P], which image. columns: [P], which landmark, as its column in the logits.
    n_shown: [P], how many landmarks the image shows.
    """

    n_images: int
    rows: Tensor
    columns: Tensor
    n_shown: Tensor

    def mean(self, values: Tensor) -> Tensor:
        """[B]: of `values` [P], the mean over each image's landmarks."""
        means = values.new_zeros(self.n_images)
        return means.index_add(0, self.rows, values / self.n_shown)

    def to(self, device: torch.device) -> "Truths":
        """The same truths on `device`."""
        moved = (part.to(device) for part in (self.rows, self.columns, self.n_shown))
        return Truths(self.n_images, *moved)


def read_truths(targets: Tensor, *, n_landmarks: int) -> Truths:
    """The landmarks of each image, checked.

    targets: whole numbers [B], or [B, T] where images show several, padded with -1; a landmark is
    its position, 0 to n_landmarks - 1, each once in a row.
    Raises InputError for another shape or type, a number out of range, a landmark told twice, or an
    image that shows none.
    """
    if targets.ndim not in (1, 2) or targets.is_floating_point() or targets.dtype is torch.bool:
        raise InputError(
            f"targets are {targets.dtype} of the shape {tuple(targets.shape)}; whole numbers [B] or "
            "[B, T] were expected; give each image the positions of its landmarks, padded with -1"
        )
    table = targets.long() if targets.ndim == 2 else targets.long()[:, None]
    _require_targets(table, n_landmarks=n_landmarks)
    rows, slots = torch.nonzero(table >= 0, as_tuple=True)
    n_shown = (table >= 0).sum(dim=1)
    return Truths(len(table), rows, table[rows, slots], n_shown[rows])


def landmark_weights(n_photos: Ints) -> Tensor:
    """What an image of each landmark counts in the loss, float32 [L]: less where there are many.

    n_photos: [L], at least 1 each. A weight is in proportion to 1 / log(1 + n_photos). The mean over
    all photos is 1: so the mean of a batch's losses keeps its size, and needs no sum of weights that
    would differ between processes.
    Raises InputError for another shape or a landmark without photo.
    """
    _require_counts(n_photos)
    weights = 1 / np.log1p(n_photos.astype(np.float64))
    weights *= n_photos.sum() / (n_photos * weights).sum()
    return torch.from_numpy(weights.astype(np.float32))


def dynamic_margins(n_photos: Ints, *, lowest: float = 0.05, highest: float = 0.5) -> Tensor:
    """The ArcFace margin of each landmark in radians, float32 [L]: larger where photos are few.

    n_photos: [L], at least 1 each. With t = n_photos^(-1/4), a margin is
    lowest + (highest - lowest) · (t - t_min) / (t_max - t_min); where all landmarks have the same
    number of photos, all get the middle of the two.
    Raises InputError for another shape, a landmark without photo, or unless
    0 <= lowest <= highest < π/2.
    Source: Ha, Liu, Liu, arXiv:2010.05350.
    """
    _require_counts(n_photos)
    if not 0 <= lowest <= highest < math.pi / 2:
        raise InputError(
            f"margins from {lowest} to {highest} were asked for; 0 <= lowest <= highest < π/2 "
            "(1.5707) was expected; try 0.05 and 0.5"
        )
    roots = n_photos.astype(np.float64) ** -0.25
    spread = roots.max() - roots.min()
    shares = (roots - roots.min()) / spread if spread else np.full_like(roots, 0.5)
    return torch.from_numpy((lowest + (highest - lowest) * shares).astype(np.float32))


def arcface_logits(cosines: Tensor, truths: Truths, *, margins: Tensor, scale: float) -> Tensor:
    """Scaled cosines [B, L] in which each image's own landmarks are made harder by their margin.

    cosines: [B, L]. margins: [L], radians, 0 to below π/2.
    With θ the angle to one of the image's own landmarks and m its margin, the logit is
    scale · cos(θ + m), and scale · (cos θ - m · sin m) from cos θ <= cos(π - m) on, where cos(θ + m)
    would rise again. Other logits are scale · cos θ. Only the own columns are worked on: there is no
    second table but the logits.
    The gradient is finite also where a cosine is 1 or -1, or beyond by rounding.
    Returns float32, or float64 where the cosines are.
    Raises InputError where the shapes differ, or unless the scale is above 0.
    Source: Deng, Guo, Xue, Zafeiriou, arXiv:1801.07698.
    """
    require_scale(scale)
    _require_logits(cosines, truths)
    _require_one_each(margins, cosines.shape[1], what="margins")
    cosines = in_full(cosines)
    own = (truths.rows, truths.columns)
    harder = _turned(cosines[own], margins[truths.columns].to(cosines.dtype))
    return (cosines * scale).index_put_(own, harder * scale)


def cross_entropies(
    logits: Tensor, truths: Truths, *, smoothing: float = 0.0, counts: Tensor | None = None
) -> Tensor:
    """The cross-entropy of each image, [B], between its truths and the softmax of its logits.

    logits: [B, L]. counts: [L], above 0, where the columns are a sample of the landmarks: how many
    each stands for; left out, each stands for itself.
    smoothing: the share, 0 to below 1, of what is expected that is spread over all landmarks; the
    rest is shared evenly by the T landmarks that the image shows. With z the logits, n the counts and
    ε the smoothing this is  log Σ n_c exp(z_c) - (1 - ε) · mean_own z - ε · Σ n_c z_c / Σ n_c.
    Returns float32, or float64 where the logits are.
    Raises InputError for a smoothing out of range, or shapes that differ.
    Source: Szegedy et al., arXiv:1512.00567 (smoothing); Mahajan et al., arXiv:1805.00932 (several
    truths); Jean et al., arXiv:1412.2007 (a sample that stands for all).
    """
    require_smoothing(smoothing)
    _require_logits(logits, truths)
    logits = in_full(logits)
    own = truths.mean(logits[truths.rows, truths.columns])
    if counts is None:
        losses = torch.logsumexp(logits, dim=1) - (1 - smoothing) * own
        return losses - smoothing * logits.mean(dim=1) if smoothing else losses
    _require_one_each(counts, logits.shape[1], what="counts")
    counts = counts.to(logits.dtype)
    losses = torch.logsumexp(logits + counts.log(), dim=1) - (1 - smoothing) * own
    return losses - smoothing * (logits * (counts / counts.sum())).sum(1) if smoothing else losses


def in_full(values: Tensor) -> Tensor:
    """`values` in float32, or float64 where they are; half precision has too few digits for a loss."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def require_margins(margins: Tensor, *, n_landmarks: int) -> None:
    """Nothing, where `margins` is [L] from 0 to below π/2; otherwise raises InputError."""
    _require_one_each(margins, n_landmarks, what="margins")
    if not bool(((margins >= 0) & (margins < math.pi / 2)).all()):
        raise InputError(
            f"margins reach from {float(margins.min()):g} to {float(margins.max()):g}; radians from 0 "
            "to below π/2 (1.5707) were expected; take them from dynamic_margins, or 0.3 for all"
        )


def require_weights(weights: Tensor, *, n_landmarks: int) -> None:
    """Nothing, where `weights` is [L], finite and above 0; otherwise raises InputError."""
    _require_one_each(weights, n_landmarks, what="weights")
    if not bool((torch.isfinite(weights) & (weights > 0)).all()):
        raise InputError(
            f"weights of landmarks reach from {float(weights.min()):g} to {float(weights.max()):g}; "
            "finite numbers above 0 were expected; take them from landmark_weights"
        )


def require_scale(scale: float) -> None:
    """Nothing, where `scale` is finite and above 0; otherwise raises InputError."""
    if not (math.isfinite(scale) and scale > 0):
        raise InputError(f"the scale is {scale}; a number above 0 was expected; try 45")


def require_smoothing(smoothing: float) -> None:
    """Nothing, where `smoothing` is 0 or more and below 1; otherwise raises InputError."""
    if not 0 <= smoothing < 1:
        raise InputError(
            f"the label smoothing is {smoothing}; 0 or more and below 1 was expected; try 0.1"
        )


def _turned(cosines: Tensor, margins: Tensor) -> Tensor:
    """cos(θ + m) of cos θ, without the arc cosine, whose gradient is infinite at both ends."""
    # What rounding leaves of the sine; below it the root gets no gradient instead of an infinite one.
    floor = torch.finfo(cosines.dtype).eps
    sines = ((1 - cosines) * (1 + cosines)).clamp(min=floor).sqrt()
    turned = cosines * margins.cos() - sines * margins.sin()
    return torch.where(cosines <= -margins.cos(), cosines - margins * margins.sin(), turned)


def _require_targets(table: Tensor, *, n_landmarks: int) -> None:
    if not table.numel():
        raise InputError(
            f"targets have the shape {tuple(table.shape)}; at least one image with a landmark was "
            "expected; leave empty batches out"
        )
    lowest, highest = (int(end) for end in table.aminmax())
    if lowest < -1 or highest >= n_landmarks:
        raise InputError(
            f"targets reach from {lowest} to {highest}; 0 to {n_landmarks - 1} was expected, or -1 "
            "for padding; make the head for the landmarks of these images"
        )
    n_empty = int((table < 0).all(dim=1).sum())
    if n_empty:
        raise InputError(
            f"{n_empty} of {len(table)} images show no landmark; at least one each was expected; "
            "leave distractors out of the batch"
        )
    ordered = table.sort(dim=1).values
    if table.shape[1] > 1 and bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()):  # fmt: skip
        raise InputError(
            "an image tells the same landmark twice; each once was expected; drop the second"
        )


def _require_counts(n_photos: Ints) -> None:
    if n_photos.ndim != 1 or not len(n_photos) or n_photos.min() < 1:
        fewest = n_photos.min() if n_photos.size else "none"
        raise InputError(
            f"numbers of photos have the shape {n_photos.shape}, the lowest is {fewest}; one for each "
            "landmark, at least 1, was expected; leave out landmarks without a photo in train"
        )


def _require_one_each(values: Tensor, n_landmarks: int, *, what: str) -> None:
    if values.shape != (n_landmarks,):
        raise InputError(
            f"{what} have the shape {tuple(values.shape)}; [{n_landmarks}] was expected, one for each "
            "landmark; make them for the landmarks of this head"
        )


def _require_logits(logits: Tensor, truths: Truths) -> None:
    if logits.ndim != 2 or len(logits) != truths.n_images:
        raise InputError(
            f"logits have the shape {tuple(logits.shape)} for {truths.n_images} images; [B, L] was "
            "expected, one row an image; give the targets of the same batch"
        )
