"""Small heads of each kind, a batch and samples of landmarks, that tests of heads share."""

import numpy as np
import torch

from cairn.training.landmark_heads import (
    CosineHead,
    SampledLandmarks,
    SoftmaxHead,
    sample_landmarks,
)

Head = SoftmaxHead | CosineHead
KINDS = ["softmax", "cosine", "arcface"]
L, D = 9, 6
TARGETS = torch.tensor([[3, -1], [7, 2], [0, -1], [3, 8]])


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


BATCH = numbers(len(TARGETS), D, seed=1)


def head_of(kind: str, *, smoothing: float = 0.1) -> Head:
    """A head with weights of landmarks; `arcface` has three centres each, and margins."""
    weights = torch.linspace(0.5, 2, L)
    if kind == "softmax":
        return SoftmaxHead(numbers(L, D), weights=weights, smoothing=smoothing)
    if kind == "cosine":
        return CosineHead(numbers(L, 1, D), scale=20.0, weights=weights, smoothing=smoothing)
    margins = torch.linspace(0.05, 0.5, L)
    return CosineHead(
        numbers(L, 3, D), scale=20.0, margins=margins, weights=weights, smoothing=smoothing
    )


def sample_of(
    n_sampled: int, *, seed: int = 0, targets: torch.Tensor = TARGETS
) -> SampledLandmarks:
    """A sample for a batch."""
    rng = np.random.default_rng(seed)
    return sample_landmarks(targets, n_landmarks=L, n_sampled=n_sampled, rng=rng)


def gradients(
    head: Head, vectors: torch.Tensor, targets: torch.Tensor, sampled: SampledLandmarks | None = None
) -> list[torch.Tensor]:  # fmt: skip
    """Of the mean loss: that of the vectors, then those of the parameters as they come."""
    vectors = vectors.clone().requires_grad_()
    loss = head(vectors, targets, sampled).mean()
    return list(torch.autograd.grad(loss, [vectors, *head.parameters()]))
