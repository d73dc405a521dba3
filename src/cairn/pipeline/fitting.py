"""Train and index over a work folder: what was fitted lies in `training/`, what was made of it in `models/`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from pydantic import JsonValue

from cairn.base.checks import counted
from cairn.base.errors import BundleError, InputError
from cairn.base.files import Card, digest_file, digest_json
from cairn.base.settings import DescribeSettings, TrainSettings
from cairn.base.versions import versions
from cairn.base.watching import Advance, Watch
from cairn.bundles import BackboneCard, Bundle, BundleCard, open_bundle
from cairn.engines.local import LocalEngine
from cairn.images.store import thumbnail
from cairn.models.embedder import Embedder
from cairn.models.image_points import POINTS_WAY
from cairn.pipeline.describing import current_images, describe_catalog, embedder_of
from cairn.pipeline.finetuning import trained_network
from cairn.pipeline.fitted_files import ARRAYS, CARD, read_fitted, training_settings, write_fitted
from cairn.pipeline.holding import cleaning_inputs
from cairn.pipeline.learnt import is_trained_here, not_to_be_asked
from cairn.pipeline.pointing import points_of_ids
from cairn.pipeline.whole_folders import held_bundle, whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.descriptors import Descriptors
from cairn.records.gallery_images import GALLERY_SCHEMA
from cairn.records.landmarks import Landmarks
from cairn.records.split import TRAIN, VAL
from cairn.stages.index import BundleParts, write_bundle
from cairn.stages.split import BRIDGES
from cairn.stages.train import Fitted
from cairn.stages.train import train as fit
from cairn.version import __version__


@dataclass(frozen=True)
class Described:
    """A project's images with descriptors: what train, index and evaluate work on."""

    work: WorkFolder
    catalog: Catalog
    embedder: Embedder
    descriptors: Descriptors

    def truth(self, *parts: str) -> pl.DataFrame:
        """GALLERY_SCHEMA with group and path of the images of `parts`, in the split's order."""
        dealt = self.work.split().table.filter(pl.col("part").is_in(parts))
        images = self.catalog.images.select(*GALLERY_SCHEMA, "path")
        known = dealt.join(images, on="image_id", how="inner", maintain_order="left")
        return known.drop_nulls("landmark_ids")


def described(work: WorkFolder, settings: DescribeSettings, watch: Watch) -> Described:
    """The project with a descriptor for every image."""
    return described_by(embedder_of(settings, work=work, watch=watch), work, watch)


def described_by(embedder: Embedder, work: WorkFolder, watch: Watch) -> Described:
    """The project with the embedder's descriptor for every image."""
    catalog = work.catalog()
    _tell_of_undealt(work, catalog, watch)
    _tell_of_an_older_split(work, watch)
    vectors = describe_catalog(work, catalog, embedder, engine=LocalEngine(), watch=watch)
    return Described(work, catalog, embedder, vectors)


def _tell_of_undealt(work: WorkFolder, catalog: Catalog, watch: Watch) -> None:
    dealt = work.split().table.filter(pl.col("part").is_not_null() | (pl.col("cause") == BRIDGES))
    labelled = catalog.images.drop_nulls("landmark_ids")
    n_new = len(labelled.join(dealt, on="image_id", how="anti"))
    if n_new:
        watch.note(
            f"{n_new:,} labelled images are in no part yet and are left out; to deal them: cairn split {work.root}"
        )


def _tell_of_an_older_split(work: WorkFolder, watch: Watch) -> None:
    """A word where scrub found or people decided something that the split does not know of."""
    card = work.card("split")
    if card is None:
        return
    known = {name: digest for name, digest in card.inputs.items() if name != "catalog"}
    now = cleaning_inputs(work)
    if known != now and (known or now):
        changed = [
            name for name in dict.fromkeys([*now, *known]) if known.get(name) != now.get(name)
        ]
        watch.note(
            f"the {' and '.join(changed)} of cairn scrub have changed since the images were dealt; images that are left "
            f"out now are left out here too; to take all of it into account: cairn split {work.root}"
        )


