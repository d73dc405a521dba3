"""Fine-tuning as a whole: a network with its top and head, made, trained on images, judged on others, given back."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cairn.algorithms.losses import dynamic_margins, landmark_weights
from cairn.base.errors import InputError
from cairn.base.settings import TopSettings
from cairn.base.settings.recipes import Recipe
from cairn.base.watching import Watch
from cairn.images.store import ImageStore
from cairn.models.folders import BackboneConfig
from cairn.models.networks import build_network
from cairn.training.descriptor_net import DescriptorNet, Layers, map_shape_of, pixel_scale
from cairn.training.input import TrainImages
from cairn.training.judging import Answers, Val
from cairn.training.keys import purpose
from cairn.training.landmark_heads import CosineHead, SoftmaxHead, random_start
from cairn.training.loop import Loop, Outcome
from cairn.training.machine import repeatable, workers_of
from cairn.training.optimising import Parts
from cairn.training.ranks import Ranks


@dataclass(frozen=True)
class Finetuned:
    """A trained network with its head, on the processor, and how it came about.

    mean, deviation: [3], what its pixels are normalised with.
    """

    parts: Parts
    outcome: Outcome
    mean: Tensor
    deviation: Tensor


def finetune(
    train: TrainImages, val: TrainImages, recipe: Recipe, *, config: BackboneConfig, weights: Path | None,
    store: ImageStore, folder: Path, watch: Watch, ranks: Ranks,
    on_best: Callable[[Answers], None] = lambda answers: None, after_epoch: Callable[[], None] = lambda: None,
) -> Finetuned:  # fmt: skip
    """The network of the best epoch on val; goes on from the checkpoints in `folder` where there are some.

    ranks: who trains together, all with the same arguments; rank 0 has the best network in the end, the others the last.
    weights: a safetensors file to start from; None: random ones. val may hold distractors; both have positions of
    the same landmarks. on_best: gets the answers on val of each epoch that is the best so far, before it is saved; after_epoch:
    is called when an epoch is judged and saved; both on rank 0 alone.
    Raises InputError where a part is empty or training cannot go on, DiskError where the disk is full.
    """
    require_images(train, val)
    _require_enough(recipe.finetune.batch_images, ranks.world)
    top, settings = recipe.top, recipe.finetune
    mean, deviation = pixel_scale(top, config.pretrained_cfg)
    parts = make_parts(train, recipe, config=config, weights=weights)
    side_px = recipe.augment.side_px
    n_workers = workers_of(settings.workers, ranks.seat)
    val_images = Val(val, store, side_px, mean, deviation, n_workers, ranks)
    answers = Answers.none()

    def judge(judged: Parts) -> tuple[float, dict[str, float]]:
        nonlocal answers
        answers = val_images.answers(judged)
        return val_images.score(answers)

    loop = Loop(
        parts, train, settings, recipe.augment, folder, store, mean, deviation, judge,
        lambda: on_best(answers), after_epoch, ranks,
    )  # fmt: skip
    with repeatable(is_asked=settings.deterministic):
        outcome = loop.run(watch)
    if ranks.leads:
        loop.load_best()
    loop.parts.net.cpu().eval()
    loop.parts.head.cpu().eval()
    return Finetuned(loop.parts, outcome, mean, deviation)


def make_parts(
    train: TrainImages, recipe: Recipe, *, config: BackboneConfig, weights: Path | None
) -> Parts:
    """The network with its top and a head for the landmarks of `train`, as training begins."""
    top, seed = recipe.top, recipe.finetune.seed
    network = build_network(config, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(purpose("top", seed)) >> 1)
        net = DescriptorNet(network, map_shape_of(network, recipe.augment.side_px), top)
    return Parts(net, _head(train, top, net.width, seed), Layers.of(network.model))


def _head(train: TrainImages, top: TopSettings, width: int, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(int(purpose("head", seed)) >> 1)
    n_photos = train.n_photos
    n_landmarks = len(n_photos)
    weights = landmark_weights(n_photos) if top.landmark_weights else None
    if top.head == "softmax":
        start = random_start(n_landmarks, width, generator=generator)
        return SoftmaxHead(start, weights=weights, smoothing=top.label_smoothing)
    start = random_start(n_landmarks, top.centres, width, generator=generator)
    margins = dynamic_margins(n_photos, lowest=top.margins[0], highest=top.margins[1])
    return CosineHead(
        start, scale=top.scale, margins=margins, weights=weights, smoothing=top.label_smoothing
    )


def _require_enough(batch_images: int, world: int) -> None:
    if batch_images < world:
        raise InputError(
            f"a step of {batch_images} images was to be shared by {world} processes; at least one for each was expected; "
            f"give --batch-images {32 * world}, or start fewer processes"
        )


def require_images(train: TrainImages, val: TrainImages) -> None:
    """Nothing, where there is something to learn and to judge by; otherwise raises InputError."""
    n_landmarks = len(np.unique(train.targets[train.targets >= 0]))
    if n_landmarks < 2:
        raise InputError(
            f"train shows {n_landmarks} landmarks; at least two were expected, to tell one from the other; add folders of "
            "other landmarks, import and split again"
        )
    if not (val.targets >= 0).any():
        raise InputError(
            "no image of val shows a landmark of train; some were expected, for the best epoch is chosen on val; give val "
            "a share: cairn split WORK --fresh --ratio 80/10/10"
        )
