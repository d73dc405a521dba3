"""The one recogniser: page, API, command line and evaluation all ask it, and none has a rule of its own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.answering import Answers, FittedRecognizer, answer
from cairn.algorithms.regions import region_of, seen_apart
from cairn.algorithms.surprise import SURE_MATCH
from cairn.algorithms.verifying import Matcher, PointMatch, match_points
from cairn.base.errors import BundleError, InputError
from cairn.base.files import safe_name
from cairn.base.settings import RecognizeSettings
from cairn.bundles import (
    CARD,
    GALLERY,
    INDEX,
    LANDMARKS,
    POINTS,
    THUMBNAILS,
    Bundle,
    fitted_of,
    open_bundle,
)
from cairn.engines.local import LocalEngine
from cairn.images.pixels import Cause, Limits, PixelError, decode, shrink
from cairn.indexes import GalleryIndex, read_index
from cairn.models.embedder import Embedder, open_embedder
from cairn.models.image_points import as_points, find_points
from cairn.records.descriptors import Descriptors
from cairn.records.gallery_images import read_gallery_images
from cairn.records.landmarks import Landmarks
from cairn.records.points import ImagePoints, PointTable
from cairn.records.recognitions import (
    BELOW_THRESHOLD,
    UNREADABLE,
    Candidate,
    Evidence,
    Recognition,
    Region,
)

Pixels = npt.NDArray[np.uint8]
Image = str | Path | bytes | Pixels
STEPS = ("decode", "describe", "search", "verify")
LOAD_TRIES = 5


@dataclass(frozen=True)
class _Seen:
    """An image as it is described, and the width and height that it has in full."""

    pixels: Pixels
    full_size_px: tuple[int, int]


@dataclass(frozen=True)
class Recognizer:
    """Answers which landmarks an image shows, from one bundle; safe to share between threads."""

    bundle: Bundle
    fitted: FittedRecognizer
    index: GalleryIndex
    embedder: Embedder
    gallery: pl.DataFrame
    landmarks: Landmarks
    points: PointTable | None = None

    @staticmethod
    def load(bundle: str | Path) -> "Recognizer":
        """The recogniser of a bundle: the folder that `cairn index` has made, wherever it was copied.

        A bundle that is replaced while it is read, as by `cairn add`, is read again.
        Raises InputError where there is no such folder, and BundleError where a file is missing or altered.
        """
        folder = Path(bundle)
        for _ in range(LOAD_TRIES - 1):
            before = _card_bytes(folder)
            try:
                loaded = Recognizer._load(folder)
            except (BundleError, InputError, OSError):
                if _card_bytes(folder) == before:
                    raise
                continue
            if _card_bytes(folder) == before:
                return loaded
        return Recognizer._load(folder)

    @staticmethod
    def _load(folder: Path) -> "Recognizer":
        whole = open_bundle(folder)
        gallery = read_gallery_images(whole.folder / GALLERY)
        landmarks = Landmarks.read(whole.folder / LANDMARKS)
        index = read_index(whole.folder / INDEX, n_images=len(gallery))
        return Recognizer(
            whole, fitted_of(whole, gallery, landmarks, index), index,
            open_embedder(whole.backbone, whole.card.describe), gallery, landmarks,
            PointTable.read(whole.folder / POINTS, n_images=len(gallery)) if whole.has_points else None,
        )  # fmt: skip

    @property
    def landmark_ids(self) -> list[str]:
        """The landmarks that may be answered, sorted: the main ones of the gallery's images."""
        return sorted(self.gallery["landmark_ids"].list.first().drop_nulls().unique())

    @property
    def threshold(self) -> float:
        """The probability from which a candidate becomes an answer."""
        return self.fitted.threshold

    def recognize(
        self, image: Image, *, name: str | None = None, settings: RecognizeSettings | None = None
    ) -> Recognition:
        """The answer for one image: a path, the bytes of a file, or pixels uint8 [H, W, 3] RGB, upright.

        name: what the answer calls the image; by default its path.
        A file that cannot be read gives an answer with its `error`, and raises nothing.
        """
        called = name or (str(image) if isinstance(image, str | Path) else "image")
        time_ms, chosen = _no_time(), settings or RecognizeSettings()
        try:
            with _timed(time_ms, "decode"):
                seen = self._seen(image, Limits(chosen.max_pixels, chosen.max_bytes))
            with _timed(time_ms, "describe"):
                vector = self.embedder.describe_one(seen.pixels)
        except InputError as error:
            return Recognition(called, (), (), UNREADABLE, str(error), time_ms)
        match = self._matcher(lambda _: find_points(seen.pixels, seen.full_size_px), time_ms)
        with _timed(time_ms, "search"):
            found = self._answer(vector[None], chosen, match)
        time_ms["search"] -= time_ms["verify"]
        return self._recognition(called, found, 0, time_ms)

    def recognize_descriptors(
        self,
        descriptors: Descriptors,
        *,
        settings: RecognizeSettings | None = None,
        points_of: Callable[[int], ImagePoints] | None = None,
    ) -> list[Recognition]:
        """The answers for images that were described already; each `image` is its image_id.

        points_of: the points of the image in that row of `descriptors`; may be asked by several threads. Without it
        nothing is verified, and probabilities are those of what was not.
        Raises InputError where the descriptors were made in another way than the gallery's.
        """
        if descriptors.source != self.embedder.source:
            raise InputError(
                f"the descriptors come from {descriptors.source[:16]}, the bundle's from "
                f"{self.embedder.source[:16]}; the same backbone, weights and settings were expected; "
                "describe the images as the bundle's card says"
            )
        match = None if points_of is None else self._matcher(points_of, _no_time())
        found = self._answer(descriptors.vectors, settings or RecognizeSettings(), match)
        return [
            self._recognition(image_id, found, row, _no_time())
            for row, image_id in enumerate(descriptors.image_ids)
        ]

    def thumbnail(self, image_id: str) -> bytes | None:
        """A small JPEG of a gallery image, or None where the bundle holds none."""
        path = self.bundle.folder / THUMBNAILS / f"{safe_name(image_id)}.jpg"
        return path.read_bytes() if path.is_file() else None

    def _seen(self, image: Image, limits: Limits) -> _Seen:
        side_px = self.bundle.card.max_side_px
        if isinstance(image, np.ndarray):
            height, width = image.shape[:2]
            return _Seen(shrink(image, max_side_px=side_px), (width, height))
        content = image if isinstance(image, bytes) else _read(Path(image))
        found = decode(content, limits=limits, enough_px=2 * side_px)
        # The gallery's images were made as small when they were imported.
        return _Seen(shrink(found.pixels, max_side_px=side_px), found.full_size_px)

    def _answer(
        self, vectors: npt.NDArray[np.float32], settings: RecognizeSettings, match: Matcher | None
    ) -> Answers:
        return answer(
            self.fitted, vectors, n_candidates=settings.n_candidates,
            n_evidence=settings.n_evidence, match=match, has_points=self._has_points,
            match_all=settings.match_all,
        )  # fmt: skip

    @cached_property
    def _has_points(self) -> npt.NDArray[np.bool_] | None:
        return None if self.points is None else self.points.counts > 0

    def _matcher(
        self, points_of: Callable[[int], ImagePoints], time_ms: dict[str, float]
    ) -> Matcher | None:
        """Matches queries, by their row, with images of the gallery; None where the bundle has no points."""
        table = self.points
        if table is None:
            return None
        engine = LocalEngine()

        def match(pairs: npt.NDArray[np.int64]) -> list[PointMatch]:
            with _timed(time_ms, "verify"):
                queries = np.unique(pairs[:, 0]).tolist()
                found = engine.map(lambda row: as_points(points_of(row)), queries)
                points = dict(zip(queries, found, strict=True))
                return list(
                    engine.map(
                        lambda pair: match_points(points[pair[0]], as_points(table.of(pair[1]))),
                        pairs.tolist(),
                    )
                )

        return match

    def _recognition(
        self, name: str, found: Answers, row: int, time_ms: dict[str, float]
    ) -> Recognition:
        candidates = tuple(
            self._candidate(found, row, place)
            for place, position in enumerate(found.landmarks[row].tolist())
            if position >= 0
        )
        over = [c for c in candidates if c.probability >= self.threshold]
        shown = seen_apart([None if c.region is None else c.region.box for c in over])
        answers = tuple(over[place].landmark_id for place in shown)
        return Recognition(
            name, answers, candidates, None if answers else BELOW_THRESHOLD, None, time_ms
        )

    def _candidate(self, found: Answers, row: int, place: int) -> Candidate:
        landmark = self.landmarks.table.row(int(found.landmarks[row, place]), named=True)
        rows = found.evidence[row, place].tolist()
        similarities = found.evidence_similarities[row, place].tolist()
        matches = [found.matches.get((row, gallery_row)) for gallery_row in rows]
        return Candidate(
            landmark_id=landmark["landmark_id"],
            name=landmark["name"] or landmark["landmark_id"],
            score=float(found.scores[row, place]),
            probability=float(found.probabilities[row, place]),
            latitude=landmark["latitude"],
            longitude=landmark["longitude"],
            region=None if (box := region_of(matches)) is None else Region(*box),
            evidence=tuple(
                self._evidence(gallery_row, similarity, match)
                for gallery_row, similarity, match in zip(rows, similarities, matches, strict=True)
                if gallery_row >= 0
            ),
        )

    def _evidence(self, row: int, similarity: float, match: PointMatch | None) -> Evidence:
        told = self.gallery.row(row, named=True)
        points: tuple[tuple[float, float, float, float], ...] = ()
        if match is not None and match.surprise >= SURE_MATCH:
            both = np.hstack([match.query_places, match.gallery_places])
            points = tuple(map(tuple, both.tolist()))
        size = None if self.points is None else tuple(self.points.sizes[row].tolist())
        return Evidence(
            told["image_id"], similarity, None if match is None else len(match.query_places),
            points, size if size and all(size) else None, told["licence"], told["author"],
        )  # fmt: skip


def _card_bytes(folder: Path) -> bytes | None:
    try:
        return (folder / CARD).read_bytes()
    except OSError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PixelError(
            Cause.UNREADABLE,
            f"the file cannot be read: {error.strerror}; a photo was expected there; check the path",
        ) from error


def _no_time() -> dict[str, float]:
    return dict.fromkeys(STEPS, 0.0)


@contextmanager
def _timed(time_ms: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        time_ms[step] = 1000 * (time.perf_counter() - started)
