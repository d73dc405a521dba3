"""Batch norms whose statistics are those of the images of all processes that train together."""

from typing import Any

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional

from cairn.training.ranks import add_up_here

_KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNormAct2d)


def share_norms(model: nn.Module) -> None:
    """Batch norms in `model` learn from the images of all processes from now on; their tensors and names stay.

    All of them then have to come through `model` equally often.
    """
    for module in list(model.modules()):
        for name, norm in list(module.named_children()):
            if type(norm) in _KINDS and norm.affine:
                setattr(module, name, SharedNorm(norm))


class SharedNorm(nn.modules.batchnorm._BatchNorm):
    """The batch norm `norm`, with its very tensors, but for its statistics: those of all processes' images.

    What timm's norms do afterwards, dropping and activation, is done here too.
    """

    # Any: nn.BatchNorm1d, 2d, 3d and timm's own have no parent that names their parts.
    def __init__(self, norm: Any) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        for name, child in norm.named_children():
            self.add_module(name, child)
        self.train(norm.training)

    def forward(self, values: Tensor) -> Tensor:
        """values [B, C, …], normalised over all but C."""
        if self.training:
            mean, variance = self._learn(values)
            # Any: what a Function gives has no type.
            found: Any = _Normalised.apply(values, self.weight, self.bias, mean, variance, self.eps)
        else:
            found = functional.batch_norm(
                values, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        for child in self.children():
            found = child(found)
        return found  # type: ignore[no-any-return]  # as above

    def _learn(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """The mean and the variance of each channel, [C], which the running ones move towards."""
        with torch.no_grad():
            mean, variance, n_values = _statistics(values.float())
            if self.running_mean is not None and self.running_var is not None:
                self.num_batches_tracked.add_(1)  # type: ignore[union-attr]  # it is there where they are
                share = self.momentum or 1 / float(self.num_batches_tracked)  # type: ignore[arg-type]  # as above
                unbiased = variance * (n_values / (n_values - 1).clamp(min=1))
                self.running_mean.lerp_(mean, share)
                self.running_var.lerp_(unbiased, share)
        return mean, variance


def _statistics(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance [C] of values [B, C, …] of all processes, and of how many numbers each is.

    Twice through the values, as a mean of squares less the square of a mean loses the digits that count.
    """
    dims = _all_but_channels(values)
    n_channels = values.shape[1]
    sums = torch.cat([values.sum(dims), values.new_tensor([values.numel() / n_channels])])
    add_up_here(sums)
    mean, n_values = sums[:-1] / sums[-1], sums[-1]
    squares = (values - _beside(mean, values)).square().sum(dims)
    add_up_here(squares)
    return mean, squares / n_values, n_values


class _Normalised(torch.autograd.Function):
    """The values normalised; backwards, what they owe to being part of the statistics, on all processes.

    With x̂ the normalised values, g the gradient of w · x̂ + b, N the number of values of a channel on all processes:
    dx = w / √(variance + eps) · (g - Σ g / N - x̂ · Σ g x̂ / N), the sums over all processes.
    """

    @staticmethod
    # Any: what torch gives for remembering has no type.
    def forward(
        ctx: Any, values: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float,
    ) -> Tensor:  # fmt: skip
        scale = torch.rsqrt(variance + eps)
        ctx.save_for_backward(values, weight, mean, scale)
        normal = (values.float() - _beside(mean, values)) * _beside(scale, values)
        found = normal * _beside(weight, values) + _beside(bias, values)
        return found.to(values.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        values, weight, mean, scale = ctx.saved_tensors
        whole = gradient.float()
        dims = _all_but_channels(values)
        normal = (values.float() - _beside(mean, values)) * _beside(scale, values)
        of_bias, of_weight = whole.sum(dims), (whole * normal).sum(dims)
        n_channels = values.shape[1]
        sums = torch.cat([of_bias, of_weight, whole.new_tensor([values.numel() / n_channels])])
        add_up_here(sums)
        n_values = sums[-1]
        mean_bias, mean_weight = (sums[:-1] / n_values).chunk(2)
        moved = whole - _beside(mean_bias, values) - normal * _beside(mean_weight, values)
        of_values = moved * _beside(scale * weight, values)
        return of_values.to(values.dtype), of_weight, of_bias, None, None, None


def _all_but_channels(values: Tensor) -> list[int]:
    return [dim for dim in range(values.ndim) if dim != 1]


def _beside(of_channels: Tensor, values: Tensor) -> Tensor:
    """[C] in the shape that goes with values [B, C, …]."""
    return of_channels.view(1, -1, *[1] * (values.ndim - 2))
