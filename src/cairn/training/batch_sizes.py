"""How many images a step takes where nobody says: the most that a GPU has room for, or what a processor does fastest."""

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cairn.base.errors import InputError
from cairn.base.files import write_json
from cairn.base.settings.recipes import Recipe
from cairn.base.settings.training import AUTO
from cairn.base.watching import Watch
from cairn.images.store import ImageStore
from cairn.models.folders import BackboneConfig
from cairn.training.input import Seen, TrainImages
from cairn.training.machine import memory
from cairn.training.order import Batch
from cairn.training.ranks import Ranks
from cairn.training.trials import Trial

CHOSEN = "batch_images.json"
# What a trial is made with before the number is known: its order and its schedule change no cost of a step.
_FOR_TRIAL = 1024
ON_GPU = (8, 16, 32, 64, 128, 256, 512, 1024)
ON_PROCESSOR = (8, 16, 32, 64)
# How much of the memory a step may take: val and the next batch need some too, and other programs.
_OF_GPU, _OF_MACHINE = 0.9, 0.6
# So much faster a larger batch has to be on a processor, where it costs memory and steps.
_WORTH = 1.03

# Images a second with batches of a size; None: there is no room for them.
Measure = Callable[[int], float | None]


def largest_that_fits(sizes: Sequence[int], measure: Measure) -> int | None:
    """The last of `sizes`, which rise, before the first that has no room; None where even the first has none."""
    found = None
    for size in sizes:
        if measure(size) is None:
            break
        found = size
    return found


def fastest(sizes: Sequence[int], measure: Measure) -> int | None:
    """The size with the most images a second, of those before the first that has no room.

    A larger one has to be 3 % faster, and none is tried after one that was a third slower than the best.
    """
    found, best = None, 0.0
    for size in sizes:
        speed = measure(size)
        if speed is None or speed < best / 1.5:
            break
        if found is None or speed > _WORTH * best:
            found, best = size, speed
    return found


def images_a_second(trial: Trial, size: int) -> float | None:
    """Images a second that the network learns from with all its layers, made-up ones of the largest side.

    None where there is no room for so many. The weights of the trial are spoilt after this.
    """
    seen = _made_up(trial, size)
    try:
        trial.step(seen, 1e-6)
        started = time.perf_counter()
        trial.step(seen, 1e-6)
        speed = size / (time.perf_counter() - started)
        has_room = _has_room(on_gpu=trial.on_gpu)
    except torch.OutOfMemoryError:
        has_room = False
    finally:
        trial.stepper.optimizer.zero_grad(set_to_none=True)
    if not has_room:
        gc.collect()
        if trial.on_gpu:
            torch.cuda.empty_cache()
        return None
    return speed


def _made_up(trial: Trial, size: int) -> Seen:
    """A batch like the last one of the training, of noise."""
    rng = np.random.default_rng(0)
    side = trial.recipe.augment.side_px
    rows = rng.integers(0, len(trial.train.image_ids), size)
    pixels = rng.integers(0, 256, (size, side, side, 3), dtype=np.uint8)
    batch = Batch(0, trial.n_steps - 1, rows, np.zeros(size, np.uint64), size)
    targets = torch.from_numpy(trial.train.targets[rows])
    return Seen(batch, torch.from_numpy(pixels), targets, 0)


def _has_room(*, on_gpu: bool) -> bool:
    """Whether what was just done leaves memory for the rest; on a processor, for other programs as well."""
    peak_bytes, memory_bytes = memory(on_gpu=on_gpu)
    return peak_bytes <= (_OF_GPU if on_gpu else _OF_MACHINE) * memory_bytes


def sized(
    train: TrainImages, recipe: Recipe, *, config: BackboneConfig, weights: Path | None,
    store: ImageStore, folder: Path, ranks: Ranks, watch: Watch,
) -> Recipe:  # fmt: skip
    """The recipe with a number of images in a step, found out where it says `auto`.

    folder: where the number that was found is kept, so that a training goes on with the one that it began with.
    Raises InputError where there is no room even for few images.
    """
    if recipe.finetune.batch_images != AUTO:
        return recipe
    path = folder / CHOSEN
    chosen = 0
    if ranks.leads:
        chosen = int(json.loads(path.read_text())["batch_images"]) if path.exists() else 0
    (chosen,) = ranks.as_first([chosen])
    if not chosen:
        trial = Trial(train, _with(recipe, _FOR_TRIAL), config, weights, store, ranks.apart())
        (chosen,) = ranks.as_first([choose(trial, watch) * ranks.world])
        ranks.lead(lambda: write_json(path, {"batch_images": chosen}))
        watch.note(f"{chosen} images in a step")
    return _with(recipe, chosen)


def _with(recipe: Recipe, batch_images: int) -> Recipe:
    settings = recipe.finetune.model_copy(update={"batch_images": batch_images})
    return replace(recipe, finetune=settings)


def choose(trial: Trial, watch: Watch) -> int:
    """The size that the training of `trial` should have, found by steps of it.

    Raises InputError where there is no room even for few images.
    """
    n_least = 2 * trial.recipe.finetune.accumulate
    sizes = [size for size in (ON_GPU if trial.on_gpu else ON_PROCESSOR) if size >= n_least]
    sizes = sizes or [n_least]
    with watch.phase("try sizes of batches", len(sizes)) as advance:

        def measure(size: int) -> float | None:
            advance(1)
            return images_a_second(trial, size)

        found = (largest_that_fits if trial.on_gpu else fastest)(sizes, measure)
    if found is None:
        raise InputError(
            f"there is no memory for a step of {sizes[0]} images; room for that many was expected; take more parts with "
            "--accumulate, or smaller images with --side-px"
        )
    return found
