"""The one recogniser: page, API, command line and evaluation all ask it, and none has a rule of its own."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors.numpy import load_file

from cairn.algorithms.answering import Answers, FittedRecognizer, answer
from cairn.algorithms.candidates import Gallery
from cairn.base.errors import BundleError, InputError
from cairn.base.files import safe_name
from cairn.base.settings import RecognizeSettings
from cairn.bundles import (
    CALIBRATION,
    CARD,
    COPY_AGAIN,
    DISTRACTORS,
    GALLERY,
    HEAD,
    INDEX,
    LANDMARKS,
    THUMBNAILS,
    Bundle,
    open_bundle,
)
from cairn.images.pixels import Cause, Limits, PixelError, decode, shrink
from cairn.indexes import GalleryIndex, read_index
from cairn.models.embedder import Embedder, open_embedder
from cairn.records.descriptors import Descriptors
from cairn.records.gallery_images import read_gallery_images
from cairn.records.landmarks import Landmarks
from cairn.records.recognitions import (
    BELOW_THRESHOLD,
    UNREADABLE,
    Candidate,
    Evidence,
    Recognition,
)

Pixels = npt.NDArray[np.uint8]
Image = str | Path | bytes | Pixels
STEPS = ("decode", "describe", "search", "verify")
LOAD_TRIES = 5


@dataclass(frozen=True)
class Recognizer:
    """Answers which landmarks an image shows, from one bundle; safe to share between threads."""

    bundle: Bundle
    fitted: FittedRecognizer
    index: GalleryIndex
    embedder: Embedder
    gallery: pl.DataFrame
    landmarks: Landmarks

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
            whole, _fitted(whole, gallery, landmarks, index), index,
            open_embedder(whole.backbone, whole.card.describe), gallery, landmarks,
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
                pixels = self._pixels(image, Limits(chosen.max_pixels, chosen.max_bytes))
            with _timed(time_ms, "describe"):
                vector = self.embedder.describe_one(pixels)
        except InputError as error:
            return Recognition(called, (), (), UNREADABLE, str(error), time_ms)
        with _timed(time_ms, "search"):
            found = self._answer(vector[None], chosen)
        return self._recognition(called, found, 0, time_ms)

    def recognize_descriptors(
        self, descriptors: Descriptors, *, settings: RecognizeSettings | None = None
    ) -> list[Recognition]:
        """The answers for images that were described already; each `image` is its image_id.

        Raises InputError where the descriptors were made in another way than the gallery's.
        """
        if descriptors.source != self.embedder.source:
            raise InputError(
                f"the descriptors come from {descriptors.source[:16]}, the bundle's from "
                f"{self.embedder.source[:16]}; the same backbone, weights and settings were expected; "
                "describe the images as the bundle's card says"
            )
        found = self._answer(descriptors.vectors, settings or RecognizeSettings())
        return [
            self._recognition(image_id, found, row, _no_time())
            for row, image_id in enumerate(descriptors.image_ids)
        ]

    def thumbnail(self, image_id: str) -> bytes | None:
        """A small JPEG of a gallery image, or None where the bundle holds none."""
        path = self.bundle.folder / THUMBNAILS / f"{safe_name(image_id)}.jpg"
        return path.read_bytes() if path.is_file() else None

    def _pixels(self, image: Image, limits: Limits) -> Pixels:
        if isinstance(image, np.ndarray):
            return shrink(image, max_side_px=self.bundle.card.max_side_px)
        content = image if isinstance(image, bytes) else _read(Path(image))
        side_px = self.bundle.card.max_side_px
        # The gallery's images were made as small when they were imported.
        return shrink(
            decode(content, limits=limits, enough_px=2 * side_px).pixels, max_side_px=side_px
        )

    def _answer(self, vectors: npt.NDArray[np.float32], settings: RecognizeSettings) -> Answers:
        return answer(
            self.fitted, vectors,
            n_candidates=settings.n_candidates, n_evidence=settings.n_evidence,
        )  # fmt: skip

    def _recognition(
        self, name: str, found: Answers, row: int, time_ms: dict[str, float]
    ) -> Recognition:
        candidates = tuple(
            self._candidate(found, row, place)
            for place, position in enumerate(found.landmarks[row].tolist())
            if position >= 0
        )
        answers = tuple(c.landmark_id for c in candidates if c.probability >= self.threshold)
        return Recognition(
            name, answers, candidates, None if answers else BELOW_THRESHOLD, None, time_ms
        )

    def _candidate(self, found: Answers, row: int, place: int) -> Candidate:
        landmark = self.landmarks.table.row(int(found.landmarks[row, place]), named=True)
        rows, similarities = found.evidence[row, place], found.evidence_similarities[row, place]
        return Candidate(
            landmark_id=landmark["landmark_id"],
            name=landmark["name"] or landmark["landmark_id"],
            score=float(found.scores[row, place]),
            probability=float(found.probabilities[row, place]),
            latitude=landmark["latitude"],
            longitude=landmark["longitude"],
            evidence=tuple(
                Evidence(self.gallery["image_id"][gallery_row], float(similarity))
                for gallery_row, similarity in zip(rows.tolist(), similarities, strict=True)
                if gallery_row >= 0
            ),
        )


def _card_bytes(folder: Path) -> bytes | None:
    try:
        return (folder / CARD).read_bytes()
    except OSError:
        return None


def _fitted(
    bundle: Bundle, gallery: pl.DataFrame, landmarks: Landmarks, index: GalleryIndex
) -> FittedRecognizer:
    ids: Sequence[str] = landmarks.table["landmark_id"].to_list()
    position = {landmark_id: i for i, landmark_id in enumerate(ids)}
    readable = json.loads((bundle.folder / CALIBRATION).read_bytes())
    arrays = {name: np.asarray(values) for name, values in readable.items()}
    try:
        mains = [position[shown[0]] for shown in gallery["landmark_ids"]]
        held = Gallery(
            index.vectors,
            np.array(mains, dtype=np.int64),
            np.load(bundle.folder / DISTRACTORS, allow_pickle=False),
        )
        return FittedRecognizer.from_arrays({**load_file(bundle.folder / HEAD), **arrays}, held)
    except KeyError as error:
        raise BundleError(
            f"the bundle {bundle.folder} does not fit together: {error} is missing; files that were written "
            f"together were expected; {COPY_AGAIN}"
        ) from error


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
