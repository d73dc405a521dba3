"""Structures of stone and arches: gates, castles, aqueducts, stepped pyramids, pagodas."""

import numpy as np

from cairn.images.render.parts import add_cap, add_columns, add_steps, add_tower
from cairn.images.render.shapes import Model, gate, prism
from cairn.images.render.wardrobe import Wardrobe


def arch(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A gate with smaller gates, round towers, columns or nothing beside it, and an attic."""
    model = Model()
    wide, deep, tall = rng.uniform(6, 10), rng.uniform(2.2, 4), rng.uniform(10, 18)
    hole = (wide * rng.uniform(0.3, 0.5), tall * rng.uniform(0.55, 0.75))
    pointed = bool(rng.random() < 0.35)
    model.add(gate((0, 0, 0), (wide, deep), tall, hole, wear.plain, pointed=pointed))
    side = rng.uniform(2.5, 4.5)
    flank = int(rng.integers(4))
    for sign in (-1, 1):
        at = (sign * (wide + side + 0.05), 0.0, 0.0)
        if flank == 0:
            model.add(
                gate(
                    at,
                    (side, deep * 0.9),
                    tall * 0.75,
                    (side * 0.5, tall * 0.45),
                    wear.plain,
                    pointed=pointed,
                )
            )
        elif flank == 1:
            own = np.random.default_rng(int(side * 1e6))
            add_tower(
                model, own, wear, (at[0], 0, 0), side, tall * 1.1, sides=int(8 + 6 * (side > 3.5))
            )
        elif flank == 2:
            add_columns(
                model, wear, (sign * wide * 0.62, sign * wide * 0.98), -deep - 0.7, 0, tall * 0.7, 2
            )
    model.add(prism((0, 0, tall), (wide * 1.05, deep * 1.1), tall * 0.06, wear.trim))
    attic = tall * rng.uniform(0.12, 0.35)
    model.add(
        prism(
            (0, 0, tall * 1.06),
            (wide, deep),
            attic,
            [wear.walls, wear.upper, wear.trim][int(rng.integers(3))],
        )
    )
    top = tall * 1.06 + attic
    if rng.random() < 0.6:
        cap = str(rng.choice(["pyramid", "dome", "battlements", "flat"]))
        add_cap(model, rng, wear, (0, 0, top), deep, 4, cap)
    return model


def castle(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """Four walls with a gate, corner towers and a keep."""
    model = Model()
    wide, deep, tall = rng.uniform(11, 18), rng.uniform(8, 13), rng.uniform(6, 10)
    girth = rng.uniform(2.4, 4.2)
    sides = int(rng.choice([4, 8, 12]))
    cap = str(rng.choice(["pyramid", "spire", "battlements", "battlements", "flat"]))
    model.add(
        gate(
            (0, -deep, 0),
            (wide - girth, 1),
            tall,
            (2.2, min(5.0, tall * 0.7)),
            wear.plain,
            pointed=True,
        )
    )
    model.add(prism((0, deep, 0), (wide - girth, 1), tall, wear.plain))
    for side in (-1, 1):
        model.add(prism((side * wide, 0, 0), (1, deep - girth), tall, wear.plain))
        for y in (-deep, deep):
            if rng.random() < 0.85:
                own = np.random.default_rng(int(girth * 1e6 + (y > 0)))
                add_tower(
                    model, own, wear, (side * wide, y, 0), girth, tall * 1.25, sides=sides, cap=cap
                )
    n_teeth = int(rng.integers(5, 9))
    for x in np.linspace(-wide + girth * 1.6, wide - girth * 1.6, n_teeth):
        model.add(prism((float(x), -deep, tall), (0.7, 0.5), 1.3, wear.plain))
    keep = rng.uniform(3.5, 6)
    add_tower(
        model,
        rng,
        wear,
        (float(rng.uniform(-0.3, 0.3) * wide), 0, 0),
        keep,
        tall * rng.uniform(1.8, 2.8),
    )
    return model


def aqueduct(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """Arches in one to three tiers, with or without a tower at an end."""
    model = Model()
    n_arches, bay = int(rng.integers(3, 7)), rng.uniform(3, 5)
    deep, base = rng.uniform(1.5, 2.5), 0.0
    pointed = bool(rng.random() < 0.3)
    for tier in range(int(rng.integers(1, 4))):
        tall = bay * rng.uniform(1.6, 3.0) if tier == 0 else bay * rng.uniform(1.4, 2.0)
        for i in range(n_arches):
            at = ((2 * i - n_arches + 1) * bay, 0.0, base)
            model.add(
                gate(at, (bay, deep), tall, (bay * 0.72, tall * 0.85), wear.plain, pointed=pointed)
            )
        base += tall
        model.add(prism((0, 0, base), (n_arches * bay + 0.3, deep * 1.15), 0.6, wear.trim))
        base += 0.6
    if rng.random() < 0.5:
        side = float(rng.choice([-1, 1]))
        add_tower(
            model,
            rng,
            wear,
            (side * (n_arches * bay + 3.2), 0, 0),
            2.8,
            base * rng.uniform(1.1, 1.6),
        )
    return model


def ziggurat(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A pyramid, or terraces with stairs and a shrine on top."""
    model = Model()
    half, levels = rng.uniform(10, 17), int(rng.integers(1, 6))
    rise, lean = rng.uniform(2.4, 4.5), rng.uniform(0.75, 0.95)
    base = 0.0
    if levels == 1:
        model.add(
            prism((0, 0, 0), (half, half), half * rng.uniform(0.9, 1.5), wear.plain, top=(0, 0))
        )
        model.add(gate((0, -half - 1, 0), (2.5, 1), 4.5, (1.2, 3.4), wear.trim))
        return model
    stair = half * rng.uniform(0.12, 0.25)
    for level in range(levels):
        model.add(
            prism((0, 0, base), (half, half), rise, wear.plain, top=(lean, lean), lid=wear.trim)
        )
        run = half * (1 - lean) + 1.0
        model.add(
            prism(
                (0, -half - 0.5, base),
                (stair, run),
                rise,
                wear.trim,
                top=(1, 0.1),
                lean=(0, run * 0.85),
            )
        )
        base += rise
        half *= lean * float(rng.uniform(0.72, 0.9))
        stair = min(stair, half * 0.6)
        if level == levels - 1:
            model.add(
                prism(
                    (0, 0, base), (half * 0.55, half * 0.5), rise * 1.2, wear.upper, lid=wear.roof
                )
            )
    add_cap(
        model,
        rng,
        wear,
        (0, 0, base + rise * 1.2),
        half * 0.5,
        4,
        str(rng.choice(["pyramid", "dome", "flat"])),
    )
    return model


def pagoda(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """Storeys that become smaller, each under wide eaves."""
    model = Model()
    half, storeys = rng.uniform(4.5, 7.5), int(rng.integers(3, 8))
    sides = int(rng.choice([4, 4, 6, 8]))
    base = add_steps(model, wear, (half, half), int(rng.integers(1, 4)), 0.6)
    rise, eave, shrink = rng.uniform(2.4, 3.6), rng.uniform(1.25, 1.6), rng.uniform(0.8, 0.92)
    for _ in range(storeys):
        model.add(prism((0, 0, base), (half, half), rise, wear.walls, sides=sides))
        base += rise
        model.add(
            prism(
                (0, 0, base),
                (half * eave, half * eave),
                rise * 0.15,
                wear.trim,
                sides=sides,
                top=(1.05, 1.05),
            )
        )
        share = shrink / eave / 1.05
        wide = half * eave * 1.05
        model.add(
            prism(
                (0, 0, base + rise * 0.15),
                (wide, wide),
                rise * 0.5,
                wear.roof,
                sides=sides,
                top=(share, share),
            )
        )
        base += rise * 0.65
        half *= shrink
    add_cap(
        model, rng, wear, (0, 0, base), half, sides, str(rng.choice(["spire", "pyramid", "onion"]))
    )
    return model
