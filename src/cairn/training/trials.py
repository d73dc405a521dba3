"""A trial: a network with its head made anew and real batches for it, stepped through by hand; nothing of it is kept."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cairn.base.settings.recipes import Recipe
from cairn.images.store import ImageStore
from cairn.models.folders import BackboneConfig
from cairn.training.descriptor_net import pixel_scale
from cairn.training.finetuning import make_parts
from cairn.training.input import Seen, Sides, TrainImages, batches_seen
from cairn.training.machine import workers_of
from cairn.training.order import Order
from cairn.training.ranks import Ranks
from cairn.training.stepping import Stepper


@dataclass(frozen=True)
class Took:
    """A step: the mean loss of its images, seconds of forward and backward, and of the optimiser."""

    loss: float
    learn_s: float
    step_s: float


@dataclass
class Trial:
    """What `finetune` would begin with the same arguments, before its first step.

    weights: a safetensors file to start from; None: random ones.
    """

    train: TrainImages
    recipe: Recipe
    config: BackboneConfig
    weights: Path | None
    store: ImageStore
    ranks: Ranks

    def __post_init__(self) -> None:
        settings = self.recipe.finetune
        mains = self.train.targets[:, 0]
        self.order = Order(self.train.image_ids, mains, settings.sampling, settings.seed)
        self.steps_an_epoch = self.order.n_batches(settings.batch_images)
        self.n_steps = settings.epochs * self.steps_an_epoch
        self.n_workers = workers_of(settings.workers)
        self.mean, self.deviation = pixel_scale(self.recipe.top, self.config.pretrained_cfg)
        self.stepper = Stepper(
            make_parts(self.train, self.recipe, config=self.config, weights=self.weights),
            settings, self.mean, self.deviation, self.steps_an_epoch, self.ranks,
        )  # fmt: skip

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU computes."""
        return self.ranks.device.type == "cuda"

    def seen(self, steps: Sequence[int], *, n_workers: int | None = None) -> Generator[Seen]:
        """What each of the steps sees, read by as many workers as training would have, or by `n_workers`."""
        settings = self.recipe.finetune
        size, n_parts = settings.batch_images, self.stepper.n_parts
        batches = (
            next(self.order.from_step(step, size, last="filled", n_parts=n_parts)) for step in steps
        )
        return batches_seen(
            self.train, batches, store=self.store, augmenting=self.recipe.augment,
            side_of=Sides(self.n_steps, self.recipe.augment.side_px, settings.growing),
            n_workers=self.n_workers if n_workers is None else n_workers, is_pinned=self.on_gpu,
        )  # fmt: skip

    def step(self, seen: Seen, rate: float) -> Took:
        """One step at `rate`, a share of the highest learning rate; a loss that is no number changes nothing."""
        started = time.perf_counter()
        loss = self.stepper.gradients(seen, len(seen.pixels), rate)
        self.wait()
        between = time.perf_counter()
        self.stepper.take()
        self.wait()
        return Took(loss, between - started, time.perf_counter() - between)

    def wait(self) -> None:
        """Until the GPU has done what it was given, for clocks to be right."""
        if self.on_gpu:
            torch.cuda.synchronize()
