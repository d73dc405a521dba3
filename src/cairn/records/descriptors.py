"""Descriptors: one float vector an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cairn.base.checks import require_vectors
from cairn.base.errors import InputError


@dataclass(frozen=True)
class Descriptors:
    """`vectors` [N, D] float32, row i of `image_ids[i]`; `source` names how they were made."""

    image_ids: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    source: str

    def __post_init__(self) -> None:
        require_vectors(self.vectors, what="descriptors")
        if len(self.image_ids) != len(self.vectors):
            raise InputError(
                f"{len(self.image_ids)} image ids came with {len(self.vectors)} descriptors; one each "
                "was expected; make the descriptors again"
            )

    @property
    def width(self) -> int:
        """The number of numbers in one descriptor."""
        return int(self.vectors.shape[1])

    def take(self, image_ids: Sequence[str]) -> "Descriptors":
        """The descriptors of `image_ids`, in that order.

        Raises InputError where one of them has no descriptor.
        """
        row_of = {image_id: row for row, image_id in enumerate(self.image_ids)}
        missing = [image_id for image_id in image_ids if image_id not in row_of]
        if missing:
            raise InputError(
                f"{len(missing)} of {len(image_ids)} images have no descriptor (first: {missing[0]}); "
                "one each was expected; make the descriptors again"
            )
        rows = [row_of[image_id] for image_id in image_ids]
        return Descriptors(tuple(image_ids), self.vectors[rows], self.source)
