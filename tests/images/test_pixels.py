import base64
import io
import pickle
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from cairn.images.pixels import Cause, Limits, PixelError, decode, encode_jpeg, shrink
from tests.make import encoded, jpeg, pixels

# 64 × 64 px, left half red, right half blue: nothing in the base install can write this format.
HEIC_RED_AND_BLUE = (
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAA"
    "AAAAAAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAACcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAA"
    "AAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34"
    "+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmu"
    "bgIaDAgAAAMAyAAAAwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAA"
    "QAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAAC9tZGF0AAAAIygBr1j5DpJf/+n+f/4j"
    "+Q94uYn/2l8L9oZJ/2P1RHEv/L24"
)
LIMITS = Limits(max_pixels=1_000_000, max_bytes=5_000_000)


def refused(content: bytes, limits: Limits = LIMITS) -> Cause:
    with pytest.raises(PixelError) as caught:
        decode(content, limits=limits)
    return caught.value.cause


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    upright = Image.fromarray(pixels(1, height=60, width=90))
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    turned = upright
    for step in undo.get(orientation, []):
        turned = turned.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=exif)
    decoded = decode(buffer.getvalue(), limits=LIMITS)
    np.testing.assert_array_equal(decoded.pixels, np.asarray(upright))
    assert decoded.full_size_px == (90, 60)
    assert decoded.plain == (orientation == 1)


def test_transparent_pixels_lie_on_white() -> None:
    clear = np.zeros((4, 4, 4), dtype=np.uint8)
    assert (decode(encoded(clear, "PNG"), limits=LIMITS).pixels == 255).all()


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    image = Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).convert("P")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=0)
    assert (decode(buffer.getvalue(), limits=LIMITS).pixels == 255).all()


def test_sixteen_bits_keep_their_brightness() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    seen = decode(encoded(ramp, "PNG"), limits=LIMITS)
    np.testing.assert_allclose(seen.pixels[..., 0].ravel(), np.arange(256), atol=1)
    assert not seen.plain


def test_a_dark_sixteen_bit_image_stays_dark() -> None:
    dark = np.full((8, 8), 200, dtype=np.uint16)
    assert decode(encoded(dark, "PNG"), limits=LIMITS).pixels.max() <= 1


def test_grey_and_cmyk_become_rgb() -> None:
    grey = decode(encoded(np.full((8, 8), 77, dtype=np.uint8), "PNG"), limits=LIMITS)
    assert grey.pixels.shape == (8, 8, 3)
    buffer = io.BytesIO()
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(buffer, "JPEG")
    red = decode(buffer.getvalue(), limits=LIMITS).pixels[0, 0]
    assert red[0] > 180
    assert red[1] < 90


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    seen = decode(buffer.getvalue(), limits=LIMITS)
    assert tuple(seen.pixels[0, 0]) == (255, 0, 0)
    assert not seen.plain


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "TIFF", "BMP"])
def test_formats_of_phones_and_scanners_are_read(kind: str) -> None:
    seen = decode(encoded(pixels(3), kind), limits=LIMITS).pixels
    assert np.abs(seen.astype(int) - pixels(3)).mean() < 12


def test_a_phones_heic_is_read() -> None:
    seen = decode(base64.b64decode(HEIC_RED_AND_BLUE), limits=LIMITS)
    assert (seen.pixels.shape, seen.plain) == ((64, 64, 3), False)
    np.testing.assert_allclose(seen.pixels[32, 10], (200, 60, 30), atol=12)
    np.testing.assert_allclose(seen.pixels[32, 54], (20, 90, 200), atol=12)


def test_a_wide_gamut_profile_is_brought_to_srgb() -> None:
    from PIL import ImageCms

    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    buffer = io.BytesIO()
    Image.fromarray(pixels(5)).save(buffer, "PNG", icc_profile=lab)
    assert not decode(buffer.getvalue(), limits=LIMITS).plain


def test_a_truncated_jpeg_never_passes() -> None:
    whole = jpeg(1, height=300, width=400)
    assert {refused(whole[: int(len(whole) * share)]) for share in (0.3, 0.6, 0.95)} == {
        Cause.TRUNCATED
    }


