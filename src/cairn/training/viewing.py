"""An image as the network sees it once: decoded no larger than its cut needs, then varied."""

from dataclasses import replace

from cairn.base.settings import AugmentSettings
from cairn.images.pixels import Limits, Upright, upright
from cairn.training.augmenting import Augmentation, Pixels, apply, decide, draw, enough_share
from cairn.training.keys import generator_of

# Another number for each change in the code that lets the network see other pixels under the same key and settings.
WAY = 2


def view(content: bytes, key: int, settings: AugmentSettings) -> Pixels:
    """The image that a file holds, uint8 [settings.side_px, settings.side_px, 3], augmented as `key` says.

    Raises InputError where it is no image, see `images.pixels.decode`.
    """
    lots = draw(generator_of(key))
    seen = upright(
        content, limits=Limits(), enough=lambda size_px: enough_share(size_px, settings, lots)
    )
    return apply(seen.image, _as_decoded(decide(seen.full_size_px, settings, lots), seen))


def _as_decoded(augmentation: Augmentation, seen: Upright) -> Augmentation:
    """The same for an image that was decoded at a fraction of its size."""
    if seen.extent_px == seen.full_size_px:
        return augmentation
    across, along = (
        part / whole for part, whole in zip(seen.extent_px, seen.full_size_px, strict=True)
    )
    left, top, right, bottom = augmentation.box
    width, height = seen.image.size
    box = (left * across, top * along, min(right * across, width), min(bottom * along, height))
    return replace(augmentation, box=box)
