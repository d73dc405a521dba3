"""Fine-tuning over a work folder: checkpoints, the trained network and its card lie in `networks/<name>/<digest>/`.

The digest is that of recipe, backbone and images: another setting or another photo begins another training beside the
old one, and the same goes on where it was broken off.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from pydantic import JsonValue

from cairn.base.errors import CairnError, InputError, MissingExtra, SettingsError, Stopped
from cairn.base.files import Card, FileRecord, digest_json
from cairn.base.seats import ALONE, Seat
from cairn.base.settings import EMBEDDED_BACKBONE, DescribeSettings
from cairn.base.settings.recipes import FROZEN, OUT_OF_TIME, Recipe
from cairn.base.settings.unfit import unfit
from cairn.base.versions import versions
from cairn.base.watching import Silent, Watch
from cairn.bundles import NetworkTraining
from cairn.models.backbones import open_backbone
from cairn.models.folders import CONFIG, NETWORK, Backbone
from cairn.models.networks import torch_versions
from cairn.pipeline.describing import current_images, in_its_own_way
from cairn.pipeline.training_page import TrainingPage
from cairn.pipeline.whole_folders import whole_folder
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TRAIN, VAL
from cairn.reports.training_words import BY_HAND, RUNNING
from cairn.stages.train import truth_positions
from cairn.version import __version__

if TYPE_CHECKING:
    from cairn.training.finetuning import Finetuned
    from cairn.training.input import TrainImages
    from cairn.training.ranks import Ranks

# What changes nothing of the weights that come out in the end.
_OF_NO_ACCOUNT = {"workers", "save_s", "time"}
CARD, TRAINED, CHECKPOINTS = "card.json", "network", "checkpoints"
STAGE = "finetune"


@dataclass(frozen=True)
class Asked:
    """What is trained: the images of train and val, the landmarks of train, and the backbone to start from.

    truth: of the images what the split and the catalog say; `known` are those landmarks of an image that train shows.
    """

    work: WorkFolder
    truth: pl.DataFrame
    landmark_ids: tuple[str, ...]
    backbone: Backbone
    weights: Path

    def rows(self, part: str) -> pl.DataFrame:
        """The images of val, or those of train that show a landmark."""
        rows = self.truth.filter(pl.col("part") == part)
        return rows.filter(pl.col("known").list.len() > 0) if part == TRAIN else rows

    def train_images(self) -> "TrainImages":
        """The images of train that show a landmark."""
        train = self.truth.filter(pl.col("part") == TRAIN, pl.col("landmark_ids").list.len() > 0)
        return images_of(train, self.landmark_ids)

    def val_images(self) -> "TrainImages":
        """The images of val, distractors among them."""
        return images_of(self.truth.filter(pl.col("part") == VAL), self.landmark_ids)


@dataclass(frozen=True)
class _Prepared:
    """What is trained, how, and the folder in which it lies."""

    asked: Asked
    recipe: Recipe
    made: Card
    name: str

    @property
    def folder(self) -> Path:
        """Where checkpoints and the network lie."""
        return self.asked.work.networks(self.name) / folder_name(self.made)

    def card(self) -> Card | None:
        """The card of the network, where it lies there, trained to its end."""
        card = Card.read(self.folder / TRAINED / CARD)
        if card is None or card.said.get("ended") == OUT_OF_TIME:
            return None
        return card if card.still_holds(self.made, root=self.folder / TRAINED) else None


def finetuned(
    work: WorkFolder, name: str, recipe: Recipe, describing: DescribeSettings, watch: Watch,
    seat: Seat = ALONE,
) -> DescribeSettings:  # fmt: skip
    """How images are described by the network that the recipe makes; it is trained where it is not there yet.

    seat: of the process that leads, where several train together; the others have to call `trained_along`.
    Raises InputError where there is nothing to train on or to start from, MissingExtra without torch, RankLost where
    another process has ended.
    """
    prepared = _together(work, name, recipe, describing, watch, seat)
    return _described_by(prepared.folder / TRAINED, recipe, describing)


def trained_along(
    work: WorkFolder, name: str, recipe: Recipe, describing: DescribeSettings, seat: Seat
) -> bool:
    """Whether the training in which this process takes part, but does not lead, came to its end.

    Where not, the process that leads has said why. Nothing is written here.
    Raises what `finetuned` raises.
    """
    if recipe.name == FROZEN:
        return True
    try:
        _together(work, name, recipe, describing, Silent(), seat)
    except Stopped:
        return False
    return True


def _together(
    work: WorkFolder, name: str, recipe: Recipe, describing: DescribeSettings, watch: Watch, seat: Seat
) -> _Prepared:  # fmt: skip
    """What was prepared, and is trained now; all processes of a training go this way."""
    require_fit(recipe)
    require_torch_for(recipe)
    from cairn.training.ranks import joined

    def prepared() -> _Prepared:
        asked = asked_of(work, describing, watch)
        return _Prepared(asked, recipe, card_of(asked, recipe), name)

    with joined(seat) as ranks:
        found = ranks.in_turn(prepared)
        ranks.require_same(int(found.folder.name, 16), "images, backbones or settings")
        card = found.card()
        (is_trained,) = ranks.as_first([card is not None])
        if not is_trained:
            _train(found, watch, ranks)
        elif card is not None and ranks.leads:
            page = _page(found, said=card.said, watch=watch)
            if not page.is_finished():
                page.write(str(card.said["ended"]))
    return found


def trained_network(folder: Path) -> NetworkTraining | None:
    """How the network in `folder` was trained, by its card; None where no recipe of Cairn trained it."""
    card = Card.read(folder / CARD)
    if card is None or card.stage != STAGE or "versions" not in card.said:
        return None
    both = {**card.settings, **card.said}
    told = {name: both[name] for name in NetworkTraining.model_fields if name in both}
    more = {"key": folder.resolve().parent.name, "made_from": {**card.inputs}}
    return NetworkTraining.model_validate({**told, **more})


def require_fit(recipe: Recipe) -> None:
    """Nothing, where the settings of a recipe go together; otherwise raises SettingsError that tells all that do not."""
    wrong = unfit({"top": recipe.top, "finetune": recipe.finetune}, ())
    if wrong:
        raise SettingsError(wrong)


def _train(prepared: _Prepared, watch: Watch, ranks: "Ranks") -> None:
    from cairn.training.batch_sizes import sized
    from cairn.training.finetuning import finetune

    asked, folder = prepared.asked, prepared.folder / CHECKPOINTS
    train = asked.train_images()
    recipe = sized(
        train, prepared.recipe, config=asked.backbone.config, weights=asked.weights,
        store=asked.work.images, folder=folder, ranks=ranks, watch=watch,
    )  # fmt: skip
    prepared = replace(prepared, recipe=recipe)
    page = _page(prepared, said=_this_machine(recipe), watch=watch)
    if ranks.leads:
        page.write(RUNNING)
        watch.note(f"how it goes, written anew after each epoch: {page.path}")
    try:
        found = finetune(
            train, asked.val_images(), recipe, config=asked.backbone.config,
            weights=asked.weights, store=asked.work.images, folder=folder,
            watch=watch, ranks=ranks, on_best=page.keep, after_epoch=page.after_epoch,
        )  # fmt: skip
        if ranks.leads:
            _keep(found, prepared)
    except BaseException as error:
        if ranks.leads:
            page.write(_what_broke_it(error))
        raise
    if ranks.leads:
        outcome = found.outcome
        page.write(outcome.because)
        watch.note(
            f"trained: {outcome.n_steps:,} steps ({outcome.because}), best GAP on val {outcome.best:.3f} after epoch "
            f"{outcome.best_epoch}; network: {prepared.folder / TRAINED}"
        )


def _what_broke_it(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return BY_HAND
    return str(error) if isinstance(error, CairnError) else f"{type(error).__name__}: {error}"


def _keep(found: "Finetuned", prepared: _Prepared) -> None:
    """The trained network lies in its folder, with its card."""
    from cairn.training.network_out import HEAD, write_backbone

    outcome, recipe, folder = found.outcome, prepared.recipe, prepared.folder
    with whole_folder(folder / TRAINED) as fresh:
        write_backbone(
            found.parts.net, found.parts.head, fresh, config=prepared.asked.backbone.config,
            top=recipe.top, side_px=recipe.augment.side_px,
        )  # fmt: skip
        outputs = {file: FileRecord.of(fresh / file) for file in (CONFIG, NETWORK, HEAD)}
        said: dict[str, JsonValue] = {
            "ended": outcome.because, "steps": outcome.n_steps, "best_gap_on_val": outcome.best,
            "best_epoch": outcome.best_epoch, "images_lost": outcome.n_lost,
            "batch_images": recipe.finetune.batch_images,
            "landmarks": list(prepared.asked.landmark_ids), **_this_machine(recipe),
        }  # fmt: skip
        prepared.made.model_copy(update={"outputs": outputs, "said": said}).write(fresh / CARD)


def _this_machine(recipe: Recipe) -> dict[str, JsonValue]:
    """What a card says of the machine that trains."""
    from cairn.training.machine import machine_words

    return {"machine": machine_words(recipe.finetune.arithmetic), "versions": {**versions()}}


def _page(prepared: _Prepared, *, said: Mapping[str, JsonValue], watch: Watch) -> TrainingPage:
    """The page of the training; `said`: by its card, or of this machine."""
    asked, made, folder = prepared.asked, prepared.made, prepared.folder
    known = said.get("versions")
    return TrainingPage(
        work=asked.work, name=prepared.name, key=folder.name, recipe=prepared.recipe, checkpoints=folder / CHECKPOINTS,
        train=asked.rows(TRAIN), val=asked.rows(VAL), landmark_ids=asked.landmark_ids, images=asked.train_images,
        about={
            "Start": f"{asked.backbone.name} ({asked.backbone.config.architecture})",
            "Machine": str(said.get("machine", "not told")),
            "Versions": ", ".join(
                f"{what} {version}" for what, version in (known if isinstance(known, dict) else {}).items()
            ),
            "Digests": ", ".join(f"{what} {digest[:12]}" for what, digest in made.inputs.items()),
        },
        watch=watch,
    )  # fmt: skip


def images_of(rows: pl.DataFrame, landmark_ids: Sequence[str]) -> "TrainImages":
    """The images of `rows` (image_id, path, landmark_ids) with the positions of those of `landmark_ids` they show."""
    from cairn.training.input import TrainImages

    known = set(landmark_ids)
    shown = [[one for one in ids if one in known] for ids in rows["landmark_ids"].to_list()]
    return TrainImages(
        tuple(rows["image_id"]), tuple(rows["path"]), truth_positions(shown, landmark_ids)
    )


def require_trainable(describing: DescribeSettings) -> None:
    """Nothing, where a network can be trained and then used as `describing` says; otherwise raises InputError."""
    if describing.backbone == EMBEDDED_BACKBONE:
        raise InputError(
            "the embedded backbone cannot be trained further; a timm model or a backbone folder with model.safetensors "
            "was expected; name one with --backbone, such as resnet50.a1_in1k"
        )
    if describing.describe_in == "int8":
        raise InputError(
            "a network that is trained first has no form in int8 yet, and --describe-in is int8; fp32 or bf16 was expected "
            "beside --recipe; train it without --describe-in, give its network to cairn export NETWORK OUT --photos DIR, "
            "then run cairn train WORK --backbone OUT --describe-in int8"
        )


def asked_of(
    work: WorkFolder, describing: DescribeSettings, watch: Watch, *, cache: Path | None = None
) -> Asked:
    """What is to be trained in a work folder.

    cache: where networks that were exported to ONNX are kept, if not there.
    Raises InputError where the backbone has no weights to start from, or images are to be described in int8.
    """
    require_trainable(describing)
    backbone = open_backbone(describing, cache=cache or work.root / "backbones", watch=watch)
    if backbone.weights is None:
        raise InputError(
            f"the backbone {backbone.name} has no model.safetensors, only an ONNX network, which cannot be trained; "
            "weights were expected beside it; name a timm model, or a folder that has them"
        )
    catalog = work.catalog()
    dealt = work.split().table.filter(pl.col("part").is_in([TRAIN, VAL]))
    told = ["image_id", "landmark_ids", "path", "kept_digest", "author", "licence"]
    images = catalog.images.select(told).drop_nulls("landmark_ids")
    digests = {image.image_id: image.digest for image in current_images(work, catalog)}
    truth = dealt.join(images, on="image_id", how="inner", maintain_order="left").with_columns(
        pl.col("image_id").replace_strict(digests).alias("digest")
    )
    shown = truth.filter(pl.col("part") == TRAIN)["landmark_ids"].explode().drop_nulls().unique()
    known = pl.element().filter(pl.element().is_in(shown.implode()))
    truth = truth.with_columns(pl.col("landmark_ids").list.eval(known).alias("known"))
    return Asked(work, truth, tuple(sorted(shown)), backbone, backbone.weights)


def require_torch_for(recipe: Recipe) -> None:
    """Nothing, where all that training needs is installed; otherwise raises MissingExtra."""
    if torch_versions() is None or importlib.util.find_spec("tensorboardX") is None:
        raise MissingExtra(
            f"the recipe {recipe.name}, which trains the network,",
            extra="train",
            otherwise="without it, take --recipe frozen, which trains the head alone",
        )


def folder_name(made: Card) -> str:
    """The name of a training's folder: another setting, image or backbone gives another one."""
    return digest_json([made.settings, {**made.inputs}])[:12]


def card_of(asked: Asked, recipe: Recipe) -> Card:
    """What a training is made of, before it began."""
    from cairn.training.viewing import WAY

    images: list[JsonValue] = [
        list(row)
        for row in asked.truth.select("image_id", "part", "digest", "landmark_ids").iter_rows()
    ]
    settings: dict[str, JsonValue] = {
        "recipe": recipe.name,
        "way_of_viewing": WAY,
        "augment": recipe.augment.as_json(),
        "top": recipe.top.as_json(),
        "finetune": {
            key: value
            for key, value in recipe.finetune.as_json().items()
            if key not in _OF_NO_ACCOUNT
        },
    }
    inputs = {"images": digest_json(images), "backbone": asked.backbone.digest}
    return Card(stage=STAGE, version=__version__, settings=settings, inputs=inputs, outputs={})


def _described_by(network: Path, recipe: Recipe, describing: DescribeSettings) -> DescribeSettings:
    """By the trained network, in its own way."""
    # Said here too, for networks from before their config said so.
    own = in_its_own_way(describing, side_px=recipe.augment.side_px)
    return own.model_copy(update={"backbone": str(network.resolve())})
