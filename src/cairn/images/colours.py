"""Bringing what a file holds to 8-bit sRGB: profiles, transparency, palettes, more than 8 bits."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

SRGB_NAMES = ("srgb", "iec61966-2.1")
# A profile is read by a library in C: a huge one is no photo's.
MAX_PROFILE_BYTES = 4_000_000
# Cameras write a few small profiles over and over; larger ones are not held in memory.
_CACHED_PROFILE_BYTES = 20_000
_CACHED_PROFILES = 32


def is_srgb(profile: bytes) -> bool:
    """Whether a colour profile calls itself sRGB."""
    if len(profile) > _CACHED_PROFILE_BYTES:
        return _is_srgb(profile)
    return _is_srgb_cached(profile)


def to_srgb(image: Image.Image) -> Image.Image:
    """The image in mode RGB, its colours sRGB, on white where it is transparent."""
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
    if is_srgb(profile):
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    try:
        colours = image.convert("RGB") if alpha else image
        small = len(profile) <= _CACHED_PROFILE_BYTES
        make = _transform_cached if small else _transform
        shown = ImageCms.applyTransform(colours, make(profile, colours.mode))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if shown is None:
        return image
    if alpha:
        shown.putalpha(alpha)
    return shown


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


def _is_srgb(profile: bytes) -> bool:
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return False
    return any(word in name.lower() for word in SRGB_NAMES)


_is_srgb_cached = lru_cache(_CACHED_PROFILES)(_is_srgb)
_transform_cached = lru_cache(_CACHED_PROFILES)(_transform)
