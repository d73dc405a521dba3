"""Invented landmarks: a name, a place and a building, all from a world's name and a number."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cairn.base.errors import InputError
from cairn.images.render.buildings import KINDS
from cairn.images.render.raster import Mesh, flatten
from cairn.images.render.textures import Atlas, make_atlas
from cairn.images.render.wardrobe import dress

# A world is the first number of every seed in it, so no two worlds ever draw the same random numbers.
WORLDS = {"demo": 1, "training": 2, "test": 3}

# fmt: off
_STARTS = (
    "Val", "Mor", "Ast", "Bel", "Cor", "Dra", "El", "Fen", "Gal", "Hal", "Ist", "Jor", "Kel", "Lun",
    "Mir", "Nor", "Or", "Pel", "Quen", "Ros", "Sel", "Tor", "Ul", "Ver", "Wen", "Yar", "Zan",
)
# fmt: on
_MIDDLES = ("", "", "a", "e", "i", "o", "en", "or")
_ENDS = (
    "dor",
    "mere",
    "wick",
    "stead",
    "gard",
    "lin",
    "mont",
    "ria",
    "vale",
    "haven",
    "burg",
    "ston",
    "mar",
    "nova",
)


@dataclass(frozen=True)
class Landmark:
    """A landmark that stands nowhere: what it is called, where it would be, and the numbers it is made from."""

    landmark_id: str
    name: str
    latitude: float
    longitude: float
    world: str
    number: int


@dataclass(frozen=True)
class Building:
    """A landmark's faces, the atlas of textures they wear, and the radius (m) and height (m) of the whole."""

    mesh: Mesh
    atlas: Atlas
    middle: tuple[float, float]
    radius: float
    height: float


def world_rng(world: str, *numbers: int) -> np.random.Generator:
    """Random numbers that belong to one world and one purpose.

    Raises InputError if there is no such world.
    """
    if world not in WORLDS:
        raise InputError(
            f"there is no world {world!r}; expected one of {', '.join(WORLDS)}; use one of these names"
        )
    return np.random.default_rng([WORLDS[world], *numbers])


def invent_landmarks(n_landmarks: int, *, world: str, seed: int = 0) -> list[Landmark]:
    """So many landmarks of a world, all with different ids; a longer list begins with the shorter one."""
    landmarks: list[Landmark] = []
    taken: set[str] = set()
    number = seed * 1_000_000
    while len(landmarks) < n_landmarks:
        landmark = _invent(world, number)
        number += 1
        if landmark.landmark_id not in taken:
            taken.add(landmark.landmark_id)
            landmarks.append(landmark)
    return landmarks


def _invent(world: str, number: int) -> Landmark:
    rng = world_rng(world, 10, number)
    titles, _ = KINDS[_kind(world, number)]
    place = str(rng.choice(_STARTS)) + str(rng.choice(_MIDDLES)) + str(rng.choice(_ENDS))
    title = str(rng.choice(titles))
    name = f"{title} of {place}" if rng.random() < 0.6 else f"{place} {title}"
    landmark_id = name.lower().replace(" ", "_")
    if world != "demo":
        landmark_id = f"{world}_{number}_{landmark_id}"
    latitude, longitude = (
        round(float(rng.uniform(-55, 65)), 5),
        round(float(rng.uniform(-179, 179)), 5),
    )
    return Landmark(landmark_id, name, latitude, longitude, world, number)


def _kind(world: str, number: int) -> str:
    return str(world_rng(world, 11, number).choice(list(KINDS)))


@lru_cache(maxsize=64)
def build(landmark: Landmark) -> Building:
    """The landmark itself, always the same for the same world and number."""
    rng = world_rng(landmark.world, 12, landmark.number)
    wear = dress(rng)
    _, make = KINDS[_kind(landmark.world, landmark.number)]
    model = make(rng, wear)
    low, high = model.bounds()
    middle = (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
    radius = float(np.hypot(high[0] - low[0], high[1] - low[1])) / 2
    return Building(flatten(model), make_atlas(wear.tiles), middle, radius, float(high[2]))
