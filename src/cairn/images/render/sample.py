"""The embedded sample: a folder per invented landmark, a folder of distractors, and two lists about them."""

import csv
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.watching import Silent, Watch
from cairn.images.render.landmarks import Landmark, build, invent_landmarks, world_rng
from cairn.images.render.scene import render_distractor, render_scene

NONE_FOLDER = "_none"
LICENCE = "CC0-1.0"
AUTHOR = "Cairn renderer"

_SHAPES = ((4, 3), (3, 2), (3, 4), (2, 3), (1, 1), (16, 9))
_SHAPE_SHARES = (0.38, 0.2, 0.2, 0.1, 0.06, 0.06)
# Real collections have a long tail: some landmarks with many photos, some with hardly any.
_MANY, _FEW = (25, 25, 22), (2, 3, 3)


@dataclass(frozen=True)
class SampleSettings:
    """How large the sample is. Photos have their longest side (px) between the two given."""

    n_landmarks: int = 40
    n_distractors: int = 120
    n_pairs: int = 12
    n_copies: int = 4
    shortest_px: int = 288
    longest_px: int = 384
    seed: int = 0
    n_workers: int = 2


@dataclass(frozen=True)
class SampleSummary:
    """What was written, and where: all photos, and those among them that show none, show two, or are copies."""

    folder: Path
    n_images: int
    n_landmarks: int
    n_distractors: int
    n_pairs: int
    n_copies: int


@dataclass(frozen=True)
class _Shot:
    path: Path
    landmarks: tuple[Landmark, ...]
    number: int
    size: tuple[int, int]
    quality: int
    copy: Path | None = None


def write_sample(
    folder: Path, *, settings: SampleSettings | None = None, watch: Watch | None = None
) -> SampleSummary:
    """Photos in a folder per landmark and `_none`, `landmarks.csv` and `notes.csv`; again the same for the same seed.

    With more than one worker, other processes draw, so a script that calls this needs the usual
    `if __name__ == "__main__":`.
    Raises InputError if there are fewer landmarks than pairs need, or none.
    """
    chosen = settings if settings is not None else SampleSettings()
    if chosen.n_landmarks < 1 or (chosen.n_pairs and chosen.n_landmarks < 2):
        raise InputError(
            f"the sample has {chosen.n_landmarks} landmarks and {chosen.n_pairs} pairs; "
            "expected at least 1 landmark, and 2 for pairs; raise n_landmarks"
        )
    landmarks = invent_landmarks(chosen.n_landmarks, world="demo", seed=chosen.seed)
    shots = _plan(folder, landmarks, chosen)
    for name in {shot.path.parent for shot in shots}:
        name.mkdir(parents=True, exist_ok=True)
    with (watch if watch is not None else Silent()).phase("draw the sample", len(shots)) as advance:
        if chosen.n_workers == 1:
            for shot in shots:
                advance(_take(shot))
        else:
            with ProcessPoolExecutor(
                chosen.n_workers, multiprocessing.get_context("spawn")
            ) as pool:
                for n_done in pool.map(_take, shots, chunksize=8):
                    advance(n_done)
    _write_lists(folder, landmarks, shots)
    n_copies = sum(shot.copy is not None for shot in shots)
    n_none = sum(not shot.landmarks for shot in shots)
    n_pairs = sum(len(shot.landmarks) == 2 for shot in shots)
    return SampleSummary(folder, len(shots) + n_copies, len(landmarks), n_none, n_pairs, n_copies)


def _plan(folder: Path, landmarks: list[Landmark], settings: SampleSettings) -> list[_Shot]:
    rng = world_rng("demo", 40, settings.seed)
    first = settings.seed * 1_000_000
    shots: list[_Shot] = []
    pairs = _pairs(landmarks, settings.n_pairs)
    for place, landmark in enumerate(landmarks):
        alone = int(rng.integers(11, 15))
        if len(landmarks) >= 20:
            alone = dict(enumerate((*_MANY, *_FEW))).get(place, alone)
        shown = [(landmark,)] * alone + [pair for pair in pairs if pair[0] == landmark]
        for i, those in enumerate(shown):
            path = folder / landmark.landmark_id / f"{i + 1:03d}.jpg"
            shots.append(
                _Shot(path, those, first + i, _size(rng, settings), int(rng.integers(80, 94)))
            )
    for i in range(settings.n_distractors):
        path = folder / NONE_FOLDER / f"{i + 1:03d}.jpg"
        shots.append(_Shot(path, (), first + i, _size(rng, settings), int(rng.integers(80, 94))))
    alone_shots = [i for i, shot in enumerate(shots) if len(shot.landmarks) == 1]
    for i in rng.choice(
        alone_shots, min(settings.n_copies, len(alone_shots)), replace=False
    ).tolist():
        shot = shots[i]
        again = shot.path.with_name(shot.path.stem + "_again.jpg")
        shots[i] = _Shot(shot.path, shot.landmarks, shot.number, shot.size, shot.quality, again)
    return shots


def _pairs(landmarks: list[Landmark], n_pairs: int) -> list[tuple[Landmark, ...]]:
    """Two landmarks each, the bigger one first, from those that have photos enough."""
    usual = landmarks[6:] if len(landmarks) >= 20 else landmarks
    pairs = []
    for i in range(n_pairs):
        pair = (usual[i % len(usual)], usual[(i + 1 + len(usual) // 2) % len(usual)])
        pairs.append(tuple(sorted(pair, key=lambda one: -build(one).height * build(one).radius)))
    return pairs


def _size(rng: np.random.Generator, settings: SampleSettings) -> tuple[int, int]:
    wide, high = _SHAPES[int(rng.choice(len(_SHAPES), p=_SHAPE_SHARES))]
    long_px = int(rng.integers(settings.shortest_px, settings.longest_px + 1))
    return long_px * wide // max(wide, high), long_px * high // max(wide, high)


def _take(shot: _Shot) -> int:
    """Draws and writes one photo, and its copy where it has one; returns 1, for counting."""
    if shot.landmarks:
        pixels = render_scene(list(shot.landmarks), seed=shot.number, size=shot.size)
    else:
        pixels = render_distractor(world="demo", seed=shot.number, size=shot.size)
    photo = Image.fromarray(pixels)
    photo.save(shot.path, quality=shot.quality)
    if shot.copy is not None:
        smaller = (shot.size[0] * 3 // 4, shot.size[1] * 3 // 4)
        photo.resize(smaller, Image.Resampling.LANCZOS).save(shot.copy, quality=60)
    return 1


def _write_lists(folder: Path, landmarks: list[Landmark], shots: list[_Shot]) -> None:
    with (folder / "landmarks.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["landmark_id", "name", "latitude", "longitude"])
        writer.writerows(
            [one.landmark_id, one.name, one.latitude, one.longitude] for one in landmarks
        )
    with (folder / "notes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["photo", "also_shows", "licence", "author"])
        for shot in shots:
            others = " ".join(other.landmark_id for other in shot.landmarks[1:])
            for path in [shot.path] if shot.copy is None else [shot.path, shot.copy]:
                writer.writerow([path.relative_to(folder).as_posix(), others, LICENCE, AUTHOR])
