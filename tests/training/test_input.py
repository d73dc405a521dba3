from pathlib import Path

import numpy as np
import pytest
import torch

from cairn.base.settings import AugmentSettings
from cairn.images.store import FolderStore
from cairn.training.input import Seen, Sides, TrainImages, batches_seen
from cairn.training.keys import key_of
from cairn.training.order import Order
from cairn.training.viewing import view
from tests.images.test_store import Lay, in_files, in_shards
from tests.make import jpeg

AUGMENTING = AugmentSettings(side_px=32)
IDS = tuple(f"i{number}" for number in range(9))


def images_at(paths: list[str]) -> TrainImages:
    return TrainImages(IDS, tuple(paths), np.arange(9, dtype=np.int64)[:, None] % 3)


def seen(root: Path, images: TrainImages, *, n_workers: int = 0) -> list[Seen]:
    order = Order(images.image_ids, images.targets[:, 0], "as they are", 3)
    given = [batch for epoch in range(2) for batch in order.batches(epoch, 4)]
    return list(
        batches_seen(
            images, given, store=FolderStore(root), augmenting=AUGMENTING,
            side_of=Sides(6, 32, ("0.5:16",)), n_workers=n_workers,
        )
    )  # fmt: skip


def same(ours: list[Seen], theirs: list[Seen]) -> bool:
    pairs = zip(ours, theirs, strict=True)
    return all(
        torch.equal(a.pixels, b.pixels) and torch.equal(a.targets, b.targets) for a, b in pairs
    )


def test_each_image_is_seen_as_its_key_says_at_the_side_of_the_step(tmp_path: Path) -> None:
    contents = [jpeg(number) for number in range(9)]
    for one in seen(tmp_path, images_at(in_files(tmp_path, contents))):
        side = 16 if one.batch.step < 3 else 32
        settings = AUGMENTING.model_copy(update={"side_px": side})
        for place, row in enumerate(one.batch.rows.tolist()):
            key = key_of(IDS[row], seed=3, epoch=one.batch.epoch)
            assert np.array_equal(one.pixels[place].numpy(), view(contents[row], key, settings))
            assert one.targets[place].tolist() == [row % 3]


def test_shards_are_seen_as_folders_are_to_the_bit(tmp_path: Path) -> None:
    contents = [jpeg(number) for number in range(9)]
    in_folders = seen(tmp_path, images_at(in_files(tmp_path, contents)))
    assert same(in_folders, seen(tmp_path, images_at(in_shards(tmp_path, contents))))


@pytest.mark.slow
@pytest.mark.parametrize("lay", [in_files, in_shards])
def test_workers_change_nothing(lay: Lay, tmp_path: Path) -> None:
    images = images_at(lay(tmp_path, [jpeg(number) for number in range(9)]))
    assert same(seen(tmp_path, images), seen(tmp_path, images, n_workers=2))


def test_an_image_that_has_gone_is_left_out_of_its_batch_and_counted(tmp_path: Path) -> None:
    images = images_at(in_files(tmp_path, [jpeg(number) for number in range(9)]))
    whole = seen(tmp_path, images)
    (tmp_path / images.paths[5]).unlink()
    for before, after in zip(whole, seen(tmp_path, images), strict=True):
        stays = torch.from_numpy(before.batch.rows != 5)
        assert after.n_lost == int((~stays).sum())
        assert torch.equal(after.pixels, before.pixels[stays])
        assert torch.equal(after.targets, before.targets[stays])
