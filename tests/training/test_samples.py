from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import AugmentSettings
from cairn.images.store import FolderStore
from cairn.training.input import Sides, TrainImages, batches_seen
from cairn.training.order import Order
from cairn.training.samples import as_it_is, augmented_samples
from tests.make import jpeg

SETTINGS = AugmentSettings(side_px=32)


def some_images(root: Path, n: int) -> TrainImages:
    ids = tuple(f"i{number}" for number in range(n))
    for number, image_id in enumerate(ids):
        (root / f"{image_id}.jpg").write_bytes(jpeg(number))
    paths = tuple(f"{image_id}.jpg" for image_id in ids)
    return TrainImages(ids, paths, np.arange(n, dtype=np.int64)[:, None])


def test_samples_are_what_training_sees(tmp_path: Path) -> None:
    images, store = some_images(tmp_path, 5), FolderStore(tmp_path)
    order = Order(images.image_ids, images.targets[:, 0], "as they are", 7)
    (batch,) = order.batches(1, 5)
    (seen,) = batches_seen(
        images, [batch], store=store, augmenting=SETTINGS, side_of=Sides(1, 32), n_workers=0
    )
    places = {images.image_ids[row]: place for place, row in enumerate(batch.rows.tolist())}
    for one in augmented_samples(images, store, SETTINGS, 7, 9):
        assert one.views.shape == (5, 32, 32, 3)
        assert np.array_equal(one.views[2], seen.pixels[places[one.image_id]].numpy())


def test_the_first_view_is_the_whole_image_and_no_other_is_like_it(tmp_path: Path) -> None:
    images, store = some_images(tmp_path, 3), FolderStore(tmp_path)
    whole = augmented_samples(images, store, as_it_is(SETTINGS), 0, 3)
    varied = augmented_samples(images, store, SETTINGS, 0, 3)
    for one, other in zip(whole, varied, strict=True):
        assert all(np.array_equal(view, one.views[0]) for view in one.views)
        assert np.array_equal(one.views[0], other.views[0])
        assert len({view.tobytes() for view in other.views}) == 5


def test_another_seed_chooses_other_images_and_fewer_are_among_more(tmp_path: Path) -> None:
    images, store = some_images(tmp_path, 12), FolderStore(tmp_path)

    def chosen(seed: int, n: int) -> list[str]:
        return [one.image_id for one in augmented_samples(images, store, SETTINGS, seed, n)]

    assert chosen(1, 4) == chosen(1, 8)[:4]
    assert chosen(1, 4) != chosen(2, 4)


def test_an_image_that_has_gone_is_told(tmp_path: Path) -> None:
    images = some_images(tmp_path, 1)
    (tmp_path / "i0.jpg").unlink()
    with pytest.raises(InputError, match="cannot be read: No such file"):
        augmented_samples(images, FolderStore(tmp_path), SETTINGS, 0, 1)
