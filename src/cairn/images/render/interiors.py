"""What is found indoors: the inside of a room, furniture, things on a table."""

import numpy as np

from cairn.images.render.raster import Piece, flatten
from cairn.images.render.shapes import Look, Model, dome_profile, flat_face, prism, turned
from cairn.images.render.stock import texture
from cairn.images.render.textures import PALETTES


def room(rng: np.random.Generator) -> Piece:
    """The inside of a room: three walls and a ceiling that look inwards, and furniture."""
    wide, deep, tall = rng.uniform(2.5, 4.5), rng.uniform(3, 6), rng.uniform(2.4, 3.4)
    Model()
    tone = PALETTES[int(rng.integers(len(PALETTES)))].wall
    red, green, blue = (np.array(tone) / 170).tolist()
    paper, ceiling = (
        Look(texture("cloth"), (3.0, 3.0), (red, green, blue)),
        Look(texture("cloth"), (3.0, 3.0), (1.3,) * 3),
    )
    corners = [
        ([[-wide, deep, 0], [wide, deep, 0], [wide, deep, tall], [-wide, deep, tall]], paper),
        ([[-wide, -2.4, 0], [-wide, deep, 0], [-wide, deep, tall], [-wide, -2.4, tall]], paper),
        ([[wide, deep, 0], [wide, -2.4, 0], [wide, -2.4, tall], [wide, deep, tall]], paper),
        (
            [[-wide, deep, tall], [wide, deep, tall], [wide, -2.4, tall], [-wide, -2.4, tall]],
            ceiling,
        ),
    ]
    faces = [flat_face(np.array(shape, dtype=np.float64), look) for shape, look in corners]
    for _ in range(int(rng.integers(1, 4))):
        x, z, half = (
            rng.uniform(-0.7, 0.7) * wide,
            tall * rng.uniform(0.5, 0.62),
            rng.uniform(0.3, 0.8),
        )
        y = deep - 0.02
        tones = [rng.uniform(0.2, 1.3, 3).tolist(), [1.5, 1.6, 1.7]]
        for edge, colour in zip((1.12, 1.0), tones, strict=True):
            wide_edge, tall_edge = half * edge, half * edge * rng.uniform(0.8, 1.3)
            plate = [
                [x - wide_edge, y, z - tall_edge],
                [x + wide_edge, y, z - tall_edge],
                [x + wide_edge, y, z + tall_edge],
                [x - wide_edge, y, z + tall_edge],
            ]
            look = Look(texture("cloth"), (2.0, 2.0), (colour[0], colour[1], colour[2]))
            faces.append(flat_face(np.array(plate), look))
            y -= 0.01
    kept = [face for face in faces if face is not None]
    back = Model()
    back.add(kept)
    return Piece(flatten(back))


def furniture(rng: np.random.Generator, at: tuple[float, float]) -> Piece:
    """A table, a chair, a shelf or a sofa."""
    red, green, blue = rng.uniform(0.35, 1.2, 3).tolist()
    wood = Look(texture("floor" if rng.random() < 0.6 else "cloth"), (1.5, 1.5), (red, green, blue))
    model = Model()
    wide, deep, tall = (
        float(rng.uniform(0.25, 0.9)),
        float(rng.uniform(0.25, 0.6)),
        float(rng.uniform(0.4, 0.9)),
    )
    style = int(rng.integers(3))
    if style == 0:
        for x in (-0.9, 0.9):
            for y in (-0.9, 0.9):
                model.add(prism((x * wide, y * deep, 0), (0.04, 0.04), tall, wood))
        model.add(prism((0, 0, tall), (wide, deep), 0.06, wood))
        if rng.random() < 0.6:
            vase = [(0.06, 0.0), (0.12, 0.1), (0.1, 0.2), (0.05, 0.26), (0.08, 0.32)]
            model.add(
                turned(
                    (0, 0, tall + 0.06),
                    vase,
                    Look(texture("cloth"), (1.0, 1.0), (blue, red, green)),
                    sides=12,
                )
            )
    elif style == 1:
        model.add(prism((0, 0, 0), (wide, deep), tall * 0.5, wood))
        model.add(prism((0, deep * 0.75, tall * 0.5), (wide, deep * 0.25), tall * 0.6, wood))
    else:
        for level in range(4):
            model.add(prism((0, 0, level * tall * 0.5), (wide, 0.2), 0.05, wood))
            if level < 3:
                model.add(
                    prism(
                        (0, 0.1, level * tall * 0.5 + 0.05),
                        (wide * 0.8, 0.08),
                        tall * 0.45,
                        Look(texture("paving"), (0.2, 0.3), (green, blue, red)),
                    )
                )
    return Piece(
        flatten(model),
        (at[0], at[1], 0.0),
        float(rng.choice([0.0, np.pi / 2, rng.uniform(-0.5, 0.5)])),
    )


def thing(rng: np.random.Generator, at: tuple[float, float], size: float) -> Piece:
    """A plain solid of a still life: a cone, a ball, a block, a bottle, a bowl."""
    red, green, blue = rng.uniform(0.2, 1.4, 3).tolist()
    names = ("cloth", "cloth", "bark", "paving", "floor")
    wear = Look(texture(names[int(rng.integers(5))]), (size, size), (red, green, blue))
    model = Model()
    style = int(rng.integers(5))
    if style == 0:
        model.add(
            turned(
                (0, 0, 0),
                [(size * 0.4, 0.0), (size, size * 0.7), (size * 0.9, size * 1.2)],
                wear,
                sides=18,
            )
        )
        model.add(turned((0, 0, size * 1.2), dome_profile(size * 0.9, size * 0.6), wear, sides=18))
    elif style == 1:
        tall = size * float(rng.uniform(0.6, 2.6))
        model.add(prism((0, 0, 0), (size * 0.7, size * float(rng.uniform(0.4, 0.8))), tall, wear))
    elif style == 2:
        model.add(prism((0, 0, 0), (size * 0.8, size * 0.8), size * 2, wear, top=(0, 0), sides=18))
    elif style == 3:
        profile = [(0.5, 0.0), (0.55, 1.2), (0.2, 1.7), (0.18, 2.3), (0.22, 2.35)]
        model.add(turned((0, 0, 0), [(r * size, h * size) for r, h in profile], wear, sides=16))
    else:
        sides, share = int(rng.integers(3, 8)), float(rng.uniform(0.5, 1.2))
        model.add(
            prism((0, 0, 0), (size * 0.7, size * 0.7), size, wear, sides=sides, top=(share, share))
        )
    return Piece(flatten(model), (at[0], at[1], 0.0), float(rng.uniform(-1.5, 1.5)))
