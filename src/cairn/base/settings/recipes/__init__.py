"""Recipes: named files of settings for training, one TOML each, that flags and files of one's own stand above."""

import tomllib
from dataclasses import dataclass
from importlib import resources

from cairn.base.checks import nearest_name
from cairn.base.errors import SettingsError
from cairn.base.settings.training import AugmentSettings, FinetuneSettings, TopSettings

FROZEN = "frozen"
# How a training ends.
ALL_EPOCHS, OUT_OF_TIME, NO_BETTER = "all epochs", "time", "no better score"
_SUFFIX = ".toml"


@dataclass(frozen=True)
class Recipe:
    """All that says how a network is trained; `name` is that of the file it was read from."""

    name: str
    augment: AugmentSettings
    top: TopSettings
    finetune: FinetuneSettings

    @staticmethod
    def named(name: str) -> "Recipe":
        """The recipe as its file says.

        Raises SettingsError where there is none of that name.
        """
        told = read_recipe(name)
        return Recipe(
            name,
            AugmentSettings.model_validate(told.get("augment", {})),
            TopSettings.model_validate(told.get("top", {})),
            FinetuneSettings.model_validate(told.get("finetune", {})),
        )


def recipe_names() -> tuple[str, ...]:
    """The names of all recipes, `frozen` first."""
    found = {path.name.removesuffix(_SUFFIX) for path in resources.files(__name__).iterdir() if path.name.endswith(_SUFFIX)}  # fmt: skip
    return (FROZEN, *sorted(found - {FROZEN}))


def read_recipe(name: str) -> dict[str, dict[str, object]]:
    """The settings of a recipe, by section and name.

    Raises SettingsError where there is none of that name.
    """
    if name not in recipe_names():
        raise SettingsError(
            [
                f"--recipe is {name!r}{nearest_name(name, recipe_names())}; expected: one of {', '.join(recipe_names())}"
            ]
        )
    content: dict[str, dict[str, object]] = tomllib.loads(recipe_text(name))
    return content


def recipe_text(name: str) -> str:
    """The file of a recipe as it was written, remarks included."""
    return (resources.files(__name__) / f"{name}{_SUFFIX}").read_text(encoding="utf-8")


def recipe_summary(name: str) -> str:
    """What a recipe is for: the first line of its file."""
    return recipe_text(name).splitlines()[0].removeprefix("# ")
