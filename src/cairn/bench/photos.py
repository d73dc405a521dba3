"""The photos that downloads are measured on: rendered scenes with the grain and the bytes of real photos."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.base.watching import Watch
from cairn.images.render.landmarks import Landmark, invent_landmarks
from cairn.images.render.scene import render_scene

SIZE_PX = (1600, 1200)
WANTED_BYTES = 300_000
QUALITY = 88
# A scene takes a second to render, so each is used this often: mirrored, turned darker, under other grain.
VARIANTS = 4
MOST_SCENES = 50
_WORLD = "test"

Pixels = npt.NDArray[np.uint8]


def make_photos(
    folder: Path, *, n_photos: int, size: tuple[int, int] = SIZE_PX, watch: Watch
) -> list[Path]:
    """JPEG files in `folder`, at most `n_photos` and at most VARIANTS * MOST_SCENES, no two alike.

    size: width and height (px); at 1600 × 1200 a photo has about WANTED_BYTES. Baseline, quality 88,
    colours at half resolution, as cameras write them. Files that are there already are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = min(n_photos, VARIANTS * MOST_SCENES)
    n_scenes = -(-wanted // VARIANTS)
    paths = [folder / f"{number:03}.jpg" for number in range(n_scenes * VARIANTS)]
    missing = [i for i in range(n_scenes) if not all(p.exists() for p in _of_scene(paths, i))]
    landmarks = invent_landmarks(n_scenes, world=_WORLD) if missing else []
    with watch.phase("render photos", len(missing)) as advance:
        for scene in missing:
            _write_variants(landmarks[scene], scene, _of_scene(paths, scene), size)
            advance(1)
    return paths[:wanted]


def _of_scene(paths: list[Path], scene: int) -> list[Path]:
    return paths[scene * VARIANTS : (scene + 1) * VARIANTS]


def _write_variants(
    landmark: Landmark, scene: int, paths: list[Path], size: tuple[int, int]
) -> None:
    rendered = render_scene([landmark], seed=scene, size=size)
    rng = np.random.default_rng(scene)
    # The bytes grow with the pixels.
    wanted_bytes = WANTED_BYTES * size[0] * size[1] // (SIZE_PX[0] * SIZE_PX[1])
    for variant, path in enumerate(paths):
        pixels = rendered[:, ::-1] if variant % 2 else rendered
        light = rng.uniform(0.75, 1.0)
        path.write_bytes(with_grain(pixels * np.float32(light), wanted_bytes, rng))


def with_grain(
    pixels: npt.NDArray[np.float32], wanted_bytes: int, rng: np.random.Generator
) -> bytes:
    """`pixels` [H, W, 3] as a JPEG of about `wanted_bytes`, reached by grain; more where it has more without."""
    grain = pink_noise(pixels.shape[:2], rng)[..., None]
    weakest, strongest = 0.0, 60.0
    content = b""
    for _ in range(7):
        strength = (weakest + strongest) / 2
        content = _jpeg(np.clip(pixels + strength * grain, 0, 255).astype(np.uint8))
        if abs(len(content) - wanted_bytes) < 0.02 * wanted_bytes:
            break
        if len(content) > wanted_bytes:
            strongest = strength
        else:
            weakest = strength
    return content


def pink_noise(shape: tuple[int, int], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """[H, W] of mean 0 and deviation 1 whose amplitude falls as 1/frequency, as that of photos does."""
    height, width = shape
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) / frequency
    noise = np.fft.irfft2(spectrum, s=shape)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float32)


def _jpeg(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=QUALITY, subsampling=2)
    return buffer.getvalue()
