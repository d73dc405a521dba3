"""The kinds of landmark there are, with the titles their names begin with."""

from collections.abc import Callable

import numpy as np

from cairn.images.render.halls import church, house, mosque, palace, rotunda, temple
from cairn.images.render.shapes import Model
from cairn.images.render.textures import Tile
from cairn.images.render.towers import campanile, lighthouse, monument, skyscraper, trestle
from cairn.images.render.walls import aqueduct, arch, castle, pagoda, ziggurat
from cairn.images.render.wardrobe import Wardrobe, dress

KINDS: dict[str, tuple[tuple[str, ...], Callable[[np.random.Generator, Wardrobe], Model]]] = {
    "church": (("Church", "Abbey", "Cathedral", "Minster"), church),
    "palace": (("Palace", "Museum", "Town Hall", "Parliament"), palace),
    "temple": (("Temple", "Shrine", "Treasury"), temple),
    "arch": (("Gate", "Arch"), arch),
    "campanile": (("Tower", "Belfry", "Campanile"), campanile),
    "castle": (("Castle", "Fort", "Citadel"), castle),
    "mosque": (("Great Mosque", "Mosque"), mosque),
    "pagoda": (("Pagoda",), pagoda),
    "ziggurat": (("Pyramid", "Sanctuary"), ziggurat),
    "monument": (("Monument", "Column", "Obelisk"), monument),
    "skyscraper": (("Skyhouse", "Spire"), skyscraper),
    "trestle": (("Lookout", "Mast"), trestle),
    "rotunda": (("Rotunda", "Mausoleum", "Baptistery"), rotunda),
    "aqueduct": (("Aqueduct", "Arcade"), aqueduct),
    "lighthouse": (("Lighthouse",), lighthouse),
}


def anonymous_house(rng: np.random.Generator) -> tuple[Model, list[Tile]]:
    """A house like many others, for streets and backgrounds."""
    wear = dress(rng)
    return house(rng, wear), wear.tiles
