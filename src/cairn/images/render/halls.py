"""Buildings that one enters: churches, palaces, temples, mosques, rotundas, houses."""

import numpy as np

from cairn.images.render.parts import add_cap, add_columns, add_steps, add_tower
from cairn.images.render.shapes import Model, badge, dome_profile, gate, panel, prism, turned
from cairn.images.render.wardrobe import Wardrobe


def church(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A nave with a rose window and a portal; towers beside it, above it, before it, or none."""
    model = Model()
    wide, long, tall = rng.uniform(5, 9), rng.uniform(9, 16), rng.uniform(8, 14)
    pitch = wide * rng.uniform(0.7, 1.5)
    model.add(prism((0, long, 0), (wide, long), tall, wear.walls))
    model.add(
        prism((0, long, tall), (wide * 1.04, long), pitch, wear.roof, top=(0, 1), ends=wear.plain)
    )
    model.add(
        [
            badge(
                (0, -0.1, tall * rng.uniform(0.72, 0.95)), wide * rng.uniform(0.25, 0.45), wear.rose
            )
        ]
    )
    model.add([panel((0, -0.12, tall * 0.2), (wide * 0.25, tall * 0.2), wear.door)])
    half = wide * rng.uniform(0.3, 0.48)
    plan = int(rng.integers(4))
    places = [[-1.0, 1.0], [rng.choice([-1.0, 1.0])], [], [0.0]][plan]
    rise = tall * rng.uniform(1.1, 2.2)
    for side in places:
        y = half + 0.2 if side else -half - 0.2
        own = np.random.default_rng(
            int(rng.integers(1 << 30)) if plan != 0 else 7 + int(tall * 1e6)
        )
        add_tower(model, own, wear, (side * (wide + half + 0.1), y, 0), half, rise)
    if plan == 2 or rng.random() < 0.4:
        middle = (0.0, long, tall + pitch * 0.98)
        add_tower(model, rng, wear, middle, half * 0.8, tall * 0.5, sides=int(rng.choice([4, 8])))
    for side in (-1, 1):
        if rng.random() < 0.6:
            model.add(
                prism(
                    (side * wide * 1.45, long * 1.2, 0),
                    (wide * 0.44, long * 0.7),
                    tall * 0.5,
                    wear.upper,
                )
            )
    return model


def palace(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A long front on steps, with or without a porch, a dome or tower, and wings."""
    model = Model()
    wide, deep, tall = rng.uniform(14, 26), rng.uniform(6, 10), rng.uniform(8, 16)
    base = add_steps(model, wear, (wide, deep + 3), int(rng.integers(1, 4)), 0.5)
    model.add(prism((0, deep, base), (wide, deep), tall, wear.walls, lid=wear.roof))
    top = base + tall
    model.add(prism((0, deep, top), (wide * 1.02, deep * 1.04), 0.8, wear.trim))
    roof_style = int(rng.integers(3))
    if roof_style:
        share = (0.85, 0.1) if roof_style == 1 else (0.8, 0.6)
        model.add(
            prism(
                (0, deep, top + 0.8),
                (wide, deep),
                tall * rng.uniform(0.2, 0.5),
                wear.roof,
                top=share,
            )
        )
    porch = wide * rng.uniform(0.25, 0.5)
    if rng.random() < 0.7:
        add_columns(
            model, wear, (-porch, porch), -2.2, base, tall * 0.86, int(rng.choice([4, 6, 8]))
        )
        model.add(prism((0, -1.6, base + tall * 0.86), (porch, 1.5), tall * 0.1, wear.trim))
        gable = prism(
            (0, -1.6, base + tall * 0.96),
            (porch, 1.5),
            porch * 0.35,
            wear.roof,
            top=(0, 1),
            ends=wear.trim,
        )
        model.add(gable)
    crown = int(rng.integers(4))
    ridge = top + 0.8 + (tall * 0.3 if roof_style else 0)
    if crown < 2:
        drum, sides = deep * rng.uniform(0.5, 0.85), 14
        model.add(prism((0, deep, ridge), (drum, drum), drum * 0.8, wear.upper, sides=sides))
        add_cap(
            model,
            rng,
            wear,
            (0, deep, ridge + drum * 0.8),
            drum,
            sides,
            ["dome", "onion"][int(rng.integers(2))],
        )
    elif crown == 2:
        add_tower(model, rng, wear, (0, deep, ridge), deep * 0.4, tall * rng.uniform(0.6, 1.4))
    if rng.random() < 0.5:
        wing, reach = wide * rng.uniform(0.15, 0.3), tall * rng.uniform(0.9, 1.5)
        cap = str(rng.choice(["pyramid", "dome", "flat"]))
        for side in (-1, 1):
            place = (side * (wide + wing + 0.2), deep - 1, 0.0)
            model.add(prism(place, (wing, deep + 2), reach, wear.upper, lid=wear.roof))
            add_cap(
                model,
                np.random.default_rng(int(wide * 1e6)),
                wear,
                (place[0], place[1], reach),
                wing,
                4,
                cap,
            )
    return model


def temple(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """Columns around a hall, on steps, under a gable."""
    model = Model()
    wide, deep, tall = rng.uniform(7, 13), rng.uniform(8, 16), rng.uniform(7, 12)
    base = add_steps(model, wear, (wide, deep), int(rng.integers(2, 7)), 0.55)
    n_columns = int(rng.choice([4, 5, 6, 8]))
    for y in (-deep * 0.94, deep * 0.94):
        add_columns(model, wear, (-wide, wide), y, base, tall, n_columns)
    for y in np.linspace(-deep * 0.94, deep * 0.94, int(rng.integers(5, 9)))[1:-1]:
        for x in (-wide * 0.93, wide * 0.93):
            model.add(
                prism(
                    (x, float(y), base),
                    (tall * 0.06, tall * 0.06),
                    tall,
                    wear.trim,
                    sides=8,
                    top=(0.85, 0.85),
                )
            )
    model.add(prism((0, 0, base), (wide * 0.72, deep * 0.75), tall, wear.plain))
    model.add(prism((0, 0, base + tall), (wide * 1.03, deep * 1.02), tall * 0.18, wear.trim))
    pitch = wide * rng.uniform(0.25, 0.5)
    at = (0.0, 0.0, base + tall * 1.18)
    model.add(prism(at, (wide * 1.06, deep * 1.03), pitch, wear.roof, top=(0, 1), ends=wear.upper))
    return model


def mosque(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A hall with a dome and a tall gate, between one, two or four minarets."""
    model = Model()
    half, tall = rng.uniform(8, 12), rng.uniform(6, 10)
    model.add(prism((0, half, 0), (half, half), tall, wear.walls, lid=wear.trim))
    model.add(
        gate(
            (0, -1.3, 0),
            (half * 0.4, 1.2),
            tall * rng.uniform(0.9, 1.3),
            (half * 0.25, tall * 0.75),
            wear.upper,
            pointed=True,
        )
    )
    drum = half * rng.uniform(0.55, 0.85)
    model.add(prism((0, half, tall), (drum, drum), drum * 0.35, wear.upper, sides=14))
    cap = str(rng.choice(["dome", "onion"]))
    add_cap(model, rng, wear, (0, half, tall + drum * 0.35), drum, 14, cap)
    if rng.random() < 0.6:
        for x, y in ((-1, 0.25), (1, 0.25), (-1, 1.75), (1, 1.75)):
            small = half * 0.17
            at = (x * half * 0.8, half * y, tall)
            model.add(turned(at, dome_profile(small, small * 1.2), wear.roof, sides=10))
    girth, reach = rng.uniform(0.9, 1.5), tall * rng.uniform(2.0, 3.4)
    own_seed = int(girth * 1e6)
    for x, y in [((-1, 0), (1, 0)), ((-1, 0), (1, 0), (-1, 2), (1, 2)), ((1, 0),)][
        int(rng.integers(3))
    ]:
        own = np.random.default_rng(own_seed)
        place = (x * (half + girth + 0.2), half * y, 0.0)
        add_tower(
            model,
            own,
            wear,
            place,
            girth,
            reach,
            sides=8,
            cap=["spire", "onion", "dome"][own_seed % 3],
        )
    return model


def rotunda(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A round hall under a dome or cone, with or without columns around it."""
    model = Model()
    radius, tall = rng.uniform(6, 10), rng.uniform(6, 11)
    base = add_steps(model, wear, (radius, radius), int(rng.integers(1, 5)), 0.5)
    model.add(prism((0, 0, base), (radius * 0.72, radius * 0.72), tall, wear.walls, sides=16))
    if rng.random() < 0.7:
        n_columns = int(rng.choice([8, 10, 12, 16]))
        for angle in 2 * np.pi * (np.arange(n_columns) + 0.5) / n_columns:
            place = (
                float(np.cos(angle)) * radius * 0.92,
                float(np.sin(angle)) * radius * 0.92,
                base,
            )
            model.add(prism(place, (tall * 0.055, tall * 0.055), tall, wear.trim, sides=8))
    model.add(prism((0, 0, base + tall), (radius, radius), tall * 0.15, wear.trim, sides=16))
    drum = radius * rng.uniform(0.6, 0.95)
    rise = tall * rng.uniform(0.1, 0.5)
    model.add(prism((0, 0, base + tall * 1.15), (drum, drum), rise, wear.upper, sides=16))
    add_cap(
        model,
        rng,
        wear,
        (0, 0, base + tall * 1.15 + rise),
        drum,
        16,
        str(rng.choice(["dome", "onion", "pyramid"])),
    )
    return model


def house(rng: np.random.Generator, wear: Wardrobe) -> Model:
    """A plain house of one block and a roof."""
    model = Model()
    half = (float(rng.uniform(4, 8)), float(rng.uniform(4, 6)))
    tall = float(rng.uniform(5, 17))
    model.add(prism((0, 0, 0), half, tall, wear.walls, lid=wear.roof))
    shape = int(rng.integers(4))
    share = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.1), (0.9, 0.85)][shape]
    model.add(
        prism(
            (0, 0, tall),
            (half[0] * 1.05, half[1] * 1.05),
            float(rng.uniform(1.5, 4)),
            wear.roof,
            top=share,
            ends=wear.plain,
        )
    )
    return model
