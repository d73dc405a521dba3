"""Where the camera stands, and what else stands around and before it."""

import numpy as np

from cairn.images.render.props import car, house, person, post, tree
from cairn.images.render.raster import Piece, View, look_at
from cairn.images.render.shading import Ground, Shine
from cairn.images.render.stock import texture

_FLOORS = ("paving", "setts", "gravel", "grass", "asphalt")


def viewpoint(
    rng: np.random.Generator, radius: float, height: float, size: tuple[int, int]
) -> View:
    """A camera somewhere in front of the middle, so far away that the landmark fills much of the frame."""
    wide, high = size
    field = np.tan(rng.uniform(0.22, 0.44))
    scale = max(wide, high) / 2 / field
    fill = float(rng.uniform(0.62, 1.2))
    need = max(radius * 0.95 * scale / (wide / 2), height * 0.56 * scale / (high / 2)) / fill
    turn = float(np.clip(rng.normal(0, 0.55), -1.1, 1.1))
    distance = max(need, radius * 1.25 + 3)
    lift = 1.7 if rng.random() < 0.6 else float(rng.uniform(0.03, 0.36)) * distance
    eye = np.array([np.sin(turn) * distance, -np.cos(turn) * distance, lift])
    jitter = rng.normal(0, 0.09, 2) * max(radius, height * 0.5) / fill
    target = np.array([jitter[0], 0.0, max(height * 0.47 + jitter[1], 1.0)])
    return View(eye, look_at(eye, target, roll=float(rng.normal(0, 0.028))), scale, size)


def surroundings(
    rng: np.random.Generator,
    view: View,
    shine: Shine,
    radius: float,
    taken: list[tuple[float, float, float]],
) -> list[Piece]:
    """Houses and trees behind and beside what stands already.

    taken: x, y and radius (m) of each place that is not free.
    """
    pieces: list[Piece] = []
    taken = list(taken)
    style = int(rng.integers(4))
    ahead = float(np.arctan2(-view.eye[1], -view.eye[0]))
    n_houses, n_trees = (
        (int(rng.integers(5, 12)), 2),
        (2, int(rng.integers(6, 14))),
        (5, 6),
        (0, 2),
    )[style]
    for i in range(n_houses + n_trees):
        is_house = i < n_houses
        turn = ahead + float(rng.uniform(-1.35, 1.35))
        reach = radius * float(rng.uniform(1.15, 1.9)) + (9 if is_house else 3) + 2.0 * i
        x, y = float(np.cos(turn) * reach), float(np.sin(turn) * reach)
        own = 10.0 if is_house else 3.0
        if all(np.hypot(x - a, y - b) > own + r for a, b, r in taken):
            taken.append((x, y, own))
            if is_house:
                pieces.append(house(rng, (x, y), turn - np.pi / 2 + float(rng.normal(0, 0.2))))
            else:
                pieces.append(tree(rng, (x, y), view.eye, shine.sun, float(rng.uniform(5, 11))))
    return pieces


def occluders(rng: np.random.Generator, view: View, shine: Shine, radius: float) -> list[Piece]:
    """People, trees, posts and cars between the camera and the middle; often none, sometimes many."""
    pieces: list[Piece] = []
    distance = float(np.hypot(view.eye[0], view.eye[1]))
    forward = -view.eye[:2] / distance
    right = np.array([forward[1], -forward[0]])
    frame = view.size[0] / 2 / view.scale

    def between(near: float, far: float, spread: float) -> tuple[float, float]:
        ahead = float(rng.uniform(near, far)) * max(distance - radius * 1.05, 3.0)
        x, y = view.eye[:2] + forward * ahead + right * rng.uniform(-1, 1) * frame * ahead * spread
        return float(x), float(y)

    for _ in range(int(rng.choice([0, 2, 4, 9], p=[0.3, 0.3, 0.25, 0.15]))):
        x, y = between(0.25, 1.0, 1.0)
        pieces.append(person(rng, (x, y, 0.0), view.eye, shine.sun))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.55, 0.3, 0.15]))):
        x, y = between(0.3, 0.95, 1.0)
        pieces.append(tree(rng, (x, y), view.eye, shine.sun, float(rng.uniform(3, 9))))
    for _ in range(int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))):
        pieces.append(post(rng, between(0.2, 0.8, 0.9), float(rng.uniform(3, 6))))
    for _ in range(int(rng.choice([0, 1, 3], p=[0.65, 0.2, 0.15]))):
        pieces.append(car(rng, between(0.4, 1.0, 1.0), float(rng.normal(0, 0.3))))
    return pieces


def floors(rng: np.random.Generator, radius: float) -> Ground:
    """A floor around the middle and another beyond."""
    near, far = str(rng.choice(_FLOORS)), str(rng.choice(_FLOORS))
    reach = radius * float(rng.uniform(1.2, 2.5))
    return Ground(
        texture(near), float(rng.uniform(2, 5)), texture(far), float(rng.uniform(3, 6)), reach
    )
