"""What every scene may use: common textures, anonymous houses, and the atlas they lie in."""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from cairn.images.render.buildings import anonymous_house
from cairn.images.render.raster import Mesh, flatten
from cairn.images.render.textures import ATLAS_STRIDE, COMMON, Atlas, Tile, make_atlas

_NUMBERS = {name: i for i, name in enumerate(COMMON)}


N_HOUSES = 24


class Stock(NamedTuple):
    """What every scene may use: common tiles first, then houses with where their tiles begin."""

    tiles: list[Tile]
    houses: list[tuple[Mesh, int, float]]


@lru_cache(maxsize=1)
def stock() -> Stock:
    """Common textures and anonymous houses, made once."""
    rng = np.random.default_rng(20240)
    tiles = [COMMON[name](rng) for name in COMMON]
    houses: list[tuple[Mesh, int, float]] = []
    for _ in range(N_HOUSES):
        model, own = anonymous_house(rng)
        low, high = model.bounds()
        mesh = flatten(model)
        worn, numbers = np.unique(mesh.textures, return_inverse=True)
        houses.append((replace(mesh, textures=numbers), len(tiles), float(high[0] - low[0])))
        tiles += [own[number] for number in worn]
    return Stock(tiles, houses)


def texture(name: str) -> int:
    """The number of a common texture."""
    return _NUMBERS[name]


def scene_atlas(own: list[Atlas]) -> tuple[Atlas, list[int]]:
    """The atlas of a scene, and where each landmark's own tiles begin in it."""
    common = _common_atlas()
    starts = np.cumsum([0, len(common)] + [len(atlas) for atlas in own]) // ATLAS_STRIDE
    return np.concatenate([common, *own]), starts[1:-1].tolist()


@lru_cache(maxsize=1)
def _common_atlas() -> Atlas:
    return make_atlas(stock().tiles)
