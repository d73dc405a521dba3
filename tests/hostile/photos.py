"""Photos for the hostile server, good and bad, all made in code: the bytes, and what a viewer should see."""

import base64
import hashlib
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from tests.hostile.colours import wide_gamut_profile
from tests.hostile.packing import PNG_SIGNATURE, png, png_chunks, zeros_packed
from tests.images.test_pixels import HEIC_RED_AND_BLUE
from tests.make import pixels

Pixels = npt.NDArray[np.uint8]
WIDTH_PX, HEIGHT_PX = 160, 120
ORIENTATION_TAG = 0x0112
# One point of the first colour, as the format's LZW writes it.
GIF_FRAME = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
GIF_END = b"\x3b"
# The way from upright pixels to those that a camera stores under each orientation.
STORED_AS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: upright[::-1, ::-1].transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, k=3),
}


@dataclass(frozen=True)
class Photo:
    """A file as a host sends it, and what is to be seen of it.

    shows: uint8 [H, W, 3], upright sRGB; None where the file is no photo that can be kept, or where what
    it shows is not judged. tolerance: the largest mean difference from it, in steps of 255.
    """

    content: bytes
    shows: Pixels | None = None
    tolerance: float = 6.0
    media_type: str = "image/jpeg"


@cache
def scene(name: str, *, width: int = WIDTH_PX, height: int = HEIGHT_PX) -> Pixels:
    """A picture that no other name has and that no turn or mirror leaves as it is."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    shown = pixels(seed, height=height, width=width).copy()
    shown[: height // 4, : width // 3] = (250, 250, 250)
    shown[-height // 6 :, : width // 2] = (200, 30, 40)
    shown[height // 3 : height // 2, -width // 8 :] = (20, 60, 220)
    shown.setflags(write=False)
    return shown


def file_of(shown: Pixels, kind: str, **options: object) -> bytes:
    """A file of `shown` in a format that Pillow names."""
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, kind, **options)
    return buffer.getvalue()


def plain(name: str) -> Photo:
    """An ordinary JPEG."""
    return Photo(file_of(scene(name), "JPEG", quality=92), scene(name))


def large(name: str) -> Photo:
    """A JPEG of 1600 × 1200, as cameras make them; `shows` is not its size."""
    shown = scene(name, width=1600, height=1200)
    return Photo(file_of(shown, "JPEG", quality=90), shown)


def as_kind(kind: str, media_type: str, tolerance: float = 6.0) -> Callable[[str], Photo]:
    """The same scene in another format, with that format's media type."""

    def made(name: str) -> Photo:
        return Photo(file_of(scene(name), kind), scene(name), tolerance, media_type)

    return made


def called(media_type: str, photo: Callable[[str], Photo]) -> Callable[[str], Photo]:
    """The same bytes under another media type, which may be a lie."""

    def made(name: str) -> Photo:
        true = photo(name)
        return Photo(true.content, true.shows, true.tolerance, media_type)

    return made


def turned(orientation: int) -> Callable[[str], Photo]:
    """A JPEG stored as a camera held otherwise stores it, with the EXIF tag that puts it right."""

    def made(name: str) -> Photo:
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        stored = np.ascontiguousarray(STORED_AS[orientation](scene(name)))
        return Photo(file_of(stored, "JPEG", quality=92, exif=exif), scene(name))

    return made


def cmyk(name: str) -> Photo:
    """A JPEG for printers."""
    buffer = io.BytesIO()
    Image.fromarray(scene(name)).convert("CMYK").save(buffer, "JPEG", quality=92)
    return Photo(buffer.getvalue(), scene(name))


def ycck(name: str) -> Photo:
    """A JPEG as Adobe's programs write it for printers: inverted, and marked YCCK."""
    negative = Image.fromarray(255 - scene(name)).convert("YCbCr")
    black = Image.new("L", negative.size, 255)
    planes = [plane.point(lambda value: 255 - value) for plane in (*negative.split(), black)]
    buffer = io.BytesIO()
    Image.merge("CMYK", planes).save(buffer, "JPEG", quality=95)
    content = bytearray(buffer.getvalue())
    mark = content.index(b"Adobe\x00")
    # The last byte of Adobe's segment: 0 says CMYK, 2 says YCCK.
    content[mark + 11] = 2
    return Photo(bytes(content), scene(name))


def adobe_rgb_jpeg(name: str) -> Photo:
    """A JPEG whose Adobe mark says that its planes are red, green and blue."""
    content = file_of(scene(name), "JPEG", quality=92, keep_rgb=True)
    return Photo(content, scene(name))


def grey(name: str) -> Photo:
    """A JPEG of one channel."""
    shown = Image.fromarray(scene(name)).convert("L")
    buffer = io.BytesIO()
    shown.save(buffer, "JPEG", quality=92)
    return Photo(buffer.getvalue(), np.asarray(shown.convert("RGB")))


def deep_grey(name: str) -> Photo:
    """A PNG of one channel with 16 bits."""
    shown = np.asarray(Image.fromarray(scene(name)).convert("L"))
    content = file_of(shown.astype(np.uint16) * 257, "PNG")  # type: ignore[arg-type] # 16 bits
    return Photo(content, np.dstack([shown] * 3), 2.0, "image/png")


def deep_colours(name: str) -> Photo:
    """A PNG of three channels with 16 bits each."""
    rows = (scene(name).astype(">u2") * 257).astype(">u2")
    packed = zlib.compress(b"".join(b"\x00" + row.tobytes() for row in rows))
    content = png(WIDTH_PX, HEIGHT_PX, packed, depth=16)
    return Photo(content, scene(name), 2.0, "image/png")