def fit_project(project: Described, name: str, *, settings: TrainSettings, watch: Watch) -> Fitted:
    """What `settings` fit on train and val, read back where nothing has changed since."""
    folder = project.work.training(name)
    truth = project.truth(TRAIN, VAL)
    if truth.is_empty():
        raise InputError(
            "no labelled image is in train or val; the parts of cairn split were expected; run: "
            f"cairn split {project.work.root} --fresh"
        )
    made = _training_card(project, truth, settings)
    card = Card.read(folder / CARD)
    if card is not None and card.still_holds(made, root=folder):
        return read_fitted(folder, project.descriptors, truth)
    match = None
    if settings.verify:
        points = points_of_ids(project.work, project.catalog, truth["image_id"], watch)
        match = points.matcher(LocalEngine())
    config = project.embedder.backbone.config
    learnt = not_to_be_asked(config, settings, truth, work=project.work, watch=watch)
    with watch.phase("train", 1) as advance:
        fitted = fit(
            project.descriptors,
            truth.select("image_id", "landmark_ids", "group"),
            settings=settings,
            learnt=learnt,
            match=match,
        )
        advance(1)
    write_fitted(fitted, folder, made)
    return fitted


def index_project(project: Described, name: str, fitted: Fitted, *, watch: Watch) -> Path:
    """The bundle of what was fitted; the one that lies there, where nothing has changed since."""
    folder = project.work.bundle(name)
    card = _bundle_card(project, name, fitted)
    if _is_there(folder, card):
        return folder
    _tell_of_changes(folder, watch)
    truth = project.truth(TRAIN, VAL)
    shown = truth.filter(pl.col("landmark_ids").list.len() > 0)
    known = project.work.landmarks().table
    ids = pl.DataFrame({"landmark_id": list(fitted.landmark_ids)})
    points = None
    if fitted.recognizer.verification:
        points = points_of_ids(project.work, project.catalog, shown["image_id"], watch)
    with (
        held_bundle(folder),
        whole_folder(folder) as fresh,
        watch.phase("index", len(shown)) as advance,
    ):
        parts = BundleParts(
            recognizer=fitted.recognizer,
            gallery=shown.select(*GALLERY_SCHEMA),
            distractors=truth.filter(pl.col("landmark_ids").list.len() == 0).select(
                *GALLERY_SCHEMA
            ),
            landmarks=Landmarks(
                ids.join(known, on="landmark_id", how="left", maintain_order="left")
            ),
            out_of_fold=fitted.out_of_fold,
            network=project.embedder.backbone.network,
            thumbnails=_thumbnails(project.work, shown, advance),
            points=points,
        )
        write_bundle(fresh, parts, card=card)
    return folder


def _training_card(project: Described, truth: pl.DataFrame, settings: TrainSettings) -> Card:
    return Card(
        stage="train",
        version=__version__,
        settings={"train": settings.as_json(), "describe": project.embedder.settings.as_json()},
        inputs=_inputs(project, truth, settings),
        outputs={},
    )


def _inputs(project: Described, truth: pl.DataFrame, settings: TrainSettings) -> dict[str, str]:
    """Digests of all that a fit depends on beside its settings."""
    digest_of = {
        image.image_id: image.digest for image in current_images(project.work, project.catalog)
    }
    images: list[JsonValue] = [
        [image_id, digest_of[image_id], list(shown), group]
        for image_id, shown, group in truth.select("image_id", "landmark_ids", "group").iter_rows()
    ]
    if is_trained_here(project.embedder.backbone.config, settings):
        images.append(truth["part"].to_list())
    told = {"images": digest_json(images), "descriptors": project.embedder.source}
    return told | ({"points": POINTS_WAY} if settings.verify else {})


