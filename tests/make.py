"""Small builders of the data that tests need: photos, folders, catalogs."""

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
            "landmark_ids": truth, "status": "kept", "path": f"images/{row}.jpg",
            "size_bytes": 1, "digest": f"{row:064x}", "kept_digest": f"{row:064x}",
            "likeness": given[row],
        }
        for row, truth in enumerate(truths)
    )  # fmt: skip


def likeness_of(array: Pixels) -> bytes:
    """The likeness that import would record."""
    return likeness(array)