def palette_with_hole(name: str) -> Photo:
    """A PNG of 64 colours, the red of which is transparent: white is to be seen there."""
    image = Image.fromarray(scene(name)).quantize(64)
    red = np.asarray(image)[HEIGHT_PX - 2, 2]
    shown = np.where(np.asarray(image)[..., None] == red, 255, np.asarray(image.convert("RGB")))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", transparency=int(red))
    return Photo(buffer.getvalue(), shown.astype(np.uint8), media_type="image/png")


def half_clear(name: str) -> Photo:
    """A PNG that lets half of the ground through everywhere: on white, it is paler."""
    alpha = np.full((HEIGHT_PX, WIDTH_PX, 1), 128, np.uint8)
    pale = scene(name) * (128 / 255) + 255 * (127 / 255)
    content = file_of(np.concatenate([scene(name), alpha], axis=2), "PNG")
    return Photo(content, pale.round().astype(np.uint8), 2.0, "image/png")


def moving(kind: str) -> Callable[[str], Photo]:
    """Three frames; the first is the scene, the others are its negative."""

    def made(name: str) -> Photo:
        first, other = Image.fromarray(scene(name)), Image.fromarray(255 - scene(name))
        buffer = io.BytesIO()
        frames = [other, other.transpose(Image.Transpose.ROTATE_180)]
        first.save(buffer, kind, save_all=True, append_images=frames, duration=100)
        return Photo(buffer.getvalue(), scene(name), 12.0, f"image/{kind.lower()}")

    return made


def many_frames(n_frames: int) -> Callable[[str], Photo]:
    """A GIF that goes on for very many frames, of one point each."""

    def made(name: str) -> Photo:
        first = file_of(scene(name), "GIF").removesuffix(GIF_END)
        return Photo(first + GIF_FRAME * n_frames + GIF_END, media_type="image/gif")

    return made


def two_pages(name: str) -> Photo:
    """A TIFF of two pages, the scene first."""
    pages = [Image.fromarray(shown) for shown in (scene(name), 255 - scene(name))]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])
    return Photo(buffer.getvalue(), scene(name), 2.0, "image/tiff")


def heic(name: str) -> Photo:
    """A phone's HEIC, red on the left and blue on the right: nothing here can write another."""
    shown = np.zeros((64, 64, 3), np.uint8)
    shown[:, :32], shown[:, 32:] = (200, 60, 30), (20, 90, 200)
    return Photo(base64.b64decode(HEIC_RED_AND_BLUE), shown, 12.0, "image/heic")


def wide_gamut(name: str) -> Photo:
    """A PNG in the colours of Adobe RGB, whose numbers seem pale where the profile is not heeded."""
    profile = wide_gamut_profile()
    stored = ImageCms.profileToProfile(
        Image.fromarray(scene(name)),
        ImageCms.createProfile("sRGB"),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
    )
    content = file_of(np.asarray(stored), "PNG", icc_profile=profile)
    return Photo(content, scene(name), 2.0, "image/png")


def of_size(width: int, height: int) -> Callable[[str], Photo]:
    """A PNG of an odd shape."""

    def made(name: str) -> Photo:
        shown = scene(name)[:height, :width] if height <= HEIGHT_PX and width <= WIDTH_PX else None
        if shown is None:
            shown = scene(name, width=width, height=height)
        return Photo(file_of(np.ascontiguousarray(shown), "PNG"), shown, 2.0, "image/png")

    return made


def without_pixels(name: str) -> Photo:
    """A PNG of 0 × 0."""
    return Photo(png(0, 0, zlib.compress(b"")), media_type="image/png")


def huge(side_px: int) -> Callable[[str], Photo]:
    """A whole and valid PNG of black pixels: about a megabyte that unpacks to more than one gigabyte."""

    def made(name: str) -> Photo:
        packed = zeros_packed(side_px * (1 + 3 * side_px))
        return Photo(png(side_px, side_px, packed), media_type="image/png")

    return made


def with_lost_rows(name: str) -> Photo:
    """A JPEG that lost its second half, but whose end marker was put back: no decoder sees it."""
    whole = plain(name).content
    return Photo(whole[: len(whole) // 2] + b"\xff\xd9")


def with_long_comment(name: str) -> Photo:
    """A PNG whose comment unpacks to a gigabyte."""
    whole = file_of(scene(name), "PNG")
    start = len(PNG_SIGNATURE) + 12 + 13
    comment = b"".join(png_chunks([(b"zTXt", b"Comment\x00\x00" + zeros_packed(1_000_000_000))]))
    return Photo(whole[:start] + comment + whole[start:], media_type="image/png")


def claiming(width: int, height: int) -> Callable[[str], Photo]:
    """A small JPEG whose header says that it is another size."""

    def made(name: str) -> Photo:
        content = bytearray(plain(name).content)
        frame = content.index(b"\xff\xc0")
        content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
        return Photo(bytes(content))

    return made


def cut(share: float) -> Callable[[str], Photo]:
    """A JPEG that ends after this share of its bytes, and was stored like that."""

    def made(name: str) -> Photo:
        whole = large(name).content
        return Photo(whole[: int(len(whole) * share)])

    return made


def text(content: str, media_type: str) -> Callable[[str], Photo]:
    """What is no photo."""
    return lambda name: Photo(f"{content}\n<!-- {name} -->".encode(), media_type=media_type)
