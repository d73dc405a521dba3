"""Parts that many buildings share: towers, what crowns them, clocks, steps, columns."""

import numpy as np

from cairn.images.render.shapes import Look, Model, badge, dome_profile, prism, turned
from cairn.images.render.wardrobe import Wardrobe


def add_tower(
    model: Model,
    rng: np.random.Generator,
    wear: Wardrobe,
    at: tuple[float, float, float],
    half: float,
    height: float,
    *,
    sides: int = 4,
    cap: str | None = None,
) -> float:
    """A tower in one to three steps, with its roof; returns how high (m) it ends."""
    x, y, base = at
    steps = int(rng.integers(1, 4))
    looks = [wear.walls, wear.upper, wear.plain]
    for _step in range(steps):
        tall = height / steps * float(rng.uniform(0.8, 1.1))
        look = looks[int(rng.integers(3))]
        model.add(prism((x, y, base), (half, half), tall, look, sides=sides, lid=wear.trim))
        base += tall
        if sides == 4 and tall > half * 2.4 and rng.random() < 0.4:
            add_dial(model, wear.clock, (x, y, base - half * 0.9), half)
        ledge = half * float(rng.uniform(1.04, 1.16))
        model.add(prism((x, y, base), (ledge, ledge), half * 0.14, wear.trim, sides=sides))
        base += half * 0.14
        half *= float(rng.uniform(0.72, 0.95))
    return add_cap(model, rng, wear, (x, y, base), half, sides, cap or str(rng.choice(list(CAPS))))


def add_dial(model: Model, look: Look, at: tuple[float, float, float], half: float) -> None:
    """A clock on each of the four sides of a tower; at: the middle of the tower at the clocks' height."""
    x, y, z = at
    thin = 0.02 * half
    for side, dx, dy in (("front", 0, -1), ("left", -1, 0), ("right", 1, 0), ("back", 0, 1)):
        plate = badge(
            (x + dx * (half + thin), y + dy * (half + thin), z), half * 0.62, look, side=side
        )
        model.add([plate])


CAPS = ("spire", "pyramid", "dome", "onion", "flat", "battlements", "lantern")


def add_cap(
    model: Model,
    rng: np.random.Generator,
    wear: Wardrobe,
    at: tuple[float, float, float],
    half: float,
    sides: int,
    cap: str,
) -> float:
    """Crowns a tower that ends at a place with half a width; returns how high (m) it then ends."""
    x, y, z = at
    if cap in ("spire", "pyramid"):
        height = half * float(rng.uniform(2.6, 5.0) if cap == "spire" else rng.uniform(0.9, 1.8))
        ring = 8 if cap == "spire" and rng.random() < 0.5 else sides
        model.add(prism(at, (half, half), height, wear.roof, top=(0, 0), sides=ring))
        return z + height
    if cap in ("dome", "onion"):
        height = half * float(rng.uniform(0.9, 1.3) if cap == "dome" else rng.uniform(1.6, 2.4))
        bulge = 0.0 if cap == "dome" else float(rng.uniform(0.5, 1.1))
        model.add(turned(at, dome_profile(half * 0.95, height, bulge=bulge), wear.roof, sides=14))
        model.add(
            prism(
                (x, y, z + height),
                (half * 0.05, half * 0.05),
                half * 0.7,
                wear.trim,
                top=(0.2, 0.2),
            )
        )
        return z + height + half * 0.7
    if cap == "battlements":
        tooth, n_teeth = half * 0.17, 4
        for i in range(n_teeth):
            offset = half * (2 * i / (n_teeth - 1) - 1) * 0.83
            for dx, dy in {
                (offset, -half * 0.83),
                (offset, half * 0.83),
                (-half * 0.83, offset),
                (half * 0.83, offset),
            }:
                model.add(prism((x + dx, y + dy, z), (tooth, tooth), half * 0.4, wear.plain))
        return z + half * 0.4
    if cap == "lantern":
        for dx, dy in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            post = (x + dx * half * 0.7, y + dy * half * 0.7, z)
            model.add(prism(post, (half * 0.12, half * 0.12), half * 1.2, wear.trim))
        model.add(
            prism(
                (x, y, z + half * 1.2), (half, half), half * 1.1, wear.roof, top=(0, 0), sides=sides
            )
        )
        return z + half * 2.3
    model.add(prism(at, (half * 0.5, half * 0.5), half * 0.5, wear.plain, lid=wear.roof))
    return z + half * 0.5


def add_steps(
    model: Model, wear: Wardrobe, half: tuple[float, float], n_steps: int, rise: float
) -> float:
    """Steps all around a block of half a width and depth; returns how high (m) they end."""
    for step in range(n_steps):
        wider = (n_steps - step) * rise * 1.6
        model.add(prism((0, 0, step * rise), (half[0] + wider, half[1] + wider), rise, wear.trim))
    return n_steps * rise


def add_columns(
    model: Model,
    wear: Wardrobe,
    ends: tuple[float, float],
    y: float,
    base: float,
    height: float,
    n_columns: int,
) -> None:
    """A row of columns along x between two ends."""
    girth = min(height * 0.07, (ends[1] - ends[0]) / n_columns * 0.3)
    for x in np.linspace(ends[0] + girth * 1.5, ends[1] - girth * 1.5, n_columns):
        place = (float(x), y, base)
        model.add(prism(place, (girth, girth), height, wear.trim, sides=8, top=(0.85, 0.85)))
