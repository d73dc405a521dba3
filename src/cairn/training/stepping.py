"""One step of training: the losses of a batch, part by part, their gradients, added up over ranks, and the step itself."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cairn.base.settings import FinetuneSettings
from cairn.training.checkpoints import Kept, optimizer_tensors, restore, restore_optimizer
from cairn.training.descriptor_net import hold_still, normalised
from cairn.training.input import Seen
from cairn.training.keys import generator_of, purpose
from cairn.training.landmark_heads import SampledLandmarks, sampled_for
from cairn.training.machine import arithmetic_of, compiled
from cairn.training.norms import share_norms
from cairn.training.optimising import Parts, clip, optimizer_of, set_rates, whole_gradients
from cairn.training.order import shares
from cairn.training.ranks import Ranks

Tensors = tuple[Tensor, ...] | list[Tensor]
# Batch norm cannot learn from one image.
LEAST_IMAGES = 2


@dataclass
class Stepper:
    """What takes steps: network and head, moved to the device of `ranks`, with the optimiser and the running mean.

    mean, deviation: [3], what pixels are normalised with. gradient_norm: how long the gradients of the last step were
    before they were clipped; NaN where nobody asked.
    """

    parts: Parts
    settings: FinetuneSettings
    mean: Tensor
    deviation: Tensor
    steps_an_epoch: int
    ranks: Ranks

    def __post_init__(self) -> None:
        device = self.ranks.device
        both = nn.ModuleList([self.parts.net, self.parts.head])
        if self.ranks.world > 1:
            share_norms(both)
        self.both = both.to(device).to(memory_format=torch.channels_last)
        # Where a network begins from nothing, each rank has made up another one.
        self.ranks.spread(self.both.state_dict().values())
        self.mean, self.deviation = self.mean.to(device), self.deviation.to(device)
        self.optimizer = optimizer_of(self.parts, self.settings)
        self._step, self.gradient_norm = 0, math.nan
        self.running = _running_mean(self.both, self.settings.ema, lambda: self._step)
        self._type = arithmetic_of(self.settings.arithmetic, device)
        self._net = compiled(self.parts.net, device) if self.settings.compile else self.parts.net
        self.scaler = torch.amp.GradScaler(device.type, enabled=self._type == torch.float16)

    @property
    def arithmetic(self) -> str:
        """What is computed with: fp32, bf16 or fp16."""
        return {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}[self._type]

    @property
    def n_parts(self) -> int:
        """How many parts a batch is taken in: each has an image for every rank, and enough for a batch norm."""
        return self._parts_of(self.settings.batch_images)

    def _parts_of(self, n_images: int) -> int:
        return max(
            1, min(self.settings.accumulate, n_images // max(LEAST_IMAGES, self.ranks.world))
        )

    def chosen(self) -> nn.Module:
        """Network and head as they would be used: the running mean where there is one."""
        return self.both if self.running is None else self.running.module

    def gradients(self, seen: Seen, n_seen: int, rate: float) -> float:
        """The mean loss of the `n_seen` images that all ranks see in this step; its gradients are those of the step then.

        rate: the share of the highest learning rate.
        """
        settings, step = self.settings, seen.batch.step
        self._step, self.gradient_norm = step, math.nan
        # What chance there is in the network hangs on the step alone, so that a broken run goes on as if it had not been;
        # ranks see other images, and so have chances of their own.
        own = () if self.ranks.leads else (self.ranks.seat.rank,)
        torch.manual_seed(int(purpose("step", settings.seed, step, *own)) >> 1)
        self.parts.freeze(settings, epoch=step // self.steps_an_epoch)
        self.both.train()
        hold_still(self.parts.net.maps, norms_too=settings.norms == "still")
        set_rates(self.optimizer, settings.learning_rate, rate)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self.ranks.device)
        sampled = self._sampled(seen)
        for pixels, targets in self._cut(seen, n_seen):
            loss = self._losses(pixels, targets, sampled).sum() / n_seen
            torch.autograd.backward(self.scaler.scale(loss))
            total += loss.detach()
        # All ranks have the same ones, as all have gone the same way.
        self.ranks.add_up(whole_gradients(self.both.parameters()))
        return self.ranks.summed([float(total)])[0]

    def take(self) -> None:
        """The step that the gradients ask for; none where fp16 made one of them infinite, on any rank."""
        self.scaler.unscale_(self.optimizer)
        if self.settings.clip_norm:
            gradients = whole_gradients(self.both.parameters())
            self.gradient_norm = clip(gradients, longest=self.settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.running is not None:
            self.running.update_parameters(self.both)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """All that a checkpoint has to hold to go on to the bit, part by part."""
        parts = {
            "both": self.both.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "scaler": {
                name: torch.tensor(value) for name, value in self.scaler.state_dict().items()
            },
        }
        if self.running is not None:
            parts["running"] = self.running.state_dict()
        return parts

    def restore(self, kept: Kept) -> None:
        """Goes back to what `tensors` gave.

        Raises InputError where it is of another network or head.
        """
        restore(self.both, kept.of("both"), path=kept.path)
        restore_optimizer(self.optimizer, kept.of("optimizer"))
        if self.running is not None:
            restore(self.running, kept.of("running"), path=kept.path)
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(
                {name: value.item() for name, value in kept.of("scaler").items()}
            )

    def _cut(self, seen: Seen, n_seen: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Pixels and targets of each part of the batch that falls to this rank, as many on every rank."""
        rank, world, n_together = self.ranks.seat.rank, self.ranks.world, seen.batch.n_together
        if n_seen == n_together:
            parts = shares(n_together, rank, world, n_parts=self.n_parts)
        else:
            parts = np.array_split(np.arange(len(seen.pixels)), self._parts_of(n_seen))
        first = 0
        for part in parts:
            here = slice(first, first + len(part))
            first = here.stop
            yield seen.pixels[here], seen.targets[here]

    def _sampled(self, seen: Seen) -> SampledLandmarks | None:
        """The landmarks among which this step tells those of the images of all ranks; the same on every rank."""
        n_sampled = self.settings.sampled_landmarks
        if not n_sampled:
            return None
        world, n_together = self.ranks.world, seen.batch.n_together
        most = max(
            sum(map(len, shares(n_together, rank, world, n_parts=self.n_parts)))
            for rank in range(world)
        )
        targets = self.ranks.gathered(seen.targets, most=most)
        key = purpose("sampled landmarks", self.settings.seed, seen.batch.step)
        return sampled_for(
            self.parts.head, targets, n_sampled=n_sampled, rng=generator_of(int(key))
        )

    def _losses(self, pixels: Tensor, targets: Tensor, sampled: SampledLandmarks | None) -> Tensor:
        """[B]: the loss of each image."""
        if not len(pixels):
            landmark = 0 if sampled is None else int(sampled.landmarks[0])
            return self._losses(*_nothing_seen(pixels, targets, landmark), sampled) * 0
        is_whole = self._type == torch.float32
        device = self.ranks.device
        on_device = pixels.to(device, non_blocking=True)
        with torch.autocast(device.type, self._type, enabled=not is_whole):
            descriptors = self._net(normalised(on_device, self.mean, self.deviation))
        losses: Tensor = self.parts.head(descriptors.float(), targets, sampled)
        return losses


def _nothing_seen(pixels: Tensor, targets: Tensor, landmark: int) -> tuple[Tensor, Tensor]:
    """A grey image of a landmark, for a rank all of whose images could not be read.

    It has to go the way of the others, who wait for it in each batch norm; its loss must count nothing.
    """
    shown = torch.full((1, *targets.shape[1:]), -1, dtype=targets.dtype)
    shown[0, 0] = landmark
    return torch.full((1, *pixels.shape[1:]), 128, dtype=pixels.dtype), shown


def _running_mean(both: nn.Module, share: float, n_done: Callable[[], int]) -> AveragedModel | None:
    """The running mean of weights and buffers; n_done: how many steps were taken before.

    In the first steps it keeps less, or a short training would end near the weights that it began with.
    """
    if not share:
        return None

    def mean(kept: Tensors, new: Tensors, n_averaged: Tensor | int) -> None:
        kept_share = min(share, (1 + n_done()) / (10 + n_done()))
        get_ema_multi_avg_fn(kept_share)(kept, new, n_averaged)  # type: ignore[no-untyped-call]

    return AveragedModel(both, multi_avg_fn=mean, use_buffers=True)
