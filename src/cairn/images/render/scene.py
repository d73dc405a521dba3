"""Photographs of invented landmarks, and of scenes that show none."""

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.images.render.camera import photograph
from cairn.images.render.landmarks import Building, Landmark, build, world_rng
from cairn.images.render.layouts import LAYOUTS
from cairn.images.render.raster import Piece
from cairn.images.render.shading import Scene, Shine
from cairn.images.render.staging import floors, occluders, surroundings, viewpoint
from cairn.images.render.stock import scene_atlas
from cairn.images.render.weather import WEATHERS, choose_light

Pixels = npt.NDArray[np.uint8]
Place = tuple[tuple[float, float, float], float]


def render_scene(landmarks: list[Landmark], *, seed: int, size: tuple[int, int]) -> Pixels:
    """A photo of one or two landmarks, the main one first: a viewpoint, light, weather and occluders of its own.

    size: width and height (px). The same landmarks, seed and size give the same pixels.
    Raises InputError if there are no landmarks or more than two.
    """
    if not 1 <= len(landmarks) <= 2:
        raise InputError(
            f"a scene has {len(landmarks)} landmarks; expected 1 or 2; name one or two landmarks"
        )
    main = landmarks[0]
    rng = world_rng(main.world, 20, main.number, seed, *(other.number for other in landmarks[1:]))
    buildings = [build(landmark) for landmark in landmarks]
    atlas, starts = scene_atlas([building.atlas for building in buildings])
    places = _places(buildings, rng)
    pieces = [
        Piece(building.mesh, place, turn, start)
        for building, (place, turn), start in zip(buildings, places, starts, strict=True)
    ]
    radius, height = _extent(buildings)
    view = viewpoint(rng, radius, height, size)
    weather, shine = choose_light(rng, distance_m=float(np.linalg.norm(view.eye)))
    taken = [
        (p[0] + b.middle[0], p[1] + b.middle[1], b.radius)
        for b, (p, _) in zip(buildings, places, strict=True)
    ]
    pieces += surroundings(rng, view, shine, radius, taken)
    pieces += occluders(rng, view, shine, radius)
    ground = floors(rng, radius)
    return photograph(Scene(pieces, view, shine, ground, atlas), weather, rng)


def render_distractor(*, world: str, seed: int, size: tuple[int, int]) -> Pixels:
    """A photo that shows no landmark: a street, trees, a room, people, things on a table, a square of houses.

    size: width and height (px). Raises InputError if there is no such world.
    """
    rng = world_rng(world, 30, seed)
    kind = str(rng.choice(list(LAYOUTS)))
    atlas, _ = scene_atlas([])
    weather, shine = choose_light(rng, distance_m=30.0)
    if kind in ("room", "still life"):
        lamp = WEATHERS["overcast"]
        shine = Shine(
            shine.sun,
            np.array([0.5, 0.45, 0.36]),
            np.array([0.62, 0.56, 0.5]),
            np.array([0.4, 0.36, 0.32]),
            np.array(lamp.horizon) * 0.5,
            400.0,
        )
    pieces, view, ground = LAYOUTS[kind](rng, size, shine)
    return photograph(Scene(pieces, view, shine, ground, atlas), weather, rng)


def _places(buildings: list[Building], rng: np.random.Generator) -> list[Place]:
    """Where each landmark stands, with the middle of all at the middle of the world."""
    main = buildings[0]
    if len(buildings) == 1:
        return [((-main.middle[0], -main.middle[1], 0.0), 0.0)]
    other = buildings[1]
    side = float(rng.choice([-1, 1]))
    depth = float(rng.uniform(0.0, 0.4)) * main.radius
    return [
        ((-side * other.radius - main.middle[0], -main.middle[1], 0.0), 0.0),
        ((side * main.radius - other.middle[0], depth - other.middle[1], 0.0), 0.0),
    ]


def _extent(buildings: list[Building]) -> tuple[float, float]:
    return sum(building.radius for building in buildings), max(
        building.height for building in buildings
    )
