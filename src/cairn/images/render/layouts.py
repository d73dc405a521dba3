"""Scenes without a landmark: streets, squares, trees, people, rooms, things on a table."""

import numpy as np

from cairn.images.render.interiors import furniture, room, thing
from cairn.images.render.props import car, house, person, tree
from cairn.images.render.raster import Piece, View, look_at
from cairn.images.render.shading import Ground, Shine
from cairn.images.render.staging import floors, occluders, viewpoint
from cairn.images.render.stock import texture


def _street(
    rng: np.random.Generator, size: tuple[int, int], shine: Shine
) -> tuple[list[Piece], View, Ground]:
    eye = np.array([rng.uniform(-4, 4), -22.0, rng.uniform(1.5, 6)])
    view = View(
        eye,
        look_at(
            eye, np.array([rng.uniform(-6, 6), 30, rng.uniform(3, 9)]), roll=rng.normal(0, 0.03)
        ),
        max(size) / 2 / np.tan(rng.uniform(0.4, 0.6)),
        size,
    )
    half = float(rng.uniform(7, 11))
    pieces = [
        house(rng, (side * (half + 6), -8.0 + 17.5 * i), side * np.pi / 2)
        for side in (-1, 1)
        for i in range(5)
    ]
    pieces += [
        tree(
            rng,
            (float(side * half * 0.9), float(rng.uniform(-8, 50))),
            view.eye,
            shine.sun,
            float(rng.uniform(4, 8)),
        )
        for side in (-1, 1)
        for _ in range(int(rng.integers(0, 4)))
    ]
    pieces += [
        car(rng, (float(rng.uniform(-3, 3)), float(rng.uniform(-4, 40))), np.pi / 2)
        for _ in range(int(rng.integers(0, 4)))
    ]
    pieces += [
        person(
            rng, (float(rng.uniform(-6, 6)), float(rng.uniform(-12, 30)), 0.0), view.eye, shine.sun
        )
        for _ in range(int(rng.integers(0, 7)))
    ]
    return pieces, view, Ground(texture("asphalt"), 4.0, texture("setts"), 4.0, 400.0)


def _square(
    rng: np.random.Generator, size: tuple[int, int], shine: Shine
) -> tuple[list[Piece], View, Ground]:
    view = viewpoint(rng, float(rng.uniform(10, 18)), float(rng.uniform(10, 16)), size)
    turn, step = float(rng.normal(0, 0.35)), float(rng.uniform(15.5, 19))
    along = np.array([np.cos(turn), np.sin(turn)])
    n_houses = int(rng.integers(1, 4))
    pieces = [
        house(rng, (float(along[0] * step * i), float(along[1] * step * i)), turn)
        for i in range(-n_houses // 2, n_houses // 2 + 1)
    ]
    return pieces + occluders(rng, view, shine, 9.0), view, floors(rng, 15.0)


def _trees(
    rng: np.random.Generator, size: tuple[int, int], shine: Shine
) -> tuple[list[Piece], View, Ground]:
    view = viewpoint(rng, 10.0, float(rng.uniform(7, 12)), size)
    spots = rng.uniform(-22, 22, (int(rng.integers(4, 20)), 2)) * [1, 0.6]
    pieces = [
        tree(rng, (float(x), float(y)), view.eye, shine.sun, float(rng.uniform(4, 13)))
        for x, y in spots
    ]
    return pieces + occluders(rng, view, shine, 12.0), view, floors(rng, 20.0)


def _people(
    rng: np.random.Generator, size: tuple[int, int], shine: Shine
) -> tuple[list[Piece], View, Ground]:
    distance = float(rng.uniform(2.2, 6))
    eye = np.array([0.0, -distance, rng.uniform(1.3, 1.9)])
    target = np.array([rng.normal(0, 0.2), 0.0, rng.uniform(0.9, 1.5)])
    view = View(
        eye,
        look_at(eye, target, roll=rng.normal(0, 0.03)),
        max(size) / 2 / np.tan(rng.uniform(0.3, 0.5)),
        size,
    )
    count = int(rng.integers(1, 7))
    pieces = [
        person(
            rng,
            (float((i - count / 2) * 0.7 + rng.normal(0, 0.2)), float(rng.uniform(-0.4, 2.5)), 0.0),
            view.eye,
            shine.sun,
        )
        for i in range(count)
    ]
    pieces += [
        tree(
            rng, (float(rng.uniform(-20, 20)), float(rng.uniform(10, 30))), view.eye, shine.sun, 8.0
        )
        for _ in range(int(rng.integers(0, 7)))
    ]
    pieces += [
        house(rng, (float(x), float(rng.uniform(22, 40))), float(rng.normal(0, 0.2)))
        for x in np.arange(-1, 2) * 20
        if rng.random() < 0.5
    ]
    return pieces, view, floors(rng, 20.0)


def _room(
    rng: np.random.Generator, size: tuple[int, int], shine: Shine
) -> tuple[list[Piece], View, Ground]:
    eye = np.array([rng.uniform(-1.4, 1.4), -3.5, rng.uniform(1.2, 1.9)])
    view = View(
        eye,
        look_at(
            eye, np.array([rng.uniform(-1, 1), 3, rng.uniform(0.8, 1.5)]), roll=rng.normal(0, 0.02)
        ),
        max(size) / 2 / np.tan(rng.uniform(0.5, 0.65)),
        size,
    )
    pieces = [room(rng)]
    pieces += [
        furniture(rng, (float(rng.uniform(-2, 2)), float(rng.uniform(-1, 2.6)))) for _ in range(5)
    ]
    if rng.random() < 0.35:
        pieces.append(person(rng, (float(rng.uniform(-1.5, 1.5)), 0.0, 0.0), view.eye, shine.sun))
    floor = texture(str(rng.choice(["floor", "cloth", "paving"])))
    return pieces, view, Ground(floor, 1.8, floor, 1.8, 100.0)


def _still_life(
    rng: np.random.Generator, size: tuple[int, int], _shine: Shine
) -> tuple[list[Piece], View, Ground]:
    eye = np.array([rng.uniform(-1, 1), -4.0, rng.uniform(0.7, 2.6)])
    view = View(
        eye,
        look_at(eye, np.array([0.0, 0.0, 0.6]), roll=rng.normal(0, 0.05)),
        min(size) / 2 / np.tan(rng.uniform(0.3, 0.42)),
        size,
    )
    pieces = [
        thing(
            rng,
            (float((i - 2) * 0.65 + rng.normal(0, 0.1)), float(rng.uniform(-0.6, 0.9))),
            rng.uniform(0.2, 0.5),
        )
        for i in range(int(rng.integers(2, 6)))
    ]
    floor = texture(str(rng.choice(["floor", "cloth", "paving", "bark"])))
    return pieces, view, Ground(floor, float(rng.uniform(0.8, 2.0)), floor, 1.5, 100.0)


LAYOUTS = {
    "street": _street,
    "square": _square,
    "trees": _trees,
    "people": _people,
    "room": _room,
    "still life": _still_life,
}
