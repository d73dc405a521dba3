"""Points as they are kept: written image by image, memory-mapped, and whole or refused."""

from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import BundleError, InputError
from cairn.records.points import CODES, PLACES, STARTS, ImagePoints, PointTable, write_points


def drawn(n: int, seed: int = 0, size_px: tuple[int, int] = (640, 480)) -> ImagePoints:
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1, (n, 2)).astype(np.float32) * np.array(size_px, np.float32)
    return ImagePoints.at(places, rng.integers(0, 256, (n, 64)).astype(np.uint8), size_px)


def write(folder: Path, images: list[ImagePoints]) -> None:
    write_points(folder, np.array([len(one.places) for one in images], np.int64), images)


def test_places_are_kept_to_a_hundredth_of_a_pixel() -> None:
    places = np.array([[0, 0], [639.5, 2.25], [17.125, 479]], np.float32)
    kept = ImagePoints.at(places, np.zeros((3, 64), np.uint8), (640, 480))
    np.testing.assert_allclose(kept.places_px, places, atol=0.01)


def test_a_table_holds_each_image_s_points_and_is_not_read_whole(tmp_path: Path) -> None:
    images = [drawn(5, 1), ImagePoints.none(), drawn(3, 2, (100, 900))]
    write(tmp_path, images)
    table = PointTable.read(tmp_path, n_images=3)
    assert len(table) == 3
    assert table.counts.tolist() == [5, 0, 3]
    assert isinstance(table.codes, np.memmap)
    for row, image in enumerate(images):
        found = table.of(row)
        assert np.array_equal(found.places, image.places)
        assert np.array_equal(found.codes, image.codes)
        assert found.size_px == image.size_px


@pytest.mark.parametrize("images", [[], [ImagePoints.none()] * 4])
def test_a_table_without_any_point_is_read_too(tmp_path: Path, images: list[ImagePoints]) -> None:
    write(tmp_path, images)
    assert PointTable.read(tmp_path, n_images=len(images)).counts.sum() == 0


def test_a_wrong_count_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 points"):
        write_points(tmp_path, np.array([4]), [drawn(3)])


@pytest.mark.parametrize("name", [STARTS, PLACES, CODES])
def test_a_table_that_is_cut_off_or_gone_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, [drawn(5), drawn(6)])
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) - 8])
    with pytest.raises(BundleError, match="copy the bundle again"):
        PointTable.read(tmp_path, n_images=2)
    (tmp_path / name).unlink()
    with pytest.raises(BundleError, match="copy the bundle again"):
        PointTable.read(tmp_path, n_images=2)


def test_a_table_of_other_images_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [drawn(5), drawn(6)])
    with pytest.raises(BundleError, match="for 3 images"):
        PointTable.read(tmp_path, n_images=3)


def test_points_of_another_form_are_refused() -> None:
    with pytest.raises(InputError, match="one row for each point"):
        ImagePoints(np.zeros((3, 2), np.uint16), np.zeros((2, 64), np.uint8), (10, 10))
