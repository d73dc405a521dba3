import math

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cairn.algorithms.lanczos import shrunk
from tests.make import pixels


def by_hand(line: npt.NDArray[np.float64], n_out: int, extent: float) -> npt.NDArray[np.float64]:
    """A line [N, 3] shrunk by loops over the formula."""
    scale, shrunk_line = extent / n_out, np.zeros((n_out, 3))
    for out in range(n_out):
        total = 0.0
        for place in range(len(line)):
            x = (place + 0.5) / scale - (out + 0.5)
            if abs(x) < 3:
                weight = 1.0 if x == 0 else 3 * math.sin(math.pi * x) * math.sin(math.pi * x / 3) / (math.pi * x) ** 2  # fmt: skip
                shrunk_line[out] += weight * line[place]
                total += weight
        shrunk_line[out] /= total
    return shrunk_line


@pytest.mark.parametrize(
    ("size", "to", "extent"),
    [((40, 30), (17, 13), None), ((40, 30), (40, 30), None), ((11, 9), (1, 1), None), ((1, 50), (1, 7), None), ((41, 26), (16, 10), (40.25, 25.5))],
)  # fmt: skip
def test_an_image_is_shrunk_as_the_formula_says(
    size: tuple[int, int], to: tuple[int, int], extent: tuple[float, float] | None
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    wide, high = extent or size
    rows = np.stack([by_hand(image[:, i].astype(float), to[1], high) for i in range(size[0])], 1)
    both = np.stack([by_hand(row, to[0], wide) for row in rows])
    made = shrunk(image, size_px=to, extent_px=extent)
    assert made.dtype == np.uint8
    np.testing.assert_allclose(made, both.clip(0, 255), atol=0.51)


def test_it_looks_as_pillows_does() -> None:
    image = pixels(3, height=300, width=400)
    theirs = np.asarray(Image.fromarray(image).resize((256, 192), Image.Resampling.LANCZOS))
    apart = np.abs(shrunk(image, size_px=(256, 192)).astype(int) - theirs)
    assert apart.max() <= 2
    assert apart.mean() < 0.3


def test_an_even_image_stays_even_and_a_strong_edge_stays_within_a_byte() -> None:
    even = np.full((90, 70, 3), 201, dtype=np.uint8)
    assert (shrunk(even, size_px=(31, 40)) == 201).all()
    even[:, 35:] = 0
    edge = shrunk(even, size_px=(31, 40))
    assert edge[:, :12].min() > 180
    assert edge[:, 20:].max() < 20


def test_pixels_that_do_not_lie_in_a_row_are_taken_too() -> None:
    image = pixels(5, height=60, width=80)
    turned = image.transpose(1, 0, 2)
    np.testing.assert_array_equal(
        shrunk(turned, size_px=(20, 30)), shrunk(turned.copy(), size_px=(20, 30))
    )
