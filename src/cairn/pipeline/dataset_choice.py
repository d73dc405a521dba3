"""What is asked of a data set that is known by name: which parts, from where; all that is wrong is told at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.base.checks import nearest_name
from cairn.base.errors import SettingsError
from cairn.stages.gld.datasets import ADDRESS, DATASETS, Dataset, Part

TARS, URLS = "tars", "urls"
CLEAN = "_clean"


@dataclass(frozen=True)
class DatasetChoice:
    """What of a data set is downloaded, and from where.

    parts: their names, `train_clean` among them; none: train. lists: a folder with lists that are here already.
    base: a mirror's address; "": the data set's own. n_tars: only the first so many tars of each part; 0: all.
    by: "tars" or "urls"; "": tars, where the data set has any.
    Raises SettingsError with all that is wrong.
    """

    name: str
    parts: tuple[str, ...] = ()
    lists: Path | None = None
    base: str = ""
    n_tars: int = 0
    by: str = ""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise SettingsError(problems)

    @property
    def dataset(self) -> Dataset:
        """The data set."""
        return DATASETS[self.name]

    @property
    def uses_tars(self) -> bool:
        """Whether photos come from tars, not from their own addresses."""
        return self.by != URLS and any(part.n_tars for part in self.dataset.parts)

    @property
    def chosen(self) -> "list[ChosenPart]":
        """The parts, in the order asked for."""
        return [ChosenPart.of(self.dataset, name) for name in self.parts or ("train",)]

    def _problems(self) -> Sequence[str]:
        if self.name not in DATASETS:
            return [
                f"--dataset is {self.name!r}; expected: {' or '.join(DATASETS)}{nearest_name(self.name, DATASETS)}"
            ]
        known = _names_of_parts(self.dataset)
        unknown = [name for name in self.parts if name not in known]
        if unknown:
            return [
                f"--parts has {name!r}; expected: {', '.join(known)}{nearest_name(name, known)}"
                for name in unknown
            ]
        return [*self._problems_of_parts(), *self._problems_of_source()]

    def _problems_of_parts(self) -> list[str]:
        named = [part.part.name for part in self.chosen]
        twice = sorted({name for name in named if named.count(name) > 1})
        return [
            f"--parts is {','.join(self.parts)}; expected: {name} once, whole or clean; name one of the two"
            for name in twice
        ]

    def _problems_of_source(self) -> list[str]:
        has_tars = any(part.n_tars for part in self.dataset.parts)
        problems = []
        if self.by not in ("", TARS, URLS):
            problems.append(f"--from is {self.by!r}; expected: tars or urls")
        if self.by == TARS and not has_tars:
            problems.append(f"--from is tars; expected: urls, as {self.name} has no tars")
        if self.n_tars < 0:
            problems.append(f"--tars is {self.n_tars}; expected: 1 or more, or nothing for all")
        if self.n_tars and not self.uses_tars:
            problems.append(
                "--tars goes with photos from tars; expected: --from tars, or no --tars"
            )
        if not has_tars and self.lists is None:
            problems.append(
                f"--lists is not given; expected: a folder with {' and '.join(self._lists())} of {self.name}, "
                "which nobody serves any more"
            )
        if not self.uses_tars:
            problems += [
                f"--parts has {chosen.part.name}; expected with photos by their addresses: train, as "
                f"{chosen.part.images} has none"
                for chosen in self.chosen
                if ADDRESS not in self.dataset.list_file(chosen.part.images).columns
            ]
        return problems

    def _lists(self) -> list[str]:
        return [chosen.part.images for chosen in self.chosen]


@dataclass(frozen=True)
class ChosenPart:
    """A part of a data set, or only the clean images of it; `list_name` is what the catalog calls it."""

    part: Part
    is_clean: bool
    list_name: str

    @staticmethod
    def of(dataset: Dataset, name: str) -> "ChosenPart":
        """The part that `name` means."""
        part = dataset.part(name.removesuffix(CLEAN))
        return ChosenPart(part, name.endswith(CLEAN), f"{dataset.name}/{part.name}")

    def lists(self, dataset: Dataset) -> list[str]:
        """The names of the lists that say something of it."""
        return [*self.part.lists, *([dataset.clean] if self.is_clean else [])]


def _names_of_parts(dataset: Dataset) -> list[str]:
    names = [part.name for part in dataset.parts]
    return [*names, *(["train" + CLEAN] if dataset.clean else [])]
