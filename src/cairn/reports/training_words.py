"""What is said of a training: how it stands or ended, what to try next, and its settings in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cairn.base.checks import duration
from cairn.base.settings import Settings
from cairn.base.settings.recipes import ALL_EPOCHS, NO_BETTER, OUT_OF_TIME, Recipe
from cairn.reports.curves import Lines

RUNNING, BY_HAND = "running", "Ctrl-C was pressed."
FINISHED = "finished"
# A best epoch before this share of all is called early.
_EARLY = 0.6


@dataclass(frozen=True)
class Ending:
    """How a training stands: `word` is one of running, finished, stopped, broken off."""

    word: str
    says: str
    advice: str


@dataclass(frozen=True)
class Epoch:
    """The scores of one epoch on val; None where undefined."""

    number: int
    gap: float | None
    gap_without_distractors: float | None
    top_1: float | None
    seconds: float


@dataclass(frozen=True)
class SettingRow:
    """One setting: its flag, its value in words, what it means, and whether the recipe or a flag set it."""

    flag: str
    value: str
    says: str
    is_set: bool


def epochs_of(lines: Lines) -> list[Epoch]:
    """The epochs that the log tells of."""
    return [
        Epoch(
            round(line["epoch"] or 0),
            line.get("gap", line["score"]),
            line.get("gap_without_distractors"),
            line.get("top_1"),
            line.get("seconds") or 0.0,
        )
        for line in lines
        if "score" in line
    ]


def best_of(epochs: Sequence[Epoch]) -> Epoch | None:
    """The first epoch with the highest GAP with distractors, or None where none has one."""
    scored = [epoch for epoch in epochs if epoch.gap is not None]
    return max(scored, key=lambda epoch: (epoch.gap or 0.0, -epoch.number), default=None)


def ending_of(because: str, recipe: Recipe, lines: Lines) -> Ending:
    """How a training stands that is `running`, ended as its card says, or was broken off by what `because` says."""
    epochs, settings = epochs_of(lines), recipe.finetune
    at = next((line["epoch"] for line in reversed(lines) if "loss" in line), None) or 0.0
    if because == RUNNING:
        return Ending(
            RUNNING,
            f"Epoch {at:.2f} of {settings.epochs}{_time_left(lines, at, settings.epochs)}.",
            "This page is written anew at the ends of epochs and loads itself again every minute. Where nobody trains any "
            "more, the same command goes on from the last checkpoint.",
        )
    if because == OUT_OF_TIME:
        return Ending(
            "stopped",
            f"Its time, --time {settings.time}, was over in epoch {at:.2f} of {settings.epochs}.",
            "The same command goes on from here.",
        )
    if because == BY_HAND:
        says = f"Ctrl-C was pressed in epoch {at:.2f} of {settings.epochs}."
        return Ending("stopped", says, "The same command goes on from the last checkpoint.")
    if because == NO_BETTER:
        says = f"The last {settings.patience} epochs brought no better score: --patience {settings.patience}."
        return Ending(FINISHED, says, _of_the_best(epochs, settings.epochs, is_early_end=True))
    if because == ALL_EPOCHS:
        says = f"It went through all {settings.epochs} epochs."
        return Ending(FINISHED, says, _of_the_best(epochs, settings.epochs, is_early_end=False))
    return Ending(
        "broken off", because,
        "What was kept before is there: mend what is said, and the same command goes on from the last checkpoint.",
    )  # fmt: skip


def _time_left(lines: Lines, at: float, n_epochs: int) -> str:
    seconds = next((line["seconds"] for line in reversed(lines) if line.get("seconds")), None)
    if not seconds or not 0 < at < n_epochs:
        return ""
    return f", about {duration(seconds * (n_epochs - at) / at)} to go"


def _of_the_best(epochs: Sequence[Epoch], n_epochs: int, *, is_early_end: bool) -> str:
    best = best_of(epochs)
    if best is None or len(epochs) < 2:
        return ""
    if best.number == epochs[-1].number and not is_early_end:
        return f"The last epoch was the best: more of them may do better still, such as --epochs {2 * n_epochs}."
    if best.number <= _EARLY * len(epochs):
        return (
            f"Epoch {best.number} of {epochs[-1].number} was the best and is what is kept; the later ones learnt the photos of "
            "train rather than the landmarks: more photos, stronger augmentation or a lower --learning-rate may help."
        )
    return f"Epoch {best.number} was the best and is what is kept."


def setting_rows(settings: Settings) -> list[SettingRow]:
    """Every setting of a model in its order."""
    fresh = type(settings)()
    return [
        SettingRow(
            f"--{name.replace('_', '-')}",
            _in_words(getattr(settings, name)),
            info.description or "",
            getattr(settings, name) != getattr(fresh, name),
        )
        for name, info in type(settings).model_fields.items()
    ]


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list)):
        return ",".join(map(str, value)) or "–"
    return str(value) if value != "" else "–"


def sections(recipe: Recipe) -> Mapping[str, list[SettingRow]]:
    """All settings of a recipe, by what they are about."""
    return {
        "How it learns": setting_rows(recipe.finetune),
        "What stands on the network": setting_rows(recipe.top),
        "How images are varied": setting_rows(recipe.augment),
    }
