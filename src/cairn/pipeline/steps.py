"""The commands as functions over a work folder: each does only what is left to do, and says what it did."""

import time
from collections.abc import Callable
from pathlib import Path

from cairn.base.checks import counted
from cairn.base.errors import InputError, Stopped
from cairn.base.files import Card, digest_file
from cairn.base.seats import ALONE, Seat
from cairn.base.settings import (
    DescribeSettings,
    EvaluateSettings,
    ImportSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.base.settings.recipes import FROZEN, Recipe
from cairn.base.watching import Silent, Watch
from cairn.bundles import folder_bytes, open_bundle
from cairn.engines.local import LocalEngine
from cairn.images.fetch.causes import FetchCause
from cairn.models.embedder import open_embedder
from cairn.pipeline.describing import embedder_of
from cairn.pipeline.downloading import Addresses
from cairn.pipeline.finetuning import finetuned, require_trainable, trained_along
from cairn.pipeline.fitted_files import training_settings
from cairn.pipeline.fitting import (
    Described,
    described,
    described_by,
    fit_project,
    index_project,
    require_current,
)
from cairn.pipeline.holding import cleaning_inputs, found_copies, settle
from cairn.pipeline.importing import Lists, import_lists, require_apart
from cairn.pipeline.results import (
    Downloaded,
    Evaluated,
    Imported,
    Indexed,
    Parted,
    Project,
    Run,
    Trained,
)
from cairn.pipeline.scoring import score_project
from cairn.pipeline.training_page import PAGE
from cairn.pipeline.work_folder import WorkFolder, model_name
from cairn.records.catalog import DUPLICATE, PENDING
from cairn.records.split import TEST, Split
from cairn.stages.import_photos import in_two_folders
from cairn.stages.listing import list_files
from cairn.stages.split import Leakage, leakage
from cairn.stages.split import split as deal
from cairn.stages.train import Fitted
from cairn.version import __version__

DEFAULT_MODEL = "default"


def import_photos(
    work: str | Path,
    *,
    lists: Lists,
    settings: ImportSettings | None = None,
    watch: Watch | None = None,
) -> Imported:
    """A folder for each landmark becomes the catalog of `work`; see docs/import.md.

    Raises InputError where the folder is not laid out by landmarks, DiskError where the disk is full.
    """
    place = WorkFolder(Path(work))
    with place.locked():
        catalog = import_lists(
            place, lists, settings=settings or ImportSettings(), engine=LocalEngine(),
            watch=watch or Silent(),
        )  # fmt: skip
    return Imported(place, catalog, in_two_folders(catalog))


def split(
    work: str | Path,
    *,
    settings: SplitSettings | None = None,
    fresh: bool = False,
    watch: Watch | None = None,
) -> Parted:
    """The images of `work` dealt to train, val and test; see docs/split.md.

    fresh: deal all anew; without it, images that were dealt before stay where they are.
    Raises InputError where nothing was imported, or no image is labelled.
    """
    place, chosen = WorkFolder(Path(work)), settings or SplitSettings()
    place.require()
    with place.locked():
        settle(place)
        catalog, told = place.catalog(), found_copies(place)
        before = place.split() if place.split_path.exists() and not fresh else None
        _tell_of_other_settings(place, chosen, before, watch or Silent())
        dealt = deal(catalog, settings=chosen, before=before, copies=told.copies, apart=told.apart)
        dealt.write(place.split_path)
        _split_card(place, chosen, before).write(place.card_path("split"))
        leak = leakage(catalog, dealt, settings=chosen, copies=told.copies, apart=told.apart)
        _tell_of_copies_across(place, leak, watch or Silent())
    return Parted(place, dealt, leak)


def _split_card(place: WorkFolder, settings: SplitSettings, before: Split | None) -> Card:
    """The card of a split: with the settings by which its first images were dealt, for they stay."""
    card = place.card("split")
    first = card.settings if before is not None and card is not None else settings.as_json()
    inputs = {"catalog": digest_file(place.catalog_path)} | cleaning_inputs(place)
    return Card(stage="split", version=__version__, settings=first, inputs=inputs, outputs={})


def _tell_of_other_settings(
    place: WorkFolder, settings: SplitSettings, before: Split | None, watch: Watch
) -> None:
    card = place.card("split")
    if before is not None and card is not None and card.settings != settings.as_json():
        watch.note(
            "the images that were dealt before keep their parts, although the settings of the split have "
            "changed; to deal all anew, add --fresh"
        )


def _tell_of_copies_across(place: WorkFolder, leak: Leakage, watch: Watch) -> None:
    """A word where images that were dealt before turn out to be copies across parts: none of them moves by itself."""
    if leak.n_copies_across:
        watch.note(
            f"{counted(leak.n_copies_across, 'pair')} of copies lie across parts, for images that were dealt before stay "
            f"where they are; to leave one of each out: cairn scrub {place.root} --apply careful; to deal all anew: "
            f"cairn split {place.root} --fresh"
        )


def train(
    work: str | Path,
    *,
    name: str = DEFAULT_MODEL,
    describing: DescribeSettings | None = None,
    settings: TrainSettings | None = None,
    recipe: Recipe | None = None,
    seat: Seat = ALONE,
    watch: Watch | None = None,
) -> Trained:
    """Head, whitening, fusion and calibration fitted on train and val of `work`; see docs/train.md.

    recipe: how the network is trained first, unless the settings say `frozen`; None: as their recipe says.
    seat: where several processes train the network together, that of the one that leads; the others `train_along`.
    Raises InputError where nothing was split, or there is nothing to tell apart, MissingExtra where a network is to be
    trained without torch.
    """
    place, shown, chosen = WorkFolder(Path(work)), watch or Silent(), settings or TrainSettings()
    model_name(name)
    place.split()
    with place.locked():
        way = describing or DescribeSettings()
        if chosen.recipe != FROZEN:
            way = finetuned(place, name, recipe or Recipe.named(chosen.recipe), way, shown, seat)
        project = described(place, way, shown)
        fitted = fit_project(project, name, settings=chosen, watch=shown)
    return _trained(place, name, fitted, chosen)


def train_along(
    work: str | Path,
    *,
    seat: Seat,
    name: str = DEFAULT_MODEL,
    describing: DescribeSettings | None = None,
    settings: TrainSettings | None = None,
    recipe: Recipe | None = None,
) -> bool:
    """Whether a training that another process leads by `train`, with the same arguments, came to its end.

    It takes part in what the network learns, and writes nothing. Where the answer is no, the other one says why.
    Raises InputError and RankLost as `train` does.
    """
    place, chosen = WorkFolder(Path(work)), settings or TrainSettings()
    model_name(name)
    way = describing or DescribeSettings()
    return trained_along(place, name, recipe or Recipe.named(chosen.recipe), way, seat)


def _trained(place: WorkFolder, name: str, fitted: Fitted, settings: TrainSettings) -> Trained:
    gallery = fitted.recognizer.gallery
    return Trained(
        place, name, place.training(name), len(gallery.vectors), len(set(gallery.landmarks.tolist())),
        len(gallery.none_vectors), fitted.recognizer.threshold, settings.precision,
        None if settings.recipe == FROZEN else place.reports / name / PAGE,
    )  # fmt: skip


def index(work: str | Path, *, name: str = DEFAULT_MODEL, watch: Watch | None = None) -> Indexed:
    """The bundle of what was trained under `name`; see docs/index.md.

    Raises InputError where nothing was trained under that name.
    """
    place, shown = WorkFolder(Path(work)), watch or Silent()
    place.split()
    with place.locked():
        describing, training = training_settings(place, name)
        project = described(place, describing, shown)
        fitted = fit_project(project, name, settings=training, watch=shown)
        return _indexed(place, name, project, fitted, shown)


def _gathered(
    work: str | Path, lists: Lists | Addresses, importing: ImportSettings | None, watch: Watch
) -> Imported | Downloaded:
    """The images of the folder or list in the catalog; raises Stopped where the download was ended early."""
    if isinstance(lists, Lists):
        return import_photos(work, lists=lists, settings=importing, watch=watch)
    downloaded = lists.download(work, watch=watch)
    if downloaded.was_stopped or downloaded.failed_too_often:
        raise Stopped(
            f"the download ended early, with {downloaded.tally.count(PENDING):,} rows left; all rows were expected before "
            "anything is trained; run the same command again to go on"
        )
    # Photos that were here already are duplicates of what the catalog holds.
    if not downloaded.tally.n_kept + downloaded.tally.count(DUPLICATE):
        raise InputError(_nothing_kept(downloaded))
    return downloaded


def _nothing_kept(downloaded: Downloaded) -> str:
    """Why there is nothing to train on, and what to do about it."""
    tally = downloaded.tally
    causes = ", ".join(f"{n:,} × {cause or status}" for status, cause, n in tally.ends[:3])
    is_private = tally.of_causes(frozenset({str(FetchCause.PRIVATE)}))
    then = (
        "if the private addresses are yours, add --allow-private (with make: ARGS=--allow-private)"
        if is_private
        else f"see {downloaded.report}"
    )
    return (
        f"none of {counted(tally.n_rows, 'row')} was kept ({causes}); photos were expected; {then}"
    )


def _indexed(
    place: WorkFolder, name: str, project: Described, fitted: Fitted, watch: Watch
) -> Indexed:
    bundle = index_project(project, name, fitted, watch=watch)
    gallery = fitted.recognizer.gallery
    n_landmarks = len(set(gallery.landmarks.tolist()))
    return Indexed(place, bundle, len(gallery.vectors), n_landmarks, folder_bytes(bundle))


def evaluate(
    work: str | Path,
    *,
    name: str = DEFAULT_MODEL,
    settings: EvaluateSettings | None = None,
    watch: Watch | None = None,
) -> Evaluated:
    """The scores of the bundle `name` on the test part, with a report; see docs/evaluate.md.

    Raises InputError where there is no test part, BundleError where the bundle is not whole.
    """
    place, shown = WorkFolder(Path(work)), watch or Silent()
    with place.locked():
        training_settings(place, name)
        bundle = open_bundle(place.bundle(name))
        project = described_by(open_embedder(bundle.backbone, bundle.card.describe), place, shown)
        require_current(project, name, bundle)
        return score_project(project, name, settings=settings or EvaluateSettings(), watch=shown)


def run(
    work: str | Path,
    *,
    lists: Lists | Addresses,
    name: str = DEFAULT_MODEL,
    importing: ImportSettings | None = None,
    splitting: SplitSettings | None = None,
    describing: DescribeSettings | None = None,
    training: TrainSettings | None = None,
    evaluating: EvaluateSettings | None = None,
    fresh: bool = False,
    told: Callable[[Project], None] = lambda left: None,
    watch: Watch | None = None,
) -> Run:
    """The whole way: import or download, split, train, index, evaluate; what is done already is not done again.

    lists: a folder of photos, or a list of addresses. importing: how photos of a folder enter.
    told: called with what each step left, as soon as it is done.
    """
    shown, chosen = watch or Silent(), training or TrainSettings()
    model_name(name)
    describing = describing or DescribeSettings()
    if chosen.recipe != FROZEN:
        require_trainable(describing)
    started = time.monotonic()
    place = WorkFolder(Path(work))
    # What would fail later is told before hours of work: photos that are not there, a backbone that is not.
    if isinstance(lists, Lists):
        require_apart(place.root, lists.folder)
        list_files(lists.folder)
    with place.locked():
        embedder = embedder_of(describing, work=place, watch=shown)
    gathered = _gathered(work, lists, importing, shown)
    told(gathered)
    parted = split(work, settings=splitting, fresh=fresh, watch=shown)
    told(parted)
    with place.locked():
        if chosen.recipe != FROZEN:
            way = finetuned(place, name, Recipe.named(chosen.recipe), describing, shown)
            embedder = embedder_of(way, work=place, watch=shown)
        project = described_by(embedder, place, shown)
        fitted = fit_project(project, name, settings=chosen, watch=shown)
        trained = _trained(place, name, fitted, chosen)
        told(trained)
        indexed = _indexed(place, name, project, fitted, shown)
        told(indexed)
        evaluated = None
        if parted.split.image_ids(TEST):
            evaluated = score_project(
                project, name, settings=evaluating or EvaluateSettings(), watch=shown,
                parted=parted, started=started,
            )  # fmt: skip
            told(evaluated)
    return Run(gathered, parted, trained, indexed, evaluated)
