"""Points over a work folder: found once for each image's bytes, and read again image by image.

They lie in `points/<way>/`, in parts that are written whole, as descriptors do.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from cairn.algorithms.verifying import Matcher, PointMatch, Points, match_points
from cairn.base.files import digest_json, write_bytes
from cairn.base.watching import Watch
from cairn.engines.local import Engine, LocalEngine
from cairn.images.store import ImageStore
from cairn.models.image_points import POINTS_WAY, as_points, find_points
from cairn.pipeline.describing import current_images
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.points import ImagePoints
from cairn.stages.describe import KeptImage, checked_image, chunks

# What Ctrl-C may cost, at most.
IMAGES_A_PART = 64
DIGEST_BYTES = 32
# Unpacked points of an image take 180 KB.
N_KEPT = 1_000

Ints = npt.NDArray[np.int64]


class ImagesWithPoints:
    """The points of some images of a work folder, read when they are asked for; safe to share between threads."""

    def __init__(self, images: Sequence[KeptImage], parts: dict[str, tuple[Path, int]]) -> None:
        self._digests = [image.digest for image in images]
        self._parts = parts
        self._unpacked: OrderedDict[int, Points] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._digests)

    def of(self, row: int) -> ImagePoints:
        """The points of one image."""
        path, place = self._parts[self._digests[row]]
        with safe_open(path, framework="np") as part:
            start, end = part.get_slice("starts")[place : place + 2].tolist()
            width, height = part.get_slice("sizes")[place : place + 1][0].tolist()
            # An empty slice cannot be asked for.
            if start == end:
                return ImagePoints(*_nothing(), (width, height))
            places = part.get_slice("places")[start:end]
            return ImagePoints(places, part.get_slice("codes")[start:end], (width, height))

    def from_row(self, first: int) -> Callable[[int], ImagePoints]:
        """The points by row, counted from `first`."""
        return lambda row: self.of(first + row)

    def points(self, row: int) -> Points:
        """The points of one image, ready to be matched; those asked for last are kept."""
        with self._lock:
            if row in self._unpacked:
                self._unpacked.move_to_end(row)
                return self._unpacked[row]
        found = as_points(self.of(row))
        with self._lock:
            self._unpacked[row] = found
            while len(self._unpacked) > N_KEPT:
                self._unpacked.popitem(last=False)
        return found

    def matcher(self, engine: Engine) -> Matcher:
        """Matches pairs of these images by row."""

        def one(pair: Sequence[int]) -> PointMatch:
            return match_points(self.points(pair[0]), self.points(pair[1]))

        return lambda pairs: list(engine.map(one, pairs.tolist()))


def points_of(
    work: WorkFolder, images: Sequence[KeptImage], *, engine: Engine, watch: Watch
) -> ImagesWithPoints:
    """The points of `images`, by their place; only those that are missing are found.

    Raises InputError where an image has gone, has changed or no longer decodes.
    """
    folder = work.points(POINTS_WAY)
    parts = _parts(folder)
    missing = [
        image
        for image in {image.digest: image for image in images}.values()
        if image.digest not in parts
    ]
    if missing:
        with watch.phase("find points", len(missing)) as advance:
            for chunk in chunks(missing, IMAGES_A_PART):
                found = []
                for one in engine.map(lambda image: points_of_image(image, work.images), chunk):
                    found.append(one)
                    advance(1)
                path = _write_part(folder, [image.digest for image in chunk], found)
                parts |= {image.digest: (path, place) for place, image in enumerate(chunk)}
    return ImagesWithPoints(images, parts)


def points_of_ids(
    work: WorkFolder, catalog: Catalog, image_ids: Iterable[str], watch: Watch
) -> ImagesWithPoints:
    """The points of the images of the catalog that are called so, in that order."""
    kept = {image.image_id: image for image in current_images(work, catalog)}
    asked = [kept[image_id] for image_id in image_ids]
    return points_of(work, asked, engine=LocalEngine(), watch=watch)


def points_of_image(image: KeptImage, store: ImageStore) -> ImagePoints:
    """The points of one image.

    Raises InputError where it has gone, has changed or no longer decodes.
    """
    pixels = checked_image(image, store).pixels
    height, width = pixels.shape[:2]
    return find_points(pixels, (width, height))


def _write_part(folder: Path, digests: Sequence[str], found: Sequence[ImagePoints]) -> Path:
    path = folder / f"{digest_json([*digests])[:24]}.safetensors"
    nothing = _nothing()
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "digests": np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, DIGEST_BYTES),
        "starts": np.cumsum([0, *(len(one.places) for one in found)]).astype(np.int64),
        "places": np.concatenate([nothing[0], *(one.places for one in found)]),
        "codes": np.concatenate([nothing[1], *(one.codes for one in found)]),
        "sizes": np.array([one.size_px for one in found], np.int32),
    }  # fmt: skip
    write_bytes(path, save(arrays))
    return path


def _parts(folder: Path) -> dict[str, tuple[Path, int]]:
    """The part that holds each image's points, and its place there, by digest; one that cannot be read is not made."""
    known: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="np") as part:
                digests = part.get_tensor("digests")
                n_points = int(part.get_tensor("starts")[-1])
                is_whole = part.get_slice("codes").get_shape()[0] == n_points
        except OSError:
            continue
        except (SafetensorError, IndexError):
            path.unlink(missing_ok=True)
            continue
        if is_whole:
            known |= {row.tobytes().hex(): (path, place) for place, row in enumerate(digests)}
    return known


def _nothing() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint8]]:
    none = ImagePoints.none()
    return none.places, none.codes
