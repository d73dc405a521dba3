"""The camera: paints a scene at twice its size, makes it smaller, and is not perfect."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from cairn.images.render.raster import paint_numbers
from cairn.images.render.shading import Scene, shade_pixels, spread
from cairn.images.render.weather import Weather, paint_sky


def photograph(scene: Scene, weather: Weather, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The scene as a photo of the view's size, [H, W, 3]."""
    view = scene.view
    double = replace(view, scale=view.scale * 2, size=(view.size[0] * 2, view.size[1] * 2))
    sky = paint_sky(weather, scene.shine, double, rng)
    numbers, levels = paint_numbers(scene.pieces, double)
    places, colours = shade_pixels(numbers, levels, replace(scene, view=double), rng=rng)
    # Whole pixels are moved as single numbers, which is several times as fast as three bytes each.
    frame = np.array(sky.convert("RGBA")).view(np.uint32)[..., 0]
    frame.reshape(-1)[places] = colours.view(np.uint32)[:, 0]
    spread(frame, numbers)
    large = Image.fromarray(frame.view(np.uint8).reshape(*frame.shape, 4)).convert("RGB")
    return _develop(large.reduce(2), rng)


def _develop(photo: Image.Image, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Blur, exposure, white balance, contrast, a darker rim and grain."""
    blur = float(rng.choice([0.0, 0.4, 0.8, 1.3], p=[0.45, 0.25, 0.2, 0.1]))
    if blur:
        photo = photo.filter(ImageFilter.GaussianBlur(blur))
    steps = np.arange(256) / 255
    gains = np.exp(rng.normal(-0.06, 0.16)) * np.exp(rng.normal(0, 0.03, 3))
    bend = float(rng.uniform(0.15, 0.6))
    curves = []
    for gain in gains:
        bright = (1 - np.exp(-1.5 * gain * steps**1.25)) / (1 - np.exp(-1.5))
        curve = (1 - bend) * bright + bend * (3 * bright**2 - 2 * np.minimum(bright, 1.0) ** 3)
        curves.append(np.clip(curve * 255, 0, 255).astype(np.uint8).tolist())
    photo = photo.point([value for curve in curves for value in curve])
    pixels = np.asarray(photo, dtype=np.float32)
    high, wide = pixels.shape[:2]
    across, down = (
        np.linspace(-1, 1, wide, dtype=np.float32),
        np.linspace(-1, 1, high, dtype=np.float32),
    )
    rim = 1 - np.float32(rng.uniform(0, 0.22)) * (across[None, :] ** 2 + down[:, None] ** 2) / 2
    grain = rng.standard_normal((high, wide), dtype=np.float32) * np.float32(
        rng.choice([1.0, 2.5, 6.0], p=[0.5, 0.35, 0.15])
    )
    return np.clip(pixels * rim[..., None] + grain[..., None], 0, 255).astype(np.uint8)
