"""The photos that are looked for in tars: each is taken once, by its id."""

import numpy as np
import numpy.typing as npt

from cairn.stages.gld.id_table import Numbers
from cairn.stages.gld.part_rows import PartRows


class Sought:
    """Those rows of a part whose photos are to be kept and are not settled yet; `wanted` is [N]."""

    def __init__(self, rows: PartRows, wanted: npt.NDArray[np.bool_]) -> None:
        self._rows, self._is_sought = rows, wanted.copy()

    def __len__(self) -> int:
        return int(np.count_nonzero(self._is_sought))

    def __contains__(self, image_id: str) -> bool:
        position = self._rows.position_of(image_id)
        return position is not None and bool(self._is_sought[position])

    def take(self, image_id: str) -> int | None:
        """The position of the row of a photo, which is not looked for any more; None where it was not."""
        position = self._rows.position_of(image_id)
        if position is None or not self._is_sought[position]:
            return None
        self._is_sought[position] = False
        return position

    def count_among(self, numbers: Numbers) -> int:
        """How many of the photos with these numbers of ids are looked for."""
        positions = self._rows.positions_of(numbers)
        return int(np.count_nonzero(self._is_sought[positions[positions >= 0]]))
