"""A training tried before it begins: batches of it go through everything, and what they cost is told; nothing is kept."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

from cairn.base.errors import InputError
from cairn.base.settings import FinetuneSettings
from cairn.base.settings.recipes import Recipe
from cairn.base.watching import Watch
from cairn.engines.local import processors
from cairn.images.store import ImageStore
from cairn.models.folders import BackboneConfig
from cairn.training.checkpoints import write_checkpoint
from cairn.training.finetuning import require_images
from cairn.training.input import Seen, TrainImages
from cairn.training.judging import Val
from cairn.training.loop import LAST
from cairn.training.machine import memory
from cairn.training.network_out import write_backbone
from cairn.training.ranks import Ranks
from cairn.training.trials import Took, Trial

T = TypeVar("T")
_N_JUDGED = 32
# The first step of a kind makes room and plans; those after it are timed, more than one where they are quick.
_QUICK_S, _MOST_TIMED = 1.0, 5


@dataclass(frozen=True)
class Stretch:
    """Steps of a training that cost the same: of one side in pixels, with the same layers learning.

    n_learning: parameters that learn. took: one of the steps, its loss that of the first.
    """

    steps: range
    side_px: int
    n_learning: int
    took: Took


@dataclass(frozen=True)
class Costs:
    """Seconds and bytes of what training does beside its steps.

    workers_s: until the first batch was there. decode_s: one processor for the images of a step.
    judge_s: val as a whole, once.
    checkpoint_bytes: all that is needed to go on; best_bytes: the network of the best epoch; network_bytes: as exported.
    peak_bytes: the most memory at once, of the GPU or else of this process, of the `memory_bytes` that there are.
    """

    workers_s: float
    decode_s: float
    judge_s: float
    checkpoint_s: float
    export_s: float
    checkpoint_bytes: int
    best_bytes: int
    network_bytes: int
    peak_bytes: int
    memory_bytes: int

    @property
    def disk_bytes(self) -> int:
        """What training needs: both checkpoints, one of them once more while it is written, and the network."""
        return 2 * self.checkpoint_bytes + self.best_bytes + self.network_bytes


@dataclass(frozen=True)
class Tried:
    """What a training takes, measured on some batches of it; `stretches` are in the order of the steps.

    n_distractors: of the n_val. width: numbers in a descriptor. n_lost: images of the batches that could not be read.
    arithmetic: what is computed with.
    """

    n_images: int
    n_landmarks: int
    n_val: int
    n_distractors: int
    n_parameters: int
    width: int
    steps_an_epoch: int
    n_workers: int
    on_gpu: bool
    device: str
    arithmetic: str
    stretches: tuple[Stretch, ...]
    n_lost: int
    costs: Costs

    def step_s(self, stretch: Stretch) -> float:
        """How long a step takes with its input.

        A GPU computes while processors decode; where both fall to the same processors, one adds to the other.
        """
        computing = stretch.took.learn_s + stretch.took.step_s
        decoding = self.costs.decode_s / max(1, min(self.n_workers, processors()))
        return max(computing, decoding) if self.on_gpu and self.n_workers else computing + decoding

    @property
    def epoch_s(self) -> float:
        """An epoch as the last ones are, with val and a checkpoint."""
        costs = self.costs
        return (
            self.steps_an_epoch * self.step_s(self.stretches[-1])
            + costs.judge_s
            + costs.checkpoint_s
        )

    @property
    def run_s(self) -> float:
        """All steps, and val with a checkpoint after each epoch."""
        n_epochs = self.stretches[-1].steps.stop / self.steps_an_epoch
        steps_s = sum(len(one.steps) * self.step_s(one) for one in self.stretches)
        return steps_s + n_epochs * (self.costs.judge_s + self.costs.checkpoint_s)


def try_training(
    train: TrainImages, val: TrainImages, recipe: Recipe, *, config: BackboneConfig, weights: Path | None,
    store: ImageStore, folder: Path, ranks: Ranks, watch: Watch,
) -> Tried:  # fmt: skip
    """What `finetune` with the same arguments would take, found on a copy.

    folder: where a checkpoint and the network are written to see how large they are; to be thrown away.
    Raises what would end the training later: nothing to learn, no number as loss, a network that cannot be exported.
    """
    require_images(train, val)
    trial = Trial(train, recipe, config, weights, store, ranks)
    ranges = stretches_of(recipe.finetune, trial.steps_an_epoch)
    with watch.phase("try", len(ranges) + 2) as advance:
        stretches, n_lost, workers_s = _tried_steps(trial, ranges, advance)
        costs = _costs(trial, val, folder, workers_s)
        advance(2)
    stepper = trial.stepper
    return Tried(
        n_images=len(train.image_ids),
        n_landmarks=len(train.n_photos),
        n_val=len(val.image_ids),
        n_distractors=int((val.targets < 0).all(axis=1).sum()),
        n_parameters=sum(one.numel() for one in stepper.parts.parameters()),
        width=stepper.parts.net.width,
        steps_an_epoch=trial.steps_an_epoch,
        n_workers=trial.n_workers,
        on_gpu=trial.on_gpu,
        device=torch.cuda.get_device_name() if trial.on_gpu else "processor",
        arithmetic=stepper.arithmetic,
        stretches=stretches,
        n_lost=n_lost,
        costs=costs,
    )


def stretches_of(settings: FinetuneSettings, steps_an_epoch: int) -> list[range]:
    """The steps of a training in stretches of one side and the same layers learning, in order."""
    n_steps = settings.epochs * steps_an_epoch
    thaws = range(settings.frozen_epochs, settings.frozen_epochs + settings.thawing_epochs + 1)
    cuts = {0, n_steps, *(min(n_steps, epoch * steps_an_epoch) for epoch in thaws)}
    cuts |= {math.ceil(float(text.split(":")[0]) * n_steps) for text in settings.growing}
    return [range(first, end) for first, end in itertools.pairwise(sorted(cuts))]


def _tried_steps(
    trial: Trial, ranges: Sequence[range], advance: Callable[[int], None]
) -> tuple[tuple[Stretch, ...], int, float]:
    """Each stretch with its steps timed, images lost, and seconds until the first batch was there."""
    started = time.perf_counter()
    found, n_lost, workers_s = [], 0, 0.0
    for steps, seen in zip(ranges, trial.seen([steps[0] for steps in ranges]), strict=True):
        workers_s = workers_s or time.perf_counter() - started
        n_lost += seen.n_lost
        took = _timed_steps(trial, seen)
        n_learning = sum(one.numel() for one in trial.stepper.parts.parameters() if one.requires_grad)  # fmt: skip
        found.append(Stretch(steps, seen.pixels.shape[1], n_learning, took))
        advance(1)
    return tuple(found), n_lost, workers_s


def _timed_steps(trial: Trial, seen: Seen) -> Took:
    """A step on what is seen, as the middle one of some, after one that does not count; its loss is that of the first.

    Raises InputError where the loss is no number.
    """
    # So small a rate that what is tried later finds the network as it was.
    first = trial.step(seen, 1e-6)
    if not math.isfinite(first.loss):
        raise InputError(
            f"the loss of the first step is {first.loss}; a number was expected; look at --scale, --margins and "
            "--arithmetic, or take another recipe"
        )
    timed: list[Took] = []
    while len(timed) < _MOST_TIMED and sum(one.learn_s + one.step_s for one in timed) < _QUICK_S:
        timed.append(trial.step(seen, 1e-6))
    return replace(
        first,
        learn_s=median(one.learn_s for one in timed),
        step_s=median(one.step_s for one in timed),
    )


def _costs(trial: Trial, val: TrainImages, folder: Path, workers_s: float) -> Costs:
    stepper, n_val = trial.stepper, len(val.image_ids)
    decode_s, _ = _timed(lambda: list(trial.seen([trial.n_steps - 1], n_workers=0)))
    n_judged = min(_N_JUDGED, n_val)
    some = TrainImages(val.image_ids[:n_judged], val.paths[:n_judged], val.targets[:n_judged])
    side_px = trial.recipe.augment.side_px
    judged = Val(some, trial.store, side_px, trial.mean, trial.deviation)
    stepper.both.eval()
    judge_s, _ = _timed(lambda: judged.answers(stepper.parts))
    # Before the export, which has a memory of its own, but only once.
    peak_bytes, memory_bytes = memory(on_gpu=trial.on_gpu)
    checkpoint = folder / LAST
    checkpoint_s, _ = _timed(lambda: write_checkpoint(checkpoint, stepper.tensors(), {}))
    best_bytes = sum(one.nbytes for one in stepper.chosen().state_dict().values())
    export_s, network_bytes = _timed(lambda: _exported_bytes(trial, folder / "network"))
    return Costs(
        workers_s, decode_s, judge_s * n_val / n_judged, checkpoint_s, export_s, checkpoint.stat().st_size,
        best_bytes, network_bytes, peak_bytes, memory_bytes,
    )  # fmt: skip


def _exported_bytes(trial: Trial, folder: Path) -> int:
    parts, recipe = trial.stepper.parts, trial.recipe
    write_backbone(
        parts.net, parts.head, folder, config=trial.config, top=recipe.top, side_px=recipe.augment.side_px
    )  # fmt: skip
    return sum(path.stat().st_size for path in folder.iterdir())


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found
