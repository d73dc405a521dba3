"""Training tried over a work folder before it begins: nothing in it is changed, all that is made is thrown away."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypedDict

from cairn.base.checks import counted
from cairn.base.errors import SettingsError
from cairn.base.seats import ALONE
from cairn.base.settings import DescribeSettings, FinetuneSettings
from cairn.base.settings.recipes import FROZEN, Recipe
from cairn.base.watching import Silent, Watch
from cairn.images.store import FolderStore
from cairn.models.folders import BackboneConfig
from cairn.pipeline.describing import DIGEST_BYTES
from cairn.pipeline.finetuning import Asked, asked_of, require_fit, require_torch_for
from cairn.pipeline.work_folder import WorkFolder, model_name
from cairn.reports.rate import RateContents, write_rate_report

if TYPE_CHECKING:
    from cairn.training.finding_rate import RateFound
    from cairn.training.trying import Tried

DEFAULT_MODEL = "default"
_FLOAT_BYTES = 4
_FEW_JUDGED = 100
_MUCH_MEMORY = 0.9


@dataclass(frozen=True)
class TriedHere:
    """What a training would take, and whether there is room: bytes of the disk that it needs and that are free.

    recipe: as it was tried, its number of images in a step known. warnings: what a person should know before it begins, a sentence each.
    """

    tried: "Tried"
    recipe: Recipe
    descriptor_bytes: int
    free_bytes: int
    warnings: tuple[str, ...]

    @property
    def needed_bytes(self) -> int:
        """Checkpoints, the network, and the descriptors that it makes of all images."""
        return self.tried.costs.disk_bytes + self.descriptor_bytes


def try_first(
    work: str | Path,
    *,
    recipe: Recipe,
    describing: DescribeSettings | None = None,
    watch: Watch | None = None,
) -> TriedHere:
    """What `train` with the same arguments would take, found by taking some batches through everything.

    Raises SettingsError where the recipe trains no network, and what `train` would raise, as far as it can be known.
    """
    place, shown = WorkFolder(Path(work)), watch or Silent()
    with tried_apart(place, recipe, describing or DescribeSettings(), shown) as (asked, folder):
        from cairn.training.batch_sizes import sized
        from cairn.training.ranks import joined
        from cairn.training.trying import try_training

        train, start = asked.train_images(), _start(asked)
        with joined(ALONE) as ranks:
            recipe = sized(train, recipe, **start, folder=folder, ranks=ranks, watch=shown)
            tried = try_training(
                train, asked.val_images(), recipe, **start, folder=folder, ranks=ranks, watch=shown
            )
        n_images = len(place.catalog().images)
    descriptor_bytes = n_images * (_FLOAT_BYTES * tried.width + DIGEST_BYTES)
    free_bytes = shutil.disk_usage(place.root).free
    needed_bytes = tried.costs.disk_bytes + descriptor_bytes
    warnings = _warnings(tried, recipe.finetune)
    if needed_bytes > free_bytes:
        warnings.append(
            f"the disk has {_gb(free_bytes)} free, {_gb(needed_bytes)} are needed: free some space, or move the work folder"
        )
    return TriedHere(tried, recipe, descriptor_bytes, free_bytes, tuple(warnings))


@dataclass(frozen=True)
class RateFoundHere:
    """A rate to train with, and the page that shows how it was found."""

    found: "RateFound"
    report: Path


def find_rate_first(
    work: str | Path,
    *,
    recipe: Recipe,
    name: str = DEFAULT_MODEL,
    describing: DescribeSettings | None = None,
    watch: Watch | None = None,
) -> RateFoundHere:
    """A learning rate for `train` with the same arguments, found by some steps on a copy; see docs/train.md.

    Of the work folder only a page in `reports/` is new.
    Raises as `try_first`, and InputError where the loss falls at no rate.
    """
    place, shown = WorkFolder(Path(work)), watch or Silent()
    report = place.reports / f"rate_{model_name(name)}.html"
    with tried_apart(place, recipe, describing or DescribeSettings(), shown) as (asked, folder):
        from cairn.training.batch_sizes import sized
        from cairn.training.finding_rate import find_rate, mostly
        from cairn.training.ranks import joined
        from cairn.training.trials import Trial

        train, start = asked.train_images(), _start(asked)
        with joined(ALONE) as ranks:
            recipe = sized(train, recipe, **start, folder=folder, ranks=ranks, watch=shown)
            found = find_rate(Trial(train, mostly(recipe), **start, ranks=ranks), shown)
    contents = RateContents(
        name=asked.backbone.name,
        lead=f"Recipe {recipe.name}, {len(found.rates)} steps of {counted(recipe.finetune.batch_images, 'image')}: train with "
        f"--learning-rate {found.suggested:g}.",
        rates=found.rates,
        losses=found.losses,
        smoothed=found.smoothed,
        suggested=found.suggested,
        rows=found.told(),
    )
    with place.locked():
        write_rate_report(report, contents)
    return RateFoundHere(found, report)


@contextlib.contextmanager
def tried_apart(
    place: WorkFolder, recipe: Recipe, describing: DescribeSettings, watch: Watch
) -> Iterator[tuple[Asked, Path]]:
    """What would be trained, and a folder for what is tried with it, which goes away; the work folder stays as it is.

    Raises SettingsError where the recipe trains no network, or its settings do not go together.
    """
    if recipe.name == FROZEN:
        raise SettingsError(
            [f"--recipe is {FROZEN!r}, which trains no network; expected here: a recipe that does, see cairn recipes"]
        )  # fmt: skip
    require_fit(recipe)
    require_torch_for(recipe)
    place.split()
    with TemporaryDirectory(prefix="cairn-trying-") as scratch:
        cache = Path(scratch) / "backbones"
        cache.mkdir()
        for known in (place.root / "backbones").glob("*"):
            (cache / known.name).symlink_to(known.resolve())
        folder = Path(scratch) / "tried"
        folder.mkdir()
        yield asked_of(place, describing, watch, cache=cache), folder


class _Start(TypedDict):
    """What a network is made of and learns from, by the names of arguments."""

    config: BackboneConfig
    weights: Path
    store: FolderStore


def _start(asked: Asked) -> _Start:
    return {
        "config": asked.backbone.config, "weights": asked.weights, "store": asked.work.images,
    }  # fmt: skip


def _warnings(tried: "Tried", settings: FinetuneSettings) -> list[str]:
    found = [_of_images(tried), _of_val(tried), _of_freezing(settings), _of_time(tried, settings)]  # fmt: skip
    return [text for text in (*found, _of_input(tried), _of_memory(tried)) if text]


def _of_images(tried: "Tried") -> str:
    if not tried.n_lost:
        return ""
    return f"{counted(tried.n_lost, 'image')} of the batches that were tried could not be read: bring them back, or import again"


def _of_val(tried: "Tried") -> str:
    n_shown = tried.n_val - tried.n_distractors
    if n_shown < _FEW_JUDGED:
        return f"the best epoch is chosen by {counted(n_shown, 'image')} of val that show a landmark, which is a noisy choice"
    if not tried.n_distractors:
        return "val holds no distractors, so GAP on it says nothing of how they are refused"
    return ""


def _of_freezing(settings: FinetuneSettings) -> str:
    if settings.frozen == 1 or settings.frozen_epochs < settings.epochs:
        return ""
    return f"the network stays as it is in all of the {settings.epochs} epochs, for --frozen-epochs is {settings.frozen_epochs}"


def _of_time(tried: "Tried", settings: FinetuneSettings) -> str:
    from cairn.training.loop import seconds_of

    limit_s = seconds_of(settings.time)
    if limit_s >= tried.run_s:
        return ""
    return f"--time {settings.time} ends it at about {100 * limit_s / tried.run_s:.0f} % of its steps; the same command then goes on"


def _of_input(tried: "Tried") -> str:
    last = tried.stretches[-1]
    computing_s = last.took.learn_s + last.took.step_s
    if not tried.on_gpu or tried.step_s(last) <= 1.05 * computing_s:
        return ""
    return (
        f"the GPU waits for photos {100 * (1 - computing_s / tried.step_s(last)):.0f} % of the time, with "
        f"{counted(tried.n_workers, 'worker')}: give more with --workers, or keep smaller photos"
    )


def _of_memory(tried: "Tried") -> str:
    costs = tried.costs
    if costs.peak_bytes <= _MUCH_MEMORY * costs.memory_bytes:
        return ""
    return (
        f"{_gb(costs.peak_bytes)} of memory were in use at once, of {_gb(costs.memory_bytes)}: take smaller batches with "
        "--batch-images, or more parts with --accumulate"
    )


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
