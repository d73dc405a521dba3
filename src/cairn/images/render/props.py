"""What stands around outdoors: trees, people, lamp posts, cars, houses."""

import numpy as np

from cairn.images.render.raster import Mesh, Piece, flatten
from cairn.images.render.shapes import Floats, Look, Model, prism
from cairn.images.render.stock import N_HOUSES, stock, texture


def house(rng: np.random.Generator, at: tuple[float, float], turn: float) -> Piece:
    """An anonymous house, tinted by chance."""
    mesh, start, _ = stock().houses[int(rng.integers(N_HOUSES))]
    red, green, blue = (1 + rng.normal(0, 0.1) + rng.normal(0, 0.025, 3)).clip(0.7, 1.15).tolist()
    return Piece(mesh, (at[0], at[1], 0.0), turn, start, (red, green, blue))


def _standing(outlines: list[tuple[Floats, Look]], at: Floats, towards: Floats) -> Mesh:
    """Flat shapes [K, 2], upright at a place and turned towards an eye, each a little nearer than the one before."""
    look = np.array([towards[0] - at[0], towards[1] - at[1], 0.0])
    look /= max(float(look @ look) ** 0.5, 1e-6)
    along, n = np.array([-look[1], look[0], 0.0]), len(outlines)
    starts = np.cumsum([0] + [len(flat) for flat, _ in outlines])
    flat = np.concatenate([flat for flat, _ in outlines])
    nearer = np.repeat(np.arange(n) * 0.01, np.diff(starts))
    corners = flat[:, :1] * along + nearer[:, None] * look
    corners[:, 2] += flat[:, 1]
    scale = np.array([1 / wear.tile[0] for _, wear in outlines])[:, None]
    return Mesh(
        corners=corners,
        starts=starts,
        normals=np.tile(look, (n, 1)),
        across=np.column_stack([along * scale, np.arange(n) * 0.37]),
        up=np.column_stack([np.array([0.0, 0.0, 1.0]) * scale, np.zeros(n)]),
        textures=np.array([wear.texture for _, wear in outlines]),
        tints=np.array([wear.tint for _, wear in outlines]),
        solids=np.array([0, n]),
        lows=corners.min(axis=0)[None],
        highs=corners.max(axis=0)[None],
    )


def _leaning(
    at: Floats, towards: Floats, outlines: list[tuple[Floats, Look]], sun: Floats
) -> Piece:
    seen = _standing(outlines, at, towards)
    return Piece(
        seen,
        (float(at[0]), float(at[1]), float(at[2])),
        is_soft=True,
        casts=_standing(outlines, at, at + sun * 1e4),
    )


def _blob(
    rng: np.random.Generator, middle: tuple[float, float], radius: float, wear: Look
) -> tuple[Floats, Look]:
    angles = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    lumps = sum(rng.normal(0, 0.05) * np.sin(angles * n + rng.uniform(0, 6)) for n in (2, 3, 5, 7))
    reach = radius * (1 + lumps + rng.normal(0, 0.05, 36))
    return np.stack(
        [middle[0] + np.cos(angles) * reach, middle[1] + np.sin(angles) * reach], axis=1
    ), wear


def tree(
    rng: np.random.Generator, at: tuple[float, float], eye: Floats, sun: Floats, height: float
) -> Piece:
    """A broad, a slim or a conical tree, painted as leaves that face the eye and darken towards the ground."""
    style = int(rng.integers(3))
    name = "leaves" if rng.random() < 0.85 else "blossom"
    hue = 1 + rng.normal(0, 0.12, 3)
    trunk = height * 0.022
    stem = np.array(
        [[-trunk, 0], [trunk, 0], [trunk * 0.6, height * 0.6], [-trunk * 0.6, height * 0.6]]
    )
    shapes = [(stem, Look(texture("bark"), (1.0, 1.0)))]
    n_blobs = 11 if style == 0 else 9
    for i in range(n_blobs):
        share = i / (n_blobs - 1)
        if style == 0:
            x, z, radius = (
                rng.normal(0, 0.17),
                0.45 + 0.38 * share + rng.normal(0, 0.04),
                0.19 * (1.15 - 0.4 * share),
            )
        elif style == 1:
            x, z, radius = (
                rng.normal(0, 0.02),
                0.2 + 0.68 * share,
                0.12 * (1.1 - 0.6 * abs(share - 0.4)),
            )
        else:
            x, z, radius = rng.normal(0, 0.03), 0.2 + 0.72 * share, 0.22 * (1.12 - share)
        tone = (0.62 + 0.5 * share) * hue * (1 + rng.normal(0, 0.06))
        red, green, blue = tone.tolist()
        wear = Look(texture(name), (max(height * 0.22, 0.8), 0.0), (red, green, blue))
        shapes.append(_blob(rng, (x * height, z * height), radius * height, wear))
    return _leaning(np.array([at[0], at[1], 0.0]), eye, shapes, sun)


