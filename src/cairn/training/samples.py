"""Some images as training varies them, for people to look at."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.settings import AugmentSettings
from cairn.images.store import ImageStore
from cairn.training.input import TrainImages
from cairn.training.keys import image_keys, key_of, purpose, scattered
from cairn.training.viewing import view

# Everything off: the whole image, squashed to the square.
AS_IT_IS = {
    "area": (1.0, 1.0), "aspect": (1.0, 1.0), "rotation_deg": 0, "shear_deg": 0, "zoom": 0, "mirror": False,
    "blur_chance": 0, "brightness": 0, "contrast": 0, "saturation": 0, "jpeg_chance": 0, "erase_chance": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Varied:
    """An image and how training varies it.

    views: uint8 [1 + V, S, S, 3]: the whole image squashed to the square, then as the epochs 0, 1, … see it.
    """

    image_id: str
    views: npt.NDArray[np.uint8]


def augmented_samples(
    images: TrainImages,
    store: ImageStore,
    settings: AugmentSettings,
    seed: int,
    n: int,
    *,
    n_views: int = 4,
) -> list[Varied]:
    """`n` of the images, or all where there are fewer, chosen by lot and each varied as in its first `n_views` epochs.

    The same seed chooses the same images whatever else there is; they are the pixels that a training with that seed
    sees, at the side that `settings` names.
    Raises InputError where an image cannot be read.
    """
    lots = scattered(image_keys(images.image_ids) ^ purpose("samples", seed))
    plain = as_it_is(settings)
    chosen = []
    for row in np.argsort(lots, kind="stable")[:n].tolist():
        image_id, content = images.image_ids[row], store.read(images.paths[row])
        keys = [key_of(image_id, seed=seed, epoch=epoch) for epoch in range(n_views)]
        views = [
            view(content, 0, plain),
            *(view(content, key, settings) for key in keys),
        ]
        chosen.append(Varied(image_id, np.stack(views)))
    return chosen


def as_it_is(settings: AugmentSettings) -> AugmentSettings:
    """The same side, and nothing else done to the image."""
    return AugmentSettings.model_validate({**settings.model_dump(), **AS_IT_IS})