def test_each_wrong_file_has_its_cause() -> None:
    assert refused(b"") == Cause.EMPTY
    assert refused(b"just some text") == Cause.NOT_AN_IMAGE
    assert refused(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == Cause.NOT_AN_IMAGE
    assert refused(jpeg(1), Limits(max_bytes=100)) == Cause.TOO_MANY_BYTES


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"0" * 10)), (b"IEND", b""))
    )
    assert refused(b"\x89PNG\r\n\x1a\n" + chunks) == Cause.TOO_MANY_PIXELS


def test_a_webp_bomb_is_refused_before_its_library_makes_room_for_it() -> None:
    head = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\x00\xff\x3f\x00"
    assert refused(b"RIFF" + struct.pack("<I", len(head)) + head) == Cause.TOO_MANY_PIXELS


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF", "PNG"])
def test_an_animation_of_too_many_frames_is_refused(kind: str) -> None:
    frames = [Image.fromarray(pixels(i, height=48, width=64)) for i in range(5)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    assert refused(buffer.getvalue(), Limits(max_frames=4)) == Cause.TOO_MANY_FRAMES
    seen = decode(buffer.getvalue(), limits=Limits(max_frames=5))
    assert np.abs(seen.pixels.astype(int) - pixels(0, height=48, width=64)).mean() < 25


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scan_is_turned_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(encoded(pixels(1, height=6, width=9), "TIFF", exif=exif), limits=LIMITS)
    size = (6, 9) if orientation > 4 else (9, 6)
    assert decoded.full_size_px == size == decoded.pixels.shape[1::-1]


def test_a_photo_that_is_all_detail_is_packed_all_the_same() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 500, 3), dtype=np.uint8)
    seen = decode(encode_jpeg(noise, quality=94), limits=LIMITS).pixels
    assert seen.shape == noise.shape


def test_mutated_files_are_decoded_or_refused_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        whole = np.frombuffer(encoded(pixels(2), kind), dtype=np.uint8)
        for _ in range(40):
            broken = whole.copy()
            broken[rng.integers(0, len(whole), 8)] = rng.integers(0, 256, 8)
            try:
                seen = decode(broken.tobytes(), limits=LIMITS).pixels
            except PixelError:
                continue
            assert seen.ndim == 3


def test_a_large_jpeg_is_decoded_at_a_fraction_when_that_is_enough() -> None:
    content = jpeg(1, height=600, width=900)
    seen = decode(content, limits=LIMITS, enough_px=200)
    assert max(seen.pixels.shape) == 225
    assert seen.full_size_px == (900, 600)


def test_shrinking_keeps_what_fits_and_the_shape_of_the_rest() -> None:
    small = pixels(1, height=50, width=80)
    assert shrink(small, max_side_px=80) is small
    assert shrink(pixels(1, height=500, width=800), max_side_px=80).shape == (50, 80, 3)


def test_a_jpeg_comes_back_nearly_as_it_was() -> None:
    seen = decode(encode_jpeg(pixels(1), quality=95), limits=LIMITS).pixels
    assert np.abs(seen.astype(int) - pixels(1)).mean() < 2


def test_decoding_in_threads_leaves_the_programs_warnings_alone() -> None:
    decode(jpeg(1), limits=LIMITS)
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: decode(jpeg(seed), limits=LIMITS), range(40)))
    assert warnings.filters == before


@pytest.mark.slow
def test_a_limit_above_the_librarys_own_is_ours() -> None:
    large = encoded(np.zeros((13_500, 13_500), dtype=np.uint8), "PNG")
    assert refused(large, Limits(max_pixels=180_000_000)) == Cause.TOO_MANY_PIXELS
    assert decode(large, limits=Limits(max_pixels=190_000_000)).full_size_px == (13_500, 13_500)


def test_the_error_of_a_photo_survives_the_way_between_processes() -> None:
    with pytest.raises(PixelError) as caught:
        decode(b"", limits=LIMITS)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.cause, str(again)) == (caught.value.cause, str(caught.value))
