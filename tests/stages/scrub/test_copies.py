"""Copies of rendered scenes are found however they were made, and other views of the same landmark are not copies."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from cairn.algorithms.duplicates import likeness
from cairn.algorithms.inverted_lists import neighbors_among
from cairn.base.watching import Silent
from cairn.engines.local import LocalEngine
from cairn.images.checks import check_pixels
from cairn.images.pixels import Decoded
from cairn.stages.scrub.copies import Connected, CopyImages, CopyPair, find_copies
from cairn.stages.scrub.copy_findings import connecting, said_of
from cairn.stages.scrub.laying import SURE_FROM, How
from tests.stages.scrub.scenes import EDITS, Pixels, cropped, mirrored, recompressed, scene

pytestmark = pytest.mark.slow  # rendering


def copy_images(images: Sequence[Pixels]) -> CopyImages:
    """The images with descriptors that make each the neighbour of each."""
    checks = [check_pixels(image) for image in images]
    rng = np.random.default_rng(0)
    vectors = np.ones((len(images), 4), np.float32) + rng.normal(0, 0.1, (len(images), 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    codes = [likeness(image) for image in images]
    return CopyImages(
        sizes_px=np.array([image.shape[0] * image.shape[1] for image in images]),
        pixels_digests=[check.pixels_digest for check in checks],
        codes=np.frombuffer(b"".join(codes), np.uint8).reshape(len(images), -1),
        mirrored_codes=np.frombuffer(
            b"".join(check.mirrored_likeness for check in checks), np.uint8
        ).reshape(len(images), -1),
        reliefs_grey=np.array([check.relief_grey for check in checks], np.float32),
        neighbors=neighbors_among(vectors.astype(np.float32), 8),
    )


def found_among(images: Sequence[Pixels], *, unreadable: Sequence[int] = ()) -> list[CopyPair]:
    def pixels_of(row: int) -> Decoded | None:
        if row in unreadable:
            return None
        height, width = images[row].shape[:2]
        return Decoded(images[row], True, "JPEG", (width, height))

    return find_copies(
        copy_images(images), pixels_of=pixels_of, engine=LocalEngine(), watch=Silent()
    )


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("number", [0, 1])
def test_a_copy_is_found_however_it_was_made(edit: str, number: int) -> None:
    others = [scene(3), scene(number, view=1)]
    (pair,) = found_among([scene(number), *others, EDITS[edit](scene(number))])
    assert (pair.stays, pair.goes) == (0, 3)
    assert pair.found.is_sure
    wanted = {"mirrored": How.MIRRORED, "cropped": How.PART}.get(edit, How.WHOLE)
    assert pair.found.how == wanted


def test_a_crop_tells_how_much_of_the_area_is_left() -> None:
    (pair,) = found_among([scene(0), cropped(scene(0))])
    assert pair.found.covered == pytest.approx(0.7, abs=0.03)


def test_a_mirrored_crop_is_found() -> None:
    (pair,) = found_among([scene(0), mirrored(cropped(scene(0)))])
    assert pair.found.how == How.MIRRORED_PART


def test_other_views_of_a_landmark_and_other_landmarks_are_no_copies() -> None:
    assert found_among([scene(n, view=v) for n in range(3) for v in range(3)]) == []


def test_two_photos_side_by_side_are_no_copy_of_either() -> None:
    first, second = scene(0), scene(1)
    assert found_among([first, second, np.concatenate([first, second], axis=1)]) == []


def beside(first: Pixels, second: Pixels) -> Pixels:
    return np.concatenate([first, second[:, :150]], axis=1)


def above(first: Pixels, second: Pixels) -> Pixels:
    return np.concatenate([first, second[:110]], axis=0)


def inset(first: Pixels, second: Pixels) -> Pixels:
    """The second at 45 % of its sides in the lower right corner of the first."""
    small = np.asarray(Image.fromarray(second).resize((115, 86), Image.Resampling.LANCZOS))
    image = first.copy()
    image[-86:, -115:] = small
    return image


@pytest.mark.parametrize("compose", [beside, above, inset])
@pytest.mark.parametrize("number", [0, 1])
def test_a_photo_that_is_most_of_a_composite_is_no_sure_copy_of_it(
    compose: Callable[[Pixels, Pixels], Pixels], number: int
) -> None:
    pairs = found_among([scene(number), compose(scene(number), scene(number + 1))])
    assert not [pair for pair in pairs if pair.found.is_sure]
    for pair in pairs:
        assert "put together from several photos" in said_of(pair.found)
        assert pair.found.score <= SURE_FROM


def test_a_photo_in_a_plain_frame_is_a_sure_copy() -> None:
    framed = np.full((240, 300, 3), 250, np.uint8)
    framed[24:216, 22:278] = scene(0)
    strip = np.full((60, 256, 3), 30, np.uint8)
    for image in (framed, np.concatenate([scene(0), strip])):
        (pair,) = found_among([scene(0), image])
        assert pair.found.is_sure


def test_the_same_image_thrice_makes_two_pairs_with_the_first() -> None:
    pairs = found_among([scene(1), scene(0), scene(0).copy(), scene(0).copy()])
    assert [(pair.stays, pair.goes, pair.found.how) for pair in pairs] == [
        (1, 2, How.PIXELS), (1, 3, How.PIXELS),
    ]  # fmt: skip


def test_the_larger_image_stays_whatever_the_order() -> None:
    small = EDITS["smaller"](scene(0))
    (pair,) = found_among([small, scene(0)])
    assert (pair.stays, pair.goes) == (1, 0)


def test_copies_of_copies_are_connected_by_few_pairs() -> None:
    images = [scene(0), recompressed(scene(0)), EDITS["watermarked"](scene(0)), mirrored(scene(0))]
    pairs = found_among([*images, scene(2)])
    connected = Connected((pair.stays, pair.goes) for pair in pairs)
    assert all(connected.are(0, row) for row in range(4))
    assert not connected.are(0, 4)
    assert len(connecting(pairs)) == 3


@pytest.mark.parametrize("value", [0, 128, 255])
def test_images_of_one_grey_are_copies_only_where_every_pixel_is_the_same(value: int) -> None:
    plain = [np.full((h, 40, 3), value, np.uint8) for h in (30, 30, 40)]
    nearly = plain[0].copy()
    nearly[0, 0] = 100
    assert [(pair.stays, pair.goes) for pair in found_among([*plain, nearly])] == [(0, 1)]


def test_images_of_one_pixel_break_nothing() -> None:
    dots = [np.full((1, 1, 3), value, np.uint8) for value in (0, 9, 9)]
    assert [(pair.stays, pair.goes) for pair in found_among([*dots, scene(0)])] == [(1, 2)]


def test_an_image_that_cannot_be_read_is_no_copy_and_stops_nothing() -> None:
    images = [scene(0), recompressed(scene(0)), scene(1), recompressed(scene(1))]
    assert [(pair.stays, pair.goes) for pair in found_among(images, unreadable=[1])] == [(2, 3)]
