"""The photos of the download bench: as many as asked for, no two alike, with the statistics of photos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cairn.base.watching import Silent
from cairn.bench.photos import VARIANTS, make_photos, pink_noise, with_grain

SMALL = (160, 120)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    return make_photos(folder, n_photos=VARIANTS + 1, size=SMALL, watch=Silent())


def test_as_many_photos_as_asked_for_and_no_two_alike(photos: list[Path]) -> None:
    assert len(photos) == len({path.read_bytes() for path in photos}) == VARIANTS + 1


def test_a_photo_has_the_size_asked_for(photos: list[Path]) -> None:
    for path in photos:
        with Image.open(path) as photo:
            assert photo.size == SMALL


def test_grain_is_added_until_a_photo_has_the_bytes_wanted() -> None:
    grey = np.full((240, 320, 3), 120, np.float32)
    content = with_grain(grey, wanted_bytes=20_000, rng=np.random.default_rng(0))
    assert len(content) == pytest.approx(20_000, rel=0.02)


def test_photos_that_are_there_are_not_made_again(photos: list[Path]) -> None:
    before = [path.stat().st_mtime_ns for path in photos]
    again = make_photos(photos[0].parent, n_photos=len(photos), size=SMALL, watch=Silent())
    assert [path.stat().st_mtime_ns for path in again] == before


def test_pink_noise_falls_as_one_over_the_frequency() -> None:
    noise = pink_noise((256, 256), np.random.default_rng(0))
    amplitude = np.abs(np.fft.rfft2(noise))[0]
    slow, quick = amplitude[4:12].mean(), amplitude[40:120].mean()
    assert noise.std() == pytest.approx(1, abs=1e-3)
    assert slow / quick == pytest.approx(10, rel=0.5)
