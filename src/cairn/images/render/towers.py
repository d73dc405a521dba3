"""Slender structures: bell towers, lighthouses, high-rises, lattice towers, monuments."""

import numpy as np

from cairn.images.render.parts import add_cap, add_steps, add_tower
from cairn.images.render.shapes import Model, prism, turned
from cairn.images.render.wardrobe import Wardrobe


def campanile(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A slender tower, with or without a house around its foot."""
    model = Model()
    half = rng.uniform(3, 5.5)
    sides = int(rng.choice([4, 4, 6, 8]))
    if rng.random() < 0.6:
        wide = half * rng.uniform(1.4, 2.6)
        tall = half * rng.uniform(0.8, 2.0)
        model.add(prism((0, 0, 0), (wide, wide), tall, wear.upper, lid=wear.roof))
        add_tower(model, rng, wear, (0, 0, tall), half, half * rng.uniform(4, 7), sides=sides)
    else:
        add_tower(model, rng, wear, (0, 0, 0), half, half * rng.uniform(5, 9), sides=sides)
    return model


def lighthouse(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A round tower in bands, with a lantern and a keeper's cottage."""
    model = Model()
    radius, tall = rng.uniform(2.6, 4), rng.uniform(18, 30)
    bands, share = int(rng.integers(1, 6)), 0.93
    half, base = radius, 0.0
    for band in range(bands):
        look = (wear.plain, wear.roof)[band % 2]
        model.add(
            prism((0, 0, base), (half, half), tall / bands, look, sides=14, top=(share, share))
        )
        base += tall / bands
        half *= share
    model.add(prism((0, 0, base), (half * 1.3, half * 1.3), 0.5, wear.trim, sides=14))
    model.add(
        prism((0, 0, base + 0.5), (half * 0.75, half * 0.75), half * 1.2, wear.glass, sides=10)
    )
    add_cap(
        model,
        rng,
        wear,
        (0, 0, base + 0.5 + half * 1.2),
        half * 0.9,
        10,
        str(rng.choice(["dome", "pyramid", "onion"])),
    )
    x = float(rng.choice([-1, 1])) * (radius + rng.uniform(4, 6))
    model.add(prism((x, 0.5, 0), (3.2, 2.6), 3.4, wear.walls))
    model.add(prism((x, 0.5, 3.4), (3.4, 2.8), 2.0, wear.roof, top=(1, 0), ends=wear.plain))
    return model


def skyscraper(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A tall glass block in one to four steps on a base."""
    model = Model()
    half, tall = rng.uniform(6, 10), rng.uniform(35, 60)
    sides = int(rng.choice([4, 4, 6, 12]))
    base, steps = float(rng.uniform(4, 8)), int(rng.integers(1, 5))
    model.add(prism((0, 0, 0), (half * 1.5, half * 1.4), base, wear.upper, lid=wear.trim))
    for _ in range(steps):
        share = float(rng.uniform(0.72, 1.0))
        model.add(
            prism(
                (0, 0, base),
                (half, half),
                tall / steps,
                wear.glass,
                sides=sides,
                top=(share, share),
            )
        )
        base += tall / steps
        half *= share * float(rng.uniform(0.8, 1.0))
    if rng.random() < 0.6:
        model.add(
            prism((0, 0, base), (half * 0.1, half * 0.1), tall * 0.3, wear.trim, top=(0.2, 0.2))
        )
    else:
        add_cap(
            model,
            rng,
            wear,
            (0, 0, base),
            half,
            sides,
            str(rng.choice(["pyramid", "flat", "dome"])),
        )
    return model


def trestle(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """Four leaning legs in two or three floors."""
    model = Model()
    half, tall = rng.uniform(7, 11), rng.uniform(26, 45)
    base, n_floors = 0.0, int(rng.integers(2, 4))
    thick = rng.uniform(0.9, 1.6)
    for floor in range(n_floors):
        rise = tall * (0.5 if floor == 0 else 0.35)
        inner = half * rng.uniform(0.45, 0.65)
        for dx, dy in ((-1, 1), (1, 1), (-1, -1), (1, -1)):
            lean = (-dx * (half - inner), -dy * (half - inner))
            model.add(
                prism(
                    (dx * half, dy * half, base),
                    (thick, thick),
                    rise,
                    wear.roof,
                    lean=lean,
                    top=(0.8, 0.8),
                )
            )
        base += rise
        model.add(prism((0, 0, base), (inner * 1.3, inner * 1.3), rise * 0.08, wear.trim))
        base += rise * 0.08
        half, thick = inner, thick * 0.8
    return_cap = str(rng.choice(["spire", "pyramid", "dome", "lantern"]))
    add_cap(model, rng, wear, (0, 0, base), half, 8, return_cap)
    return model


def monument(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """An obelisk, or a statue on a column, on a plinth and steps."""
    model = Model()
    half = rng.uniform(2.5, 4.5)
    base = add_steps(model, wear, (half, half), int(rng.integers(2, 6)), 0.6)
    plinth = half * rng.uniform(0.6, 1.4)
    model.add(prism((0, 0, base), (half * 0.8, half * 0.8), plinth, wear.upper))
    base += plinth
    shaft, tall = half * rng.uniform(0.25, 0.45), half * rng.uniform(4, 8)
    if rng.random() < 0.5:
        model.add(prism((0, 0, base), (shaft, shaft), tall, wear.plain, top=(0.65, 0.65)))
        model.add(
            prism(
                (0, 0, base + tall),
                (shaft * 0.65, shaft * 0.65),
                shaft * 1.2,
                wear.roof,
                top=(0, 0),
            )
        )
        return model
    model.add(prism((0, 0, base), (shaft, shaft), tall, wear.plain, sides=12, top=(0.88, 0.88)))
    model.add(prism((0, 0, base + tall), (shaft * 1.5, shaft * 1.5), shaft * 0.5, wear.trim))
    base += tall + shaft * 0.5
    model.add(
        prism(
            (0, 0, base),
            (shaft * 0.5, shaft * 0.4),
            shaft * 1.6,
            wear.roof,
            sides=6,
            top=(0.7, 0.7),
        )
    )
    model.add(
        prism(
            (0, 0, base + shaft * 1.6), (shaft * 0.85, shaft * 0.4), shaft * 1.1, wear.roof, sides=6
        )
    )
    model.add(
        turned(
            (0, 0, base + shaft * 2.7),
            [(0.3 * shaft, 0), (0.35 * shaft, 0.35 * shaft), (0.05, 0.7 * shaft)],
            wear.roof,
            sides=8,
        )
    )
    return model
