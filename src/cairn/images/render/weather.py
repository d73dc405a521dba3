"""Time of day and weather: the light, the sky and the hills far away."""

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from cairn.images.render.raster import View
from cairn.images.render.shading import Shine
from cairn.images.render.shapes import Floats


class Weather(NamedTuple):
    """A kind of light: colours in linear light; sky from the horizon up to the zenith.

    haze: how far haze lets one see, in multiples of the distance to what the photo shows.
    """

    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    horizon: tuple[float, float, float]
    zenith: tuple[float, float, float]
    heights: tuple[float, float]
    haze: tuple[float, float]
    clouds: tuple[float, float]
    lamps: float


WEATHERS = {
    "clear": Weather(
        (1.25, 1.12, 0.92),
        (0.27, 0.34, 0.47),
        (0.58, 0.7, 0.84),
        (0.1, 0.25, 0.56),
        (0.4, 1.2),
        (8, 40),
        (0.0, 0.6),
        0.0,
    ),
    "hazy": Weather(
        (1.0, 0.88, 0.7),
        (0.4, 0.43, 0.48),
        (0.66, 0.66, 0.62),
        (0.3, 0.42, 0.58),
        (0.4, 1.1),
        (2.2, 6),
        (0.2, 0.7),
        0.0,
    ),
    "overcast": Weather(
        (0.22, 0.22, 0.22),
        (0.62, 0.65, 0.7),
        (0.6, 0.62, 0.65),
        (0.36, 0.4, 0.46),
        (0.8, 1.3),
        (200, 1200),
        (0.6, 1.0),
        0.0,
    ),
    "golden": Weather(
        (1.75, 1.08, 0.5),
        (0.34, 0.38, 0.54),
        (0.92, 0.66, 0.4),
        (0.2, 0.32, 0.56),
        (0.18, 0.4),
        (5, 25),
        (0.1, 0.8),
        0.1,
    ),
    "dusk": Weather(
        (0.8, 0.42, 0.28),
        (0.24, 0.25, 0.38),
        (0.7, 0.36, 0.26),
        (0.09, 0.1, 0.27),
        (0.1, 0.25),
        (4, 20),
        (0.1, 0.8),
        0.45,
    ),
    "night": Weather(
        (0.06, 0.07, 0.1),
        (0.035, 0.045, 0.085),
        (0.05, 0.06, 0.11),
        (0.006, 0.01, 0.03),
        (0.5, 1.0),
        (10, 40),
        (0.0, 0.3),
        0.6,
    ),
}
_SHARES = {
    "clear": 0.34,
    "hazy": 0.16,
    "overcast": 0.2,
    "golden": 0.15,
    "dusk": 0.08,
    "night": 0.07,
}


def choose_light(rng: np.random.Generator, *, distance_m: float) -> tuple[Weather, Shine]:
    """A weather by its share, and the light it gives, with the sun somewhere above the front or the side."""
    weather = WEATHERS[str(rng.choice(list(_SHARES), p=list(_SHARES.values())))]
    turn, height = rng.uniform(-2.6, 2.6) - np.pi / 2, rng.uniform(*weather.heights)
    sun = np.array([np.cos(turn) * np.cos(height), np.sin(turn) * np.cos(height), np.sin(height)])
    tone = 1 + rng.normal(0, 0.025, 3)
    sky = np.array(weather.sky) * tone
    warmth = np.array(weather.sun) * tone * rng.uniform(0.8, 1.15)
    is_night = weather.lamps > 0.5
    shine = Shine(
        sun=sun,
        sun_colour=warmth,
        sky_colour=sky,
        bounce_colour=sky * 0.45 + warmth * 0.12,
        haze_colour=np.array(weather.horizon),
        haze_m=distance_m * float(np.exp(rng.uniform(*np.log(weather.haze)))),
        flood=float(rng.uniform(0.3, 0.9)) if is_night else 0.0,
        lamps=weather.lamps * float(rng.uniform(0.3, 1.0)),
    )
    return weather, shine


