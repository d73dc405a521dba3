"""What each format of a bundle's network does to its answers, about the test part of a work folder or about photos."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.base.settings import EvaluateSettings, RecognizeSettings
from cairn.base.watching import Watch
from cairn.bundles import Bundle
from cairn.engines.local import LocalEngine
from cairn.models.embedder import Embedder
from cairn.pipeline.describing import current_images
from cairn.pipeline.work_folder import WorkFolder
from cairn.recognizer import Recognizer
from cairn.records.descriptors import Descriptors
from cairn.records.parity import AnswerChange
from cairn.records.recognitions import Recognition
from cairn.records.split import TEST
from cairn.stages.describe import KeptImage, describe
from cairn.stages.evaluate import evaluate

Pixels8 = npt.NDArray[np.uint8]
SIGHT = RecognizeSettings(n_candidates=5, n_evidence=1)
# The change of a score needs no interval here; `cairn evaluate` gives one.
ONCE = EvaluateSettings(n_bootstrap=0)


@dataclass(frozen=True)
class Asked:
    """The labelled test images of a work folder; `truth` has image_id, landmark_ids and group."""

    work: WorkFolder
    images: tuple[KeptImage, ...]
    truth: pl.DataFrame

    @staticmethod
    def of(work: WorkFolder) -> "Asked | None":
        """Those of `work`, or None where it has no test part."""
        if not work.catalog_path.is_file() or not work.split_path.is_file():
            return None
        catalog = work.catalog()
        dealt = work.split().table.filter(pl.col("part") == TEST)
        shown = catalog.images.select("image_id", "landmark_ids").drop_nulls("landmark_ids")
        truth = dealt.join(shown, on="image_id", how="inner", maintain_order="left")
        known = {image.image_id: image for image in current_images(work, catalog)}
        images = tuple(known[image_id] for image_id in truth["image_id"])
        return (
            Asked(work, images, truth.select("image_id", "landmark_ids", "group"))
            if images
            else None
        )


def changes_on_test(
    bundle: Bundle, asked: Asked, embedders: Mapping[str, Embedder], watch: Watch
) -> dict[str, AnswerChange]:
    """What each format but the first changes of the answers of the first, with the change of GAP."""
    recognizer = Recognizer.load(bundle.folder)
    counts = dict(recognizer.gallery["landmark_ids"].explode().drop_nulls().value_counts().rows())
    answers, gaps = {}, {}
    with watch.phase("answer", len(asked.images) * len(embedders)) as advance:
        for name, embedder in embedders.items():
            vectors = describe(
                asked.images, store=asked.work.images, embedder=embedder, engine=LocalEngine(),
                advance=advance,
            )  # fmt: skip
            ids = tuple(image.image_id for image in asked.images)
            answers[name] = _answers(recognizer, embedder, ids, vectors)
            scores = evaluate(
                answers[name], asked.truth, gallery_counts=counts, out_of_fold=None, settings=ONCE
            )
            gaps[name] = scores.gap.value
    return _changes(answers, gaps)


def changes_on_photos(
    bundle: Bundle, images: Sequence[Pixels8], embedders: Mapping[str, Embedder]
) -> dict[str, AnswerChange]:
    """What each format but the first changes of the answers of the first about photos whose truth nobody knows."""
    recognizer = Recognizer.load(bundle.folder)
    ids = tuple(str(i) for i in range(len(images)))
    answers = {
        name: _answers(recognizer, one, ids, np.concatenate(list(one.describe(images))))
        for name, one in embedders.items()
    }
    return _changes(answers, dict.fromkeys(answers))


def _answers(
    recognizer: Recognizer,
    embedder: Embedder,
    ids: tuple[str, ...],
    vectors: npt.NDArray[np.float32],
) -> list[Recognition]:
    # The gallery stays in full precision: what is asked here is how far a format moves the queries.
    asked = replace(recognizer, embedder=embedder)
    return asked.recognize_descriptors(Descriptors(ids, vectors, embedder.source), settings=SIGHT)


def _changes(
    answers: Mapping[str, list[Recognition]], gaps: Mapping[str, float | None]
) -> dict[str, AnswerChange]:
    first = next(iter(answers))
    changes = {}
    for name in list(answers)[1:]:
        same = [_top(a) == _top(b) for a, b in zip(answers[first], answers[name], strict=True)]
        before, after = gaps[first], gaps[name]
        change = None if before is None or after is None else after - before
        changes[name] = AnswerChange(len(same), float(np.mean(same)), change)
    return changes


def _top(recognition: Recognition) -> str | None:
    return recognition.landmarks[0].landmark_id if recognition.landmarks else None
