"""From bytes to pixels, safely and once: limits first, then upright 8-bit sRGB; and back to JPEG."""

import io
import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from cairn.base.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
UNTOUCHED_SUFFIX = {"JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp"}
ORIENTATION_TAG = 0x0112
SRGB_NAMES = ("srgb", "iec61966-2.1")
# A profile is read by a library in C: a huge one is no photo's.
MAX_PROFILE_BYTES = 4_000_000
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
    NOT_AN_IMAGE = "not an image"


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


@dataclass(frozen=True)
class Decoded:
    """An image as it is seen: `pixels` uint8 [H, W, 3] RGB, upright, sRGB.

    plain: the file is upright, 8-bit RGB or grey, sRGB, of one frame and of a common format, so that
    its bytes may be kept as they are.
    full_size_px: width and height of the whole image, upright, also where `pixels` are fewer.
    """

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
    with _opened(content, limits) as image:
        width, height = image.size
        plain = _is_plain(image)
        lies_sideways = image.getexif().get(ORIENTATION_TAG) in (5, 6, 7, 8)
        if enough_px is not None and image.format in ("JPEG", "MPO"):
            share = enough_px / max(width, height)
            image.draft(None, (math.ceil(width * share), math.ceil(height * share)))
        kind = str(image.format)
        pixels = np.asarray(_decoded(image))
    return Decoded(pixels, plain, kind, (height, width) if lies_sideways else (width, height))


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


def encode_jpeg(pixels: npt.NDArray[np.uint8], *, quality: int) -> bytes:
    """`pixels` [H, W, 3] as a JPEG file, colours at full resolution, without any metadata."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
    return buffer.getvalue()


@contextmanager
def _opened(content: bytes, limits: Limits) -> Iterator[Image.Image]:
    _register_phone_formats()
    if not content:
        raise PixelError(Cause.EMPTY, "the file is empty; an image was expected; copy it again")
    if len(content) > limits.max_bytes:
        raise PixelError(
            Cause.TOO_MANY_BYTES,
            f"the file has {len(content):,} bytes; at most {limits.max_bytes:,} were expected; "
            "make it smaller or raise --max-bytes",
        )
    with _pixel_errors(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
        width, height = image.size
        if width * height > limits.max_pixels:
            raise PixelError(
                Cause.TOO_MANY_PIXELS,
                f"the image has {width:,} × {height:,} pixels; at most {limits.max_pixels:,} in all "
                "were expected; make it smaller or raise --max-pixels",
            )
        yield image


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
    oriented = image.getexif().get(ORIENTATION_TAG, 1) not in (None, 0, 1)
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    profile = image.info.get("icc_profile")
    is_deep = any(";16" in str(tile) for tile in getattr(image, "tile", ()))
    return (
        not is_deep
        and image.format in UNTOUCHED_SUFFIX
        and image.mode in ("RGB", "L")
        and "transparency" not in image.info
        and not oriented
        and frames == 1
        and (not profile or _is_srgb(profile))
    )


def _decoded(image: Image.Image) -> Image.Image:
    image.seek(0)
    image.load()
    upright = ImageOps.exif_transpose(image)
    return _to_srgb(upright)


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image).convert("RGB")
    if profile and len(profile) <= MAX_PROFILE_BYTES and image.mode in ("RGB", "CMYK", "L", "RGBA"):
        image = _through_profile(image, profile)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        shown = image.convert("RGBA")
        ground = Image.new("RGBA", shown.size, (255, 255, 255, 255))
        return Image.alpha_composite(ground, shown).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """An 8-bit grey image of one with 16 or 32 bits a pixel, or with floating numbers."""
    numbers = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    peak = float(numbers.max(initial=0.0))
    if image.mode.startswith("I;16"):
        full = 65535.0
    else:
        full = next((limit for limit in (1.0, 255.0, 65535.0) if peak <= limit), peak)
    return Image.fromarray((np.clip(numbers / full, 0, 1) * 255).round().astype(np.uint8))


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    if _is_srgb(profile):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        colours = image.convert("RGB") if alpha else image
        shown = ImageCms.profileToProfile(
            colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if shown is None:
        return image
    if alpha:
        shown.putalpha(alpha)
    return shown


def _is_srgb(profile: bytes) -> bool:
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return any(word in name.lower() for word in SRGB_NAMES)