def person(
    rng: np.random.Generator, at: tuple[float, float, float], eye: Floats, sun: Floats
) -> Piece:
    """Someone in plain clothes: legs, coat, arms, head and hair."""
    tall = rng.uniform(1.55, 1.9)
    cloth = texture("cloth")
    tones = rng.uniform(0.15, 1.1, (2, 1)) * (1 + rng.normal(0, 0.3, (2, 3))).clip(0.3, 1.7)
    skin = np.array(
        [[1.35, 1.05, 0.88], [1.0, 0.75, 0.58], [0.62, 0.45, 0.36]][int(rng.integers(3))]
    )
    hair = np.array(
        [[0.3, 0.22, 0.16], [0.14, 0.13, 0.13], [0.85, 0.7, 0.45], [0.8, 0.8, 0.8]][
            int(rng.integers(4))
        ]
    )
    stride = rng.uniform(0.02, 0.1)
    parts = [
        (
            np.array(
                [
                    [-0.05 - stride, 0],
                    [0.02 - stride, 0],
                    [0.0, 0.5],
                    [0.1, 0.5],
                    [0.03 + stride, 0],
                    [0.1 + stride, 0],
                    [0.11, 0.52],
                    [-0.1, 0.52],
                ]
            ),
            tones[1],
        ),
        (
            np.array(
                [
                    [-0.11, 0.46],
                    [0.11, 0.46],
                    [0.14, 0.78],
                    [0.05, 0.84],
                    [-0.05, 0.84],
                    [-0.14, 0.78],
                ]
            ),
            tones[0],
        ),
        (np.array([[-0.17, 0.48], [-0.13, 0.47], [-0.1, 0.78], [-0.14, 0.78]]), tones[0] * 0.8),
        (np.array([[0.13, 0.47], [0.17, 0.48], [0.14, 0.78], [0.1, 0.78]]), tones[0] * 0.8),
    ]
    ring = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    head = np.stack([np.cos(ring) * 0.058, 0.915 + np.sin(ring) * 0.075], axis=1)
    parts += [(head, skin), (head[:8] * [1.08, 1.0] + [0, 0.012], hair)]
    shapes = []
    for shape, tone in parts:
        red, green, blue = tone.tolist()
        shapes.append((shape * tall, Look(cloth, (1.0, 0.0), (red, green, blue))))
    return _leaning(np.array(at), eye, shapes, sun)


def post(rng: np.random.Generator, at: tuple[float, float], height: float) -> Piece:
    """A lamp post or a sign on a pole."""
    model = Model()
    tone = float(rng.uniform(0.25, 0.6))
    wear = Look(texture("cloth"), (3.0, 3.0), (tone, tone, tone * 1.05))
    model.add(prism((0, 0, 0), (0.09, 0.09), height, wear, sides=6, top=(0.7, 0.7)))
    if rng.random() < 0.5:
        model.add(
            prism(
                (0, 0, height),
                (0.28, 0.28),
                0.5,
                Look(wear.texture, wear.tile, (1.2, 1.1, 0.9)),
                sides=6,
            )
        )
    else:
        red, green, blue = rng.uniform(0.3, 1.3, 3).tolist()
        sign = Look(wear.texture, wear.tile, (red, green, blue))
        model.add(prism((0, 0, height), (0.6, 0.05), 0.9, sign))
    return Piece(flatten(model), (at[0], at[1], 0.0))


def car(rng: np.random.Generator, at: tuple[float, float], turn: float) -> Piece:
    """A car, van or bus of a plain colour."""
    red, green, blue = (
        rng.uniform(0.2, 1.2) * (1 + rng.normal(0, 0.25, 3)).clip(0.4, 1.6)
    ).tolist()
    paint, dark = (
        Look(texture("cloth"), (4.0, 4.0), (red, green, blue)),
        Look(texture("cloth"), (4.0, 4.0), (0.2,) * 3),
    )
    long, tall = (2.1, 0.75) if rng.random() < 0.75 else (3.6, 1.6)
    model = Model()
    for x in (-0.6, 0.6):
        model.add(prism((x * long, 0, 0), (0.32, 0.86), 0.3, dark, sides=8))
    model.add(prism((0, 0, 0.3), (long, 0.9), tall, paint))
    glass = Look(texture("cloth"), (4.0, 4.0), (0.36, 0.42, 0.48))
    model.add(
        prism(
            (0.1 * long, 0, 0.3 + tall),
            (long * 0.6, 0.82),
            0.55,
            glass,
            top=(0.75, 0.85),
            lid=paint,
        )
    )
    return Piece(flatten(model), (at[0], at[1], 0.0), turn)
