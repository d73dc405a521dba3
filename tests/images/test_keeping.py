import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from cairn.algorithms.duplicates import likeness
from cairn.base.files import digest_bytes
from cairn.images.keeping import Fit, KeptImage, keep
from cairn.images.pixels import Cause, Limits, PixelError, decode
from tests.make import encoded, jpeg, pixels

LIMITS = Limits(max_pixels=4_000_000, max_bytes=20_000_000)
SMALL = Fit(max_side_px=100)


def photo(seed: int, *, height: int, width: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Smooth colours with the fine grain that photos have."""
    grain = np.random.default_rng(seed).normal(0, 12, (height, width, 1))
    seen = pixels(seed, height=height, width=width) + grain
    return np.asarray(seen.clip(0, 255).astype(np.uint8))


def seen(image: KeptImage) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return decode(image.content, limits=Limits()).pixels


def refused(content: bytes, fit: Fit = SMALL) -> Cause:
    with pytest.raises(PixelError) as caught:
        keep(content, fit=fit, limits=LIMITS)
    return caught.value.cause


def test_a_plain_photo_that_is_small_enough_keeps_its_bytes() -> None:
    content = jpeg(1, height=75, width=100)
    image = keep(content, fit=SMALL, limits=LIMITS)
    assert (image.content, image.suffix) == (content, ".jpg")
    assert (image.width_px, image.height_px) == (100, 75)
    assert image.digest == image.kept_digest == digest_bytes(content)


@pytest.mark.parametrize("is_thorough", [False, True])
def test_a_large_photo_is_made_smaller_and_known_by_what_is_kept(is_thorough: bool) -> None:
    content = jpeg(2, height=300, width=400)
    fit = Fit(max_side_px=100, thorough=is_thorough)
    image = keep(content, fit=fit, limits=LIMITS)
    assert (image.width_px, image.height_px) == (100, 75) == seen(image).shape[1::-1]
    assert (image.digest, image.kept_digest) == (
        digest_bytes(content),
        digest_bytes(image.content),
    )
    bits = np.unpackbits(np.frombuffer(image.likeness, np.uint8))
    again = np.unpackbits(np.frombuffer(likeness(seen(image)), np.uint8))
    assert (bits != again).sum() < 20


@pytest.mark.parametrize(
    ("side", "size"), [("longest", (100, 25)), ("shortest", (400, 100))]
)  # fmt: skip
def test_either_side_may_be_the_one_that_counts(side: str, size: tuple[int, int]) -> None:
    fit = Fit(max_side_px=100, side="shortest" if side == "shortest" else "longest")
    image = keep(jpeg(3, height=200, width=800), fit=fit, limits=LIMITS)
    assert (image.width_px, image.height_px) == size
    assert fit.size_px((90, 80)) == (90, 80)


@pytest.mark.parametrize("size", [(1600, 1200), (1601, 1203), (1000, 750), (801, 1403)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_quick_way_looks_as_the_slow_one(size: tuple[int, int], kind: str) -> None:
    whole = photo(4, height=size[1], width=size[0])
    options = {"quality": 90} if kind == "JPEG" else {"compress_level": 1}
    content = encoded(whole, kind, **options)
    fit = Fit(max_side_px=256, quality=100)
    image = keep(content, fit=fit, limits=LIMITS)
    slow = Image.open(io.BytesIO(content)).resize(
        (image.width_px, image.height_px), Image.Resampling.LANCZOS
    )
    assert np.abs(seen(image).astype(int) - np.asarray(slow)).mean() < 1.2


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_photos_are_kept_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(pixels(5, height=300, width=400), "JPEG", exif=exif)
    image = keep(content, fit=SMALL, limits=LIMITS)
    upright = decode(content, limits=LIMITS)
    assert (image.width_px > image.height_px) == (orientation < 5)
    slow = Image.fromarray(upright.pixels).resize((image.width_px, image.height_px))
    assert np.abs(seen(image).astype(int) - np.asarray(slow)).mean() < 4


def test_photos_that_are_not_plain_are_written_anew_at_their_size() -> None:
    for content in (encoded(pixels(1), "BMP"), encoded(np.zeros((40, 50, 4), np.uint8), "PNG")):
        image = keep(content, fit=Fit(max_side_px=500), limits=LIMITS)
        assert image.suffix == ".jpg"
        assert (image.height_px, image.width_px) == decode(content, limits=LIMITS).pixels.shape[:2]


@pytest.mark.parametrize(
    ("kind", "suffix"), [("JPEG", ".jpg"), ("GIF", ".gif"), ("TIFF", ".tif"), ("AVIF", ".avif")]
)
def test_photos_may_be_kept_as_they_came(kind: str, suffix: str) -> None:
    content = encoded(pixels(6, height=300, width=400), kind)
    image = keep(content, fit=Fit(max_side_px=100, as_it_came=True), limits=LIMITS)
    assert (image.content, image.suffix) == (content, suffix)
    assert (image.width_px, image.height_px) == (400, 300)


def test_a_photo_that_is_kept_as_it_came_is_decoded_all_the_same() -> None:
    assert refused(jpeg(7, height=300, width=400)[:-900], Fit(as_it_came=True)) == Cause.TRUNCATED


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_cut_off_photo_is_refused_wherever_it_ends(options: dict[str, object]) -> None:
    whole = encoded(photo(8, height=400, width=600), "JPEG", quality=90, **options)
    ends = [*range(len(whole) - 40, len(whole)), *range(1000, len(whole), 2503)]
    assert {refused(whole[:end]) for end in ends} == {Cause.TRUNCATED}


def test_the_two_wide_gamut_ways_agree() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    whole = pixels(9, height=300, width=400)
    plain, named, other = (
        keep(encoded(whole, "JPEG", **options), fit=SMALL, limits=LIMITS)
        for options in ({}, {"icc_profile": srgb}, {"icc_profile": lab})
    )
    assert plain.kept_digest == named.kept_digest
    assert other.suffix == ".jpg"


def test_what_is_kept_of_a_large_photo_has_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera's maker"
    content = encoded(
        pixels(1, height=300, width=400), "JPEG", exif=exif, comment=b"a secret", dpi=(300, 300)
    )
    kept = Image.open(io.BytesIO(keep(content, fit=SMALL, limits=LIMITS).content))
    assert set(kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"secret" not in keep(content, fit=SMALL, limits=LIMITS).content


def test_the_same_photo_gives_the_same_bytes_each_time() -> None:
    content = encoded(photo(1, height=700, width=900), "JPEG")
    assert len({keep(content, fit=SMALL, limits=LIMITS).kept_digest for _ in range(5)}) == 1
