"""Drawn photos of invented landmarks, with real descriptors and real points; each drawn once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cairn.algorithms.neighbors import ExactIndex, Neighbors
from cairn.base.errors import InputError
from cairn.base.settings import EMBEDDED_BACKBONE, DescribeSettings
from cairn.base.watching import Silent
from cairn.images.pixels import Decoded
from cairn.images.render import invent_landmarks, render_distractor, render_scene
from cairn.images.seams import seams
from cairn.models.backbones import open_backbone
from cairn.models.embedder import Embedder, open_embedder
from cairn.stages.scrub.known import KnownImages
from cairn.stages.scrub.looks import Looks

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]

N_LANDMARKS, N_PHOTOS, N_NONE = 5, 7, 14
# More candidates than there are images.
ALL = 300
GONE = np.empty((0, 0, 3), np.uint8)
SIZE = (288, 216)


@cache
def embedder() -> Embedder:
    """The backbone that Cairn brings, at one small size."""
    settings = DescribeSettings(backbone=EMBEDDED_BACKBONE, sides_px=(192,))
    return open_embedder(open_backbone(settings, cache=Path(), watch=Silent()), settings)


@cache
def photo(landmark: int, number: int) -> Pixels:
    """A photo of an invented landmark; landmark -1 is a scene that shows none."""
    if landmark < 0:
        return render_distractor(world="demo", seed=number, size=SIZE)
    chosen = invent_landmarks(N_LANDMARKS, world="demo", seed=0)[landmark]
    return render_scene([chosen], seed=number, size=SIZE)


@cache
def vector(landmark: int, number: int) -> Floats:
    """The descriptor of that photo."""
    return embedder().describe_one(photo(landmark, number))


@dataclass(frozen=True)
class Drawn:
    """A small collection: what scrub is told of it, and its pixels."""

    known: KnownImages
    pixels: Sequence[Pixels]

    def looks(self) -> Looks:
        """Real points and real descriptors of these pixels."""
        return Looks(self.decoded, embedder())

    def decoded(self, row: int) -> Decoded:
        """The image of that row; one without pixels cannot be read."""
        pixels = self.pixels[row]
        if not pixels.size:
            raise InputError(f"image {row} has gone; a photo was expected; bring it back")
        return Decoded(pixels, True, "JPEG", (pixels.shape[1], pixels.shape[0]))

    def seams_clear(self) -> Floats:
        """How clear the clearest seam of each image is."""
        clear = [
            max((one.clear for one in seams(image)), default=0.0) if image.size else 0.0
            for image in self.pixels
        ]
        return np.array(clear, np.float32)

    def search(self, vectors: Floats, n: int) -> Neighbors:
        """The nearest of all images."""
        return ExactIndex(self.known.vectors).search(vectors, n_neighbors=n)


def drawn(
    *, moved: Mapping[int, int] | None = None, added: Sequence[tuple[Pixels, int]] = ()
) -> Drawn:
    """N_PHOTOS of each landmark, then N_NONE distractors, then `added` pixels with their landmarks.

    moved: the landmark that the image of a row is said to show, where it shows another.
    """
    shot = [(one, n) for one in range(N_LANDMARKS) for n in range(N_PHOTOS)]
    shot += [(-1, n) for n in range(N_NONE)]
    said = [one for one, _ in shot] + [one for _, one in added]
    for row, landmark in (moved or {}).items():
        said[row] = landmark
    pixels = [photo(*one) for one in shot] + [one for one, _ in added]
    own = [embedder().describe_one(one) for one, _ in added]
    vectors = np.stack([vector(*one) for one in shot] + own)
    return Drawn(known(vectors, said), pixels)


def known(vectors: Floats, said: Sequence[int], copies: Ints | None = None) -> KnownImages:
    """What scrub is told of images that are said to show landmarks, -1 for none."""
    found = ExactIndex(vectors).search(vectors, n_neighbors=len(vectors))
    keep = found.rows != np.arange(len(vectors))[:, None]
    # Images that are quite equal may push each other from the first place, but never out of all.
    shape = (len(vectors), len(vectors) - 1)
    neighbors = Neighbors(found.rows[keep].reshape(shape), found.similarities[keep].reshape(shape))
    return KnownImages(
        tuple(f"i{row:03}" for row in range(len(vectors))),
        tuple(() if one < 0 else (f"landmark_{one}",) for one in said),
        vectors, neighbors, copies if copies is not None else np.empty((0, 2), np.int64),
        {f"landmark_{one}": f"Landmark {one}" for one in range(N_LANDMARKS)},
    )  # fmt: skip
