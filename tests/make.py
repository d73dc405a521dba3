"""Small builders of the data that tests need: photos, folders, catalogs."""

import colorsys
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.algorithms.duplicates import likeness
from cairn.records.catalog import Catalog

Pixels = npt.NDArray[np.uint8]


def pixels(seed: int, *, height: int = 96, width: int = 128) -> Pixels:
    """Smooth colours that differ from seed to seed, so that no two are near copies."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def jpeg(seed: int, *, height: int = 96, width: int = 128, quality: int = 90) -> bytes:
    """A JPEG file of `pixels(seed)`."""
    return encoded(pixels(seed, height=height, width=width), "JPEG", quality=quality)


def encoded(array: npt.NDArray[np.generic], kind: str, **options: object) -> bytes:
    """A file of an array, in a format that Pillow names."""
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


def photo_folder(root: Path, counts: Mapping[str, int], *, first_seed: int = 0) -> Path:
    """`root` with a folder for each landmark of `counts`, each with so many different photos."""
    seed = first_seed
    for landmark_id, count in counts.items():
        (root / landmark_id).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / landmark_id / f"{number:03}.jpg").write_bytes(jpeg(seed))
            seed += 1
    return root


def catalog(
    truths: Sequence[list[str] | None], *, likenesses: Sequence[bytes] | None = None
) -> Catalog:
    """A catalog of kept images, one for each truth, with ids `i0000` on; all unlike unless told."""
    rng = np.random.default_rng(1234)
    given = likenesses or [rng.bytes(64) for _ in truths]
    return Catalog.of(
        {
            "list": "made", "row": row, "image_id": f"i{row:04}", "source": f"{row}.jpg",
            "own_landmark_ids": truth, "landmark_ids": truth, "status": "kept", "path": f"images/{row}.jpg",
            "size_bytes": 1, "digest": f"{row:064x}", "kept_digest": f"{row:064x}",
            "likeness": given[row],
        }
        for row, truth in enumerate(truths)
    )  # fmt: skip


def likeness_of(array: Pixels) -> bytes:
    """The likeness that import would record."""
    return likeness(array)


def alike_photos(seed: int, count: int) -> list[bytes]:
    """Photos of one invented thing: crops of it in other light, in a hue of its own, none a copy."""
    rng = np.random.default_rng(seed)
    hue = np.array(colorsys.hsv_to_rgb(seed * 0.27 % 1, 0.9, 0.9)) * 255
    whole = Image.fromarray(pixels(seed, height=240, width=320))
    photos = []
    for _ in range(count):
        left, top = (int(rng.integers(0, 90)) for _ in range(2))
        part = whole.crop((left, top, left + 200, top + 150)).resize((128, 96))
        mixed = 0.5 * np.asarray(part, dtype=np.float64) + 0.5 * hue
        seen = mixed * rng.uniform(0.85, 1.1) + rng.normal(0, 10, (96, 128, 3))
        photos.append(encoded(seen.clip(0, 255).astype(np.uint8), "JPEG", quality=90))
    return photos


def landmark_folder(
    root: Path, *, n_landmarks: int = 4, n_photos: int = 10, n_none: int = 12
) -> Path:
    """`root` with folders of alike photos, and `_none` with photos that are alike with nothing."""
    for number in range(n_landmarks):
        place = root / f"landmark_{number}"
        place.mkdir(parents=True)
        for i, content in enumerate(alike_photos(100 + number, n_photos)):
            (place / f"{i:03}.jpg").write_bytes(content)
    return photo_folder(root, {"_none": n_none}, first_seed=500) if n_none else root


def views(seed: int, count: int) -> list[bytes]:
    """Photos of one flat thing with many details, each from a little elsewhere; other seeds are other things."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (45, 60, 3), dtype=np.uint8)
    wall = Image.fromarray(coarse).resize((720, 540), Image.Resampling.BICUBIC)
    photos = []
    for _ in range(count):
        left, top = (int(rng.integers(0, 160)) for _ in range(2))
        width = int(rng.integers(400, 520))
        part = wall.crop((left, top, left + width, top + width * 3 // 4)).resize((400, 300))
        light = np.asarray(part, dtype=np.float64) * rng.uniform(0.8, 1.1)
        photos.append(encoded(light.clip(0, 255).astype(np.uint8), "JPEG", quality=90))
    return photos