def _bundle_card(project: Described, name: str, fitted: Fitted) -> BundleCard:
    backbone, gallery = project.embedder.backbone, fitted.recognizer.gallery
    _, train = training_settings(project.work, name)
    return BundleCard(
        cairn=__version__,
        backbone=BackboneCard(
            name=backbone.name, digest=backbone.digest, stride=backbone.stride,
            outputs=backbone.outputs, config=backbone.config,
        ),
        describe=_anywhere(project.embedder.settings, backbone.name),
        max_side_px=project.work.max_side_px(),
        train=train,
        threshold=fitted.recognizer.threshold,
        n_images=len(gallery.vectors),
        n_landmarks=len(np.unique(gallery.landmarks)),
        n_distractors=len(gallery.none_vectors),
        descriptor_width=project.embedder.width,
        fitted_from={
            "training": digest_file(project.work.training(name) / ARRAYS),
            "landmarks": digest_file(project.work.landmarks_path),
            "images": digest_file(project.work.catalog_path),
            "split": digest_file(project.work.split_path),
        },
        files={},
        network_training=trained_network(backbone.network.parent),
        versions=versions(),
    )  # fmt: skip


def _anywhere(settings: DescribeSettings, backbone: str) -> DescribeSettings:
    """The settings as a bundle keeps them: nothing of the machine on which it was made."""
    fresh = DescribeSettings()
    return settings.model_copy(
        update={
            "backbone": backbone,
            "weights": fresh.weights,
            "runtime": fresh.runtime,
            "batch_size": fresh.batch_size,
        }
    )


def require_current(project: Described, name: str, bundle: Bundle) -> None:
    """Nothing, where the bundle was made of the present train and val; otherwise raises InputError."""
    index_again = f"cairn index {project.work.root}{'' if name == 'default' else f' --name {name}'}"
    if bundle.card.changes:
        raise InputError(
            f"the bundle {bundle.folder} was changed since cairn index made it ({_changes(bundle.card)}); the one of "
            "the present train and val alone was expected, for test images may be among those that were added; to "
            f"keep the changes, copy that bundle elsewhere; to score without them, run: {index_again}"
        )
    folder = project.work.training(name)
    card = Card.read(folder / CARD)
    truth = project.truth(TRAIN, VAL)
    _, settings = training_settings(project.work, name)
    is_fitted_on_these = card is not None and card.inputs == _inputs(project, truth, settings)
    made_from = bundle.card.fitted_from.get("training")
    if not is_fitted_on_these or digest_file(folder / ARRAYS) != made_from:
        raise InputError(
            f"the bundle {bundle.folder} was made of other images, another split or an earlier training; one "
            "of the present train and val was expected, or test images may be among those it knows; run: "
            f"{index_again}"
        )


def _changes(card: BundleCard) -> str:
    """The last changes of a bundle as words."""
    told = "; ".join(change.words() for change in card.changes[-3:])
    earlier = len(card.changes) - 3
    return told if earlier <= 0 else f"{told}; and {counted(earlier, 'change')} before"


def _tell_of_changes(folder: Path, watch: Watch) -> None:
    """A word where the bundle that is about to be made anew was changed by hand: that is not made again."""
    try:
        card = open_bundle(folder).card
    except (BundleError, InputError):
        return
    if card.changes:
        watch.note(
            f"the bundle {folder} was changed since cairn index made it ({_changes(card)}); it is made anew of the work "
            "folder, without these changes; to have them again, run cairn add and cairn remove again"
        )


def _is_there(folder: Path, card: BundleCard) -> bool:
    """Whether `folder` holds the bundle that `card` would make, whole."""
    try:
        found = open_bundle(folder).card
    except (BundleError, InputError):
        return False
    # A library that was replaced since changes nothing of what lies there.
    later = {"files": {}, "scores": {}, "versions": card.versions}
    return found.model_copy(update=later) == card


def _thumbnails(
    work: WorkFolder, images: pl.DataFrame, advance: Advance
) -> Iterator[tuple[str, bytes]]:
    paths = images.select("image_id", "path").rows()
    made = LocalEngine().map(lambda row: (row[0], thumbnail(work.images, row[1])), paths)
    for image_id, jpeg in made:
        advance(1)
        yield image_id, jpeg
