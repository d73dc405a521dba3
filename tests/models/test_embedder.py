"""Descriptors: the same whatever the batch, in order, of length one; wrong images are told."""

import itertools
import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import InputError, SettingsError
from cairn.base.settings import DescribeSettings
from cairn.models.embedder import Embedder, normalized, open_embedder
from cairn.models.pooling import gem, length_one
from cairn.models.runtimes.contract import Outputs, Pixels, Runtime
from cairn.models.shapes import nearest_shape, shape_table
from tests.make import pixels
from tests.models.nets import net

SIZES = [(96, 128), (128, 96), (64, 64), (50, 200), (96, 130)]


def embedder(root: Path, **settings: object) -> Embedder:
    given = {"sides_px": (64, 96), "batch_size": 3, "runtime": "openvino", **settings}
    is_fixed, has_cls = bool(given.pop("is_fixed", False)), "cls" in str(given.get("pooling"))
    return open_embedder(
        net(root, has_cls=has_cls, is_fixed=is_fixed), DescribeSettings.model_validate(given)
    )


def images(n_images: int) -> list[np.ndarray]:
    return [
        pixels(i, height=h, width=w) for i, (h, w) in zip(range(n_images), itertools.cycle(SIZES))
    ]


def test_descriptors_come_in_order_and_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    given = images(23)
    one = embedder(tmp_path)
    alone = np.stack([one.describe_one(image) for image in given])
    for batch_size in (1, 4, 64):
        blocks = embedder(tmp_path, batch_size=batch_size).describe(iter(given))
        np.testing.assert_allclose(np.concatenate(list(blocks)), alone, atol=1e-5)


def test_a_descriptor_is_what_its_loop_says(tmp_path: Path) -> None:
    ours, image = embedder(tmp_path, pooling=("avg", "gem", "cls")), pixels(1)
    cfg, sums = ours.backbone.config.pretrained_cfg, [np.zeros(6)] * 3
    for view in ours._views(image):
        seen = ours.runtime.run(normalized(view[None], mean=cfg.mean, std=cfg.std))
        maps = seen["maps"][0].reshape(6, -1).astype(np.float64)
        poolings = [maps.mean(1), (np.maximum(maps, 1e-6) ** 3).mean(1) ** (1 / 3), seen["cls"][0]]
        sums = [total + p / np.linalg.norm(p) for total, p in zip(sums, poolings, strict=True)]
    expected = np.concatenate([total / np.linalg.norm(total) for total in sums]) / np.sqrt(3)
    np.testing.assert_allclose(ours.describe_one(image), expected, atol=1e-5)


