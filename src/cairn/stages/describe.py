"""Describe: images become descriptors, in the order asked for, decoding ahead of the network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes
from cairn.base.watching import Advance
from cairn.engines.local import Engine
from cairn.images.pixels import Decoded, Limits, PixelError, decode
from cairn.images.store import ImageStore
from cairn.models.embedder import Embedder


@dataclass(frozen=True)
class KeptImage:
    """An image of the work folder: where it lies, and the digest of the bytes that lie there."""

    image_id: str
    path: str
    digest: str


def describe(
    images: Sequence[KeptImage],
    *,
    store: ImageStore,
    embedder: Embedder,
    engine: Engine,
    advance: Advance,
) -> npt.NDArray[np.float32]:
    """One descriptor for each of `images`, [N, D] in their order.

    Raises InputError where an image has gone, has changed or no longer decodes.
    """

    def pixels_of(image: KeptImage) -> npt.NDArray[np.uint8]:
        return checked_image(image, store).pixels

    vectors = np.empty((len(images), embedder.width), dtype=np.float32)
    done = 0
    for batch in embedder.describe(engine.map(pixels_of, images)):
        vectors[done : done + len(batch)] = batch
        done += len(batch)
        advance(len(batch))
    return vectors


def checked_image(image: KeptImage, store: ImageStore, *, enough_px: int | None = None) -> Decoded:
    """The pixels of an image whose bytes are those that its digest names.

    enough_px: as for `images.pixels.decode`.
    Raises InputError where it has gone, has changed or no longer decodes.
    """
    content = store.read(image.path)
    if digest_bytes(content) != image.digest:
        raise InputError(
            f"{image.path} is not what was imported; an image that nobody changed was expected; remove that "
            "file and import its folder again"
        )
    try:
        return decode(content, limits=Limits(), enough_px=enough_px)
    except PixelError as error:
        raise InputError(
            f"{image.path} no longer decodes: {error.cause}; the image that was imported was expected; "
            "import the photos again"
        ) from error


def chunks(images: Sequence[KeptImage], size: int) -> Iterator[Sequence[KeptImage]]:
    """`images` in runs of at most `size`."""
    for start in range(0, len(images), size):
        yield images[start : start + size]
