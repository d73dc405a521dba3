"""The images that the embedded backbone is trained on: scenes of the world "training", drawn once and kept."""

import logging
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.images.render import invent_landmarks, render_distractor, render_scene

logger = logging.getLogger(__name__)

WORLD = "training"
STORED_PX = 160
_SHAPES = ((4, 3), (3, 4), (3, 2), (2, 3), (1, 1), (16, 9))


@dataclass(frozen=True)
class Drawing:
    """How much is drawn: so many scenes of each landmark, and at least so many distractors."""

    n_landmarks: int = 320
    n_scenes: int = 20
    n_distractors: int = 640
    seed: int = 0
    n_workers: int = 2


@dataclass(frozen=True)
class Scenes:
    """All training images, squeezed to squares [N, 160, 160, 3], and their landmark's number, -1 for none [N]."""

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


def draw_scenes(folder: Path, drawing: Drawing) -> Scenes:
    """The images of the training world; what an earlier, broken run has drawn already is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    group = drawing.n_scenes
    jobs = [(drawing, i) for i in range(drawing.n_landmarks + -(-drawing.n_distractors // group))]
    names = ["landmark" if i < drawing.n_landmarks else "none" for i in range(len(jobs))]
    parts = [folder / f"{name}_{drawing.seed}_{group}_{i:04d}.npy" for i, name in enumerate(names)]
    missing = [i for i, part in enumerate(parts) if not part.exists()]
    with ProcessPoolExecutor(drawing.n_workers, multiprocessing.get_context("spawn")) as pool:
        for done, (i, pixels) in enumerate(
            zip(missing, pool.map(_draw_group, [jobs[i] for i in missing]), strict=True)
        ):
            unfinished = parts[i].with_suffix(".part.npy")
            np.save(unfinished, pixels)
            unfinished.replace(parts[i])
            if done % 20 == 0:
                logger.info(
                    "drawn: %d of %d groups", len(parts) - len(missing) + done + 1, len(parts)
                )
    labels = np.repeat([i if i < drawing.n_landmarks else -1 for i in range(len(jobs))], group)
    return Scenes(np.concatenate([np.load(part) for part in parts]), labels.astype(np.int64))


def _draw_group(job: tuple[Drawing, int]) -> npt.NDArray[np.uint8]:
    drawing, group = job
    rng = np.random.default_rng([drawing.seed, group])
    is_landmark = group < drawing.n_landmarks
    landmarks = (
        invent_landmarks(group + 1, world=WORLD, seed=drawing.seed)[-1:] if is_landmark else []
    )
    drawn = np.empty((drawing.n_scenes, STORED_PX, STORED_PX, 3), dtype=np.uint8)
    for i in range(drawing.n_scenes):
        wide, high = _SHAPES[int(rng.integers(len(_SHAPES)))]
        long_px = int(rng.integers(150, 210))
        size = (long_px * wide // max(wide, high), long_px * high // max(wide, high))
        number = (group - drawing.n_landmarks) * drawing.n_scenes + i
        if is_landmark:
            photo = render_scene(landmarks, seed=i, size=size)
        else:
            photo = render_distractor(world=WORLD, seed=number, size=size)
        square = Image.fromarray(photo).resize((STORED_PX, STORED_PX), Image.Resampling.BICUBIC)
        drawn[i] = np.asarray(square)
    return drawn


def crop(
    scenes: Scenes, chosen: npt.NDArray[np.intp], *, side_px: int, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Crops [B, S, S, 3] of many sizes and shapes, some with a plain patch before a part."""
    crops = np.empty((len(chosen), side_px, side_px, 3), dtype=np.uint8)
    for row, number in enumerate(chosen):
        area, aspect = rng.uniform(0.45, 1.0), np.exp(rng.uniform(-0.3, 0.3))
        wide, high = (
            min(STORED_PX * float(np.sqrt(area * ratio)), STORED_PX)
            for ratio in (aspect, 1 / aspect)
        )
        left, top = rng.uniform(0, STORED_PX - wide), rng.uniform(0, STORED_PX - high)
        image = Image.fromarray(scenes.pixels[number])
        box = (left, top, left + wide, top + high)
        crops[row] = np.asarray(
            image.resize((side_px, side_px), Image.Resampling.BILINEAR, box=box)
        )
        if rng.random() < 0.3:
            x, y, patch = (
                int(rng.integers(*span))
                for span in ((0, side_px), (0, side_px), (side_px // 8, side_px // 3))
            )
            crops[row, y : y + patch, x : x + patch] = rng.integers(0, 256, 3)
    return crops