class Spy:
    """A runtime that writes down how many images came at once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.batches: list[int] = []

    def run(self, pixels: Pixels) -> Outputs:
        self.batches.append(len(pixels))
        return self._runtime.run(pixels)


def test_what_is_left_of_a_batch_comes_in_halves_so_that_few_sizes_are_prepared(
    tmp_path: Path,
) -> None:
    ours = embedder(tmp_path, sides_px=(64,), batch_size=8)
    spy = Spy(ours.runtime)
    given = [pixels(i) for i in range(15)]
    found = np.concatenate(list(replace(ours, runtime=spy).describe(given)))
    assert spy.batches == [8, 4, 2, 1]
    np.testing.assert_allclose(found, [ours.describe_one(one) for one in given], atol=1e-5)


def test_coarse_is_the_smallest_side_alone(tmp_path: Path) -> None:
    ours, image = embedder(tmp_path, sides_px=(96, 64)), pixels(1)
    alone = embedder(tmp_path, sides_px=(64,)).describe_one(image)
    np.testing.assert_array_equal(ours.coarse().describe_one(image), alone)
    assert not np.allclose(ours.describe_one(image), alone, atol=1e-3)


def test_no_images_give_no_descriptors(tmp_path: Path) -> None:
    assert list(embedder(tmp_path).describe([])) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (10, 500), (3000, 20)])
def test_images_of_any_shape_have_a_descriptor(shape: tuple[int, int], tmp_path: Path) -> None:
    vector = embedder(tmp_path).describe_one(np.full((*shape, 3), 90, np.uint8))
    assert vector.shape == (12,)
    assert np.linalg.norm(vector) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_what_is_no_rgb_image_is_told(wrong: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"uint8 \[H, W, 3\] \(RGB\)"):
        list(embedder(tmp_path).describe([pixels(0), wrong]))


def test_an_error_of_the_one_who_gives_images_comes_through(tmp_path: Path) -> None:
    def failing() -> Iterator[np.ndarray]:
        yield pixels(0)
        raise InputError("the disk has gone")

    with pytest.raises(InputError, match="the disk has gone"):
        list(embedder(tmp_path).describe(failing()))


def test_stopping_early_reads_a_bounded_number_of_images_and_leaves_no_thread(
    tmp_path: Path,
) -> None:
    read, before = [], threading.active_count()

    def endless() -> Iterator[np.ndarray]:
        for i in itertools.count():
            read.append(i)
            yield pixels(i % 7)

    blocks = embedder(tmp_path).describe(endless())
    next(blocks)
    assert isinstance(blocks, Generator)
    blocks.close()
    assert len(read) <= 12 + 2 * 3 + 12
    assert threading.active_count() == before


def test_source_follows_what_changes_descriptors_and_nothing_else(tmp_path: Path) -> None:
    one = embedder(tmp_path).source
    assert embedder(tmp_path, batch_size=7, runtime="auto").source == one
    others: list[dict[str, object]] = [
        {"sides_px": (64,)},
        {"pooling": ("gem",)},
        {"keep_shape": False},
        {"gem_power": 4},
    ]
    assert len({embedder(tmp_path, **other).source for other in others} | {one}) == 5


def test_another_network_gives_another_source(tmp_path: Path) -> None:
    assert embedder(tmp_path / "a").source != embedder(tmp_path / "b", is_fixed=True).source


def test_a_network_of_one_size_sees_that_size_only(tmp_path: Path) -> None:
    ours = embedder(tmp_path, is_fixed=True)
    assert ours.shapes_of(50, 200) == [(64, 64)]
    assert np.concatenate(list(ours.describe(images(5)))).shape == (5, 12)


def test_without_keep_shape_images_are_squares(tmp_path: Path) -> None:
    assert embedder(tmp_path, keep_shape=False).shapes_of(50, 200) == [(64, 64), (96, 96)]


def test_cls_needs_a_network_with_a_class_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="class token"):
        open_embedder(net(tmp_path), DescribeSettings(pooling=("cls",)))


def test_shapes_are_near_in_area_and_aspect() -> None:
    shapes = shape_table(320, 32)
    assert all(0.8 < h * w / 320**2 < 1.2 for h, w in shapes)
    assert nearest_shape(480, 640, side_px=320, step=32) == (288, 352)
    assert nearest_shape(640, 480, side_px=320, step=32) == (352, 288)
    assert nearest_shape(1, 50, side_px=320, step=32) == (192, 576)


def test_gem_of_large_values_and_powers_stays_finite() -> None:
    flat = np.array([[[1e4, 2e4], [0, -3], [0, 0]]], np.float32)
    slow = (np.maximum(flat.astype(np.float64), 1e-6) ** 20).mean(axis=2) ** (1 / 20)
    np.testing.assert_allclose(gem(flat, power=20), slow, rtol=1e-4)


def test_a_row_of_zeros_stays_zero() -> None:
    assert not length_one(np.zeros((1, 4), np.float32)).any()


def test_pixels_are_the_same_wherever_they_are_written() -> None:
    images = [pixels(seed, height=32, width=48) for seed in range(3)]
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    room = np.full((3, 3, 32, 48), np.nan, np.float32)
    found = normalized(images, mean=mean, std=std, into=room)
    assert found is room
    np.testing.assert_array_equal(room, normalized(images, mean=mean, std=std))
    slow = (np.stack(images).astype(np.float64) / 255 - mean) / std
    np.testing.assert_allclose(room, slow.transpose(0, 3, 1, 2), atol=1e-5)
