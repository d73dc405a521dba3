"""From bytes to pixels, safely and once: limits first, then upright 8-bit sRGB; and back to JPEG."""

import io
import logging
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, JpegImagePlugin, UnidentifiedImageError

from cairn.base.errors import InputError
from cairn.images.colours import is_srgb, to_srgb
from cairn.images.headers import gif_frames, webp_size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
UNTOUCHED_SUFFIX = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp"}
ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = (5, 6, 7, 8)
# A directory with one entry, its number and the place of the next.
MIN_TIFF_FRAME_BYTES = 18
_REGISTER_LOCK = threading.Lock()
_registered: list[str] = []


class Cause(StrEnum):
    """Why a file is no image that can be kept."""

    UNREADABLE = "unreadable"
    NO_ACCESS = "cannot be opened"
    TRUNCATED = "truncated"
    EMPTY = "empty file"
    TOO_MANY_BYTES = "too many bytes"
    TOO_MANY_PIXELS = "too many pixels"
    TOO_MANY_FRAMES = "too many frames"
    NOT_AN_IMAGE = "not an image"
    CRASHED = "decoder crashed"
    OUT_OF_MEMORY = "decoder out of memory"
    TOO_LONG = "decoding took too long"


# Only the processes of decoders.py can tell these; the others every reader of photos meets.
CAUSES_OF_DECODERS = frozenset({Cause.CRASHED, Cause.OUT_OF_MEMORY, Cause.TOO_LONG})


