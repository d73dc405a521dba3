"""Evaluate over a work folder: the bundle is asked about the test part, scored, and a report written."""

import time
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.errors import InputError
from cairn.base.settings import EvaluateSettings, RecognizeSettings
from cairn.base.watching import Watch
from cairn.bundles import OUT_OF_FOLD, Bundle, BundleCard, open_bundle
from cairn.images.store import thumbnail
from cairn.pipeline.fitting import Described
from cairn.pipeline.pointing import points_of_ids
from cairn.pipeline.results import Evaluated, Parted
from cairn.pipeline.training_page import PAGE
from cairn.pipeline.whole_folders import held_bundle
from cairn.recognizer import Recognizer
from cairn.records.recognitions import write_recognitions
from cairn.records.scores import Scores
from cairn.records.split import TEST
from cairn.records.tables import read_table
from cairn.reports.contents import ReportContents
from cairn.reports.html import write_report
from cairn.reports.training import is_page_of
from cairn.stages.evaluate import evaluate

QUERIES_AT_ONCE = 256
SIGHT = RecognizeSettings(n_candidates=5, n_evidence=3)


def score_project(
    project: Described,
    name: str,
    *,
    settings: EvaluateSettings,
    watch: Watch,
    parted: Parted | None = None,
    started: float | None = None,
) -> Evaluated:
    """The scores of the bundle `name` on the test part; scores, answers and report lie in `reports/`.

    started: when the whole way began (monotonic seconds), for the report.
    """
    work = project.work
    folder = work.reports / name
    truth = project.truth(TEST)
    if truth.is_empty():
        raise InputError(
            f"the split of {work.root} has no labelled image in test; some were expected; give test a "
            f"share: cairn split {work.root} --ratio 80/10/10 --fresh"
        )
    recognizer = Recognizer.load(work.bundle(name))
    points = (
        points_of_ids(project.work, project.catalog, truth["image_id"], watch)
        if recognizer.points is not None
        else None
    )
    answers = []
    with watch.phase("recognize", len(truth)) as advance:
        for start in range(0, len(truth), QUERIES_AT_ONCE):
            part = truth["image_id"][start : start + QUERIES_AT_ONCE].to_list()
            answers += recognizer.recognize_descriptors(
                project.descriptors.take(part), settings=SIGHT,
                points_of=None if points is None else points.from_row(start),
            )  # fmt: skip
            advance(len(part))
    with watch.phase("score", 1) as advance:
        counts = recognizer.gallery["landmark_ids"].explode().drop_nulls().value_counts().rows()
        out_of_fold = read_table(
            recognizer.bundle.folder / OUT_OF_FOLD,
            what="out-of-fold answers",
            made_by="cairn index WORK",
        )
        asked = truth.select("image_id", "landmark_ids", "group")
        scores = evaluate(
            answers, asked, gallery_counts=dict(counts), out_of_fold=out_of_fold, settings=settings
        )
        advance(1)
    scores.write(folder / "scores.json")
    write_recognitions(answers, folder / "recognitions.jsonl")
    bundle = recognizer.bundle
    _keep_scores(bundle, scores)
    paths = dict(project.catalog.images.select("image_id", "path").iter_rows())
    report = folder / "report.html"
    with watch.phase("report", 1) as advance:
        write_report(
            report,
            ReportContents(
                dataset=project.catalog.dataset,
                bundle=name,
                scores=scores,
                catalog=project.catalog,
                split=work.split(),
                landmarks=work.landmarks(),
                recognitions=tuple(answers),
                truth=asked,
                thumbnail=lambda image_id: thumbnail(work.images, paths[image_id]),
                about=_about(project, recognizer, parted, started),
                next_command=f"cairn recognize {bundle.folder} PHOTO",
                training_page=_training_page(folder, bundle.card),
            ),
        )
        advance(1)
    return Evaluated(work, bundle.folder, scores, report)


def _keep_scores(bundle: Bundle, scores: Scores) -> None:
    """The bundle's card has the scores, unless another bundle has taken its place meanwhile."""
    told = {key: estimate.value for key, estimate in scores.estimates().items()}
    with held_bundle(bundle.folder, waits=True):
        if open_bundle(bundle.folder).card == bundle.card:
            bundle.card.model_copy(update={"scores": told}).write(bundle.folder)


def _training_page(folder: Path, card: BundleCard) -> str | None:
    """The page of the training of the bundle's network, where that lies in `folder`, and not another's."""
    told = card.network_training
    return PAGE if told and is_page_of(folder / PAGE, told.key) else None


def _about(
    project: Described, recognizer: Recognizer, parted: Parted | None, started: float | None
) -> dict[str, str]:
    card = recognizer.bundle.card
    describe = card.describe
    told = {
        "Cairn": card.cairn,
        "Backbone": f"{card.backbone.name} ({card.backbone.config.architecture})",
        "Descriptor": f"{card.descriptor_width:,} numbers; {' + '.join(describe.pooling)} at "
        f"{', '.join(map(str, describe.sides_px))} px, shape {'kept' if describe.keep_shape else 'squashed'}, in {describe.describe_in}",
        "Gallery": f"{counted(card.n_images, 'image')} of {counted(card.n_landmarks, 'landmark')}, "
        f"{counted(card.n_distractors, 'distractor')}",
        "Threshold": f"probability {card.threshold:.3f}, for a precision of {card.train.precision:.0%}",
    }
    split_card = project.work.card("split")
    if split_card is not None:
        shares = split_card.settings["ratio"]
        if isinstance(shares, list):
            told["Split"] = "/".join(f"{100 * float(str(share)):g}" for share in shares)
        told["Split"] = f"{told.get('Split', '')}, seed {split_card.settings['seed']}"
    if parted is not None:
        leak = parted.leakage
        told["Leakage"] = (
            f"{leak.n_copies} images in {counted(leak.n_groups, 'group')} of copies; "
            f"{leak.n_copies_across} pairs across parts, {leak.n_alike_across} nearly alike"
        )
    if started is not None:
        told["Time"] = f"{time.monotonic() - started:.0f} s from folder to scores"
    return told