def paint_sky(weather: Weather, shine: Shine, view: View, rng: np.random.Generator) -> Image.Image:
    """Sky, clouds and hills, as large as the view."""
    small = (max(view.size[0] // 10, 8), max(view.size[1] // 10, 8))
    x = ((np.arange(small[0]) + 0.5) / small[0] - 0.5)[None, :, None] * view.size[0] / view.scale
    y = (0.5 - (np.arange(small[1]) + 0.5) / small[1])[:, None, None] * view.size[1] / view.scale
    rays = view.axes[2] + x * view.axes[0] + y * view.axes[1]
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    height = np.clip(rays[..., 2:], 0, 1) ** 0.6
    horizon, zenith = np.array(weather.horizon), np.array(weather.zenith)
    colour = horizon * (1 - height) + zenith * height
    cover = rng.uniform(*weather.clouds)
    cloud = (
        np.clip(_clouds(rays, rng) * 2.2 + cover * 2 - 1.25, 0, 1)[..., None]
        * np.clip(height * 3, 0, 1)
        * 0.8
    )
    white = horizon * 0.55 + np.array(weather.sky) * 0.75 + np.array(weather.sun) * 0.12
    colour = colour * (1 - cloud) + white * cloud
    near_sun = np.clip(rays @ shine.sun, 0, 1)[..., None]
    colour = colour + (near_sun**40 * 0.35 + near_sun**6 * 0.1) * np.array(weather.sun)
    pixels = (np.sqrt(np.clip(colour, 0, 1)) * 255).astype(np.uint8)
    sky = Image.fromarray(pixels).resize(view.size, Image.Resampling.BILINEAR)
    _paint_hills(ImageDraw.Draw(sky), weather, view, rng)
    return sky


def _clouds(rays: Floats, rng: np.random.Generator) -> Floats:
    up = np.maximum(rays[..., 2], 0.05)
    plane = np.stack([rays[..., 0] / up, rays[..., 1] / up], axis=-1) * 0.7 + rng.uniform(0, 50, 2)
    total = np.zeros(plane.shape[:2])
    for octave, weight in ((0.8, 0.5), (1.9, 0.3), (4.1, 0.2)):
        waves = rng.normal(0, 1, (4, 2)) * octave
        total += weight * np.sin(plane @ waves.T + rng.uniform(0, 6, 4)).mean(axis=-1)
    return total


def _paint_hills(
    draw: ImageDraw.ImageDraw, weather: Weather, view: View, rng: np.random.Generator
) -> None:
    ahead = float(np.arctan2(view.axes[2, 1], view.axes[2, 0]))
    turns = ahead + np.linspace(-1.4, 1.4, 90)
    n_ranges = int(rng.integers(0, 4))
    base = np.array(
        [[0.10, 0.15, 0.07], [0.16, 0.14, 0.09], [0.09, 0.13, 0.16]][int(rng.integers(3))]
    )
    light = np.array(weather.sky) + np.array(weather.sun) * 0.3
    for i in range(n_ranges):
        rise = rng.uniform(0.02, 0.11) * (n_ranges - i) / n_ranges
        ridge = rise * (
            0.75
            + sum(
                rng.normal(0, 0.55 / f) * np.sin(turns * f + rng.uniform(0, 6))
                for f in (2, 5, 9, 17, 40)
            )
        )
        if rng.random() < 0.2:
            ridge = np.round(ridge / 0.012) * 0.012
        mist = 0.82 - 0.5 * (i + 1) / n_ranges
        colour = base * light * (1 - mist) + np.array(weather.horizon) * mist
        red, green, blue = (np.sqrt(np.clip(colour, 0, 1)) * 255).astype(int).tolist()
        top = np.column_stack([np.cos(turns), np.sin(turns), np.maximum(ridge, -0.004)])
        bottom = np.column_stack([np.cos(turns), np.sin(turns), np.full(len(turns), -0.08)])[::-1]
        pixels, _ = view.project(np.concatenate([top, bottom]) * 1e4 + view.eye)
        draw.polygon(pixels.ravel().tolist(), fill=(red, green, blue))