class PixelError(InputError):
    """A file that is no image that can be kept; `cause` says why in the catalog's words."""

    def __init__(self, cause: Cause, message: str) -> None:
        self.cause = cause
        super().__init__(message)

    def __reduce__(self) -> tuple[type["PixelError"], tuple[Cause, str]]:
        return PixelError, (self.cause, str(self))


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded."""

    max_pixels: int = 200_000_000
    max_bytes: int = 200_000_000
    max_frames: int = 5_000


@dataclass(frozen=True)
class Upright:
    """An image as it is seen: mode RGB, upright, sRGB.

    plain: the file is upright, 8-bit RGB or grey, sRGB, of one frame and of a common format, so that
    its bytes may be kept as they are.
    full_size_px: width and height of the whole image, upright, also where `image` has fewer pixels.
    extent_px: how much of the last row and column of `image` counts, where it was decoded at a fraction.
    """

    image: Image.Image
    plain: bool
    format: str
    full_size_px: tuple[int, int]
    extent_px: tuple[float, float]


@dataclass(frozen=True)
class Decoded:
    """An image as it is seen: `pixels` uint8 [H, W, 3] RGB, upright, sRGB; the rest as in Upright."""

    pixels: npt.NDArray[np.uint8]
    plain: bool
    format: str
    full_size_px: tuple[int, int]


def decode(content: bytes, *, limits: Limits, enough_px: int | None = None) -> Decoded:
    """The image that `content` holds.

    enough_px: a longest side that is enough: a large JPEG is then decoded at 1/2, 1/4 or 1/8 of its
    size, which is several times faster; its longest side is still at least that long.
    Raises PixelError with its cause where `content` is no image, is cut off or passes a limit.
    """

    def enough(size_px: tuple[int, int]) -> float:
        return 1.0 if enough_px is None else enough_px / max(size_px)

    seen = upright(content, limits=limits, enough=enough)
    return Decoded(np.asarray(seen.image), seen.plain, seen.format, seen.full_size_px)


def upright(
    content: bytes, *, limits: Limits, enough: Callable[[tuple[int, int]], float]
) -> Upright:
    """The image that `content` holds, as Pillow's.

    enough: of an image's width and height, the share of its sides that is enough, as in `decode`; 1 or more: all.
    Raises PixelError as `decode` does.
    """
    with _opened(content, limits) as image:
        size = image.size
        is_plain = _is_plain(image)
        extent: tuple[float, float] = size
        share = enough(size)
        if share < 1 and image.format in ("JPEG", "MPO"):
            extent = _draft(image, share)
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            # In one piece: in the usual ones of 64 KB a twentieth of the time is lost.
            image.decodermaxblock = max(len(content), image.decodermaxblock)
        kind = str(image.format)
        # The whole file is decoded here, so that none that is cut off gets by.
        image.load()
        # Loading turns some formats by itself, and then says that they are upright.
        turn = image.getexif().get(ORIENTATION_TAG, 1)
        shown = to_srgb(image.transpose(_TURNS[turn]) if turn in _TURNS else image)
    if turn in _SIDEWAYS:
        size, extent = size[::-1], extent[::-1]
    return Upright(shown, is_plain, kind, size, extent)


def shrink(pixels: npt.NDArray[np.uint8], *, max_side_px: int) -> npt.NDArray[np.uint8]:
    """`pixels` [H, W, 3] with the longest side at most `max_side_px`; unchanged where it fits already."""
    height, width = pixels.shape[:2]
    scale = max_side_px / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(
        Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    )


def encode_jpeg(pixels: npt.NDArray[np.uint8], *, quality: int, tight: bool = True) -> bytes:
    """`pixels` [H, W, 3] as a JPEG file, colours at full resolution, without any metadata.

    tight: with code tables made for this image: 3 % fewer bytes, twice the time, the same pixels.
    """
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    try:
        image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=tight)
    except OSError:
        if not tight:
            raise
        # Pillow guesses how much room the tight way needs, too little for a photo that is all detail.
        return encode_jpeg(pixels, quality=quality, tight=False)
    return buffer.getvalue()


def require_few_bytes(content: bytes, limits: Limits) -> None:
    """Raises PixelError where `content` has more bytes than the limit."""
    if len(content) > limits.max_bytes:
        raise PixelError(
            Cause.TOO_MANY_BYTES,
            f"the file has {len(content):,} bytes; at most {limits.max_bytes:,} were expected; "
            "make it smaller or raise --max-bytes",
        )


@contextmanager
def _opened(content: bytes, limits: Limits) -> Iterator[Image.Image]:
    _register_phone_formats()
    if not content:
        raise PixelError(Cause.EMPTY, "the file is empty; an image was expected; copy it again")
    require_few_bytes(content, limits)
    # Pillow makes room for a WebP's canvas before it tells its size.
    _require_few_pixels(webp_size(content) or (0, 0), limits)
    with _pixel_errors(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _require_few_pixels(image.size, limits)
        _require_few_frames(image, content, limits)
        yield image


def _require_few_pixels(size_px: tuple[int, int], limits: Limits) -> None:
    width, height = size_px
    if width * height > limits.max_pixels:
        raise PixelError(
            Cause.TOO_MANY_PIXELS,
            f"the image has {width:,} × {height:,} pixels; at most {limits.max_pixels:,} in all "
            "were expected; make it smaller or raise --max-pixels",
        )


def _require_few_frames(image: Image.Image, content: bytes, limits: Limits) -> None:
    most = limits.max_frames
    if image.format == "GIF":
        has_more = gif_frames(content, at_most=most) > most
    elif image.format == "TIFF":
        has_more = len(content) > most * MIN_TIFF_FRAME_BYTES and _can_seek(image, most)
    else:
        has_more = getattr(image, "n_frames", 1) > most
    if has_more:
        raise PixelError(
            Cause.TOO_MANY_FRAMES,
            f"the image has more than {most:,} frames; a photo was expected; remove it or take one frame out of it",
        )


def _can_seek(image: Image.Image, frame: int) -> bool:
    try:
        image.seek(frame)
    except EOFError:
        image.seek(0)
        return False
    return True


@contextmanager
def _pixel_errors() -> Iterator[None]:
    try:
        yield
    except (PixelError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise PixelError(
            Cause.NOT_AN_IMAGE,
            f"the file is no image; one of {', '.join(FORMATS)} was expected; remove or convert it",
        ) from None
    # Decoders raise whatever they meet in broken bytes; this is the door between them and us.
    except Exception as error:  # noqa: BLE001
        cut = isinstance(error, (OSError, EOFError)) and "truncated" in str(error).lower()
        cut = cut or isinstance(error, EOFError) or "end of file" in str(error).lower()
        cause = Cause.TRUNCATED if cut else Cause.UNREADABLE
        raise PixelError(
            cause,
            f"the image is {cause} ({type(error).__name__}: {error}); a whole image was expected; "
            "copy it again from where it came",
        ) from None


def _register_phone_formats() -> None:
    with _REGISTER_LOCK:
        if not _registered:
            import pi_heif

            Image.init()
            pi_heif.register_heif_opener()
            # A cut-off photo is never to pass as a whole one.
            ImageFile.LOAD_TRUNCATED_IMAGES = False
            # Our own limit decides, before anything is decoded.
            Image.MAX_IMAGE_PIXELS = None
            # Odd metadata is no fault of the photo.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            logging.getLogger("PIL").setLevel(logging.WARNING)
            _registered.append("HEIF")


def _is_plain(image: Image.Image) -> bool:
    if image.format not in UNTOUCHED_SUFFIX or image.mode not in ("RGB", "L"):
        return False
    oriented = image.getexif().get(ORIENTATION_TAG, 1) not in (None, 0, 1)
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    profile = image.info.get("icc_profile")
    return (
        "transparency" not in image.info
        and not oriented
        and frames == 1
        and (not profile or is_srgb(profile))
        and not any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    )


def _draft(image: Image.Image, share: float) -> tuple[float, float]:
    """`image` is set to be decoded at a fraction of its size that is at least `share`; its extent then."""
    width, height = image.size
    drafted = image.draft(None, (math.ceil(width * share), math.ceil(height * share)))
    return drafted[1][2:] if drafted else (width, height)
