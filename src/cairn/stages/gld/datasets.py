"""The data sets that can be named: their lists with columns, their parts, their tars, and where these lie."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cairn.base.errors import InputError

ID, ADDRESS, LANDMARK = "id", "url", "landmark_id"
CATEGORY_COLUMNS = (LANDMARK, "category")
HIERARCHY_COLUMNS = (
    LANDMARK, "category", "supercategory", "hierarchical_label", "natural_or_human_made",
)  # fmt: skip
# Nobody's first line of columns is longer.
MOST_HEADER_BYTES = 4096


@dataclass(frozen=True)
class ListFile:
    """A list of a data set: `columns` as its first line names them, `place` below the base address.

    n_rows: how many rows the published list has; None where nobody says.
    """

    name: str
    columns: tuple[str, ...]
    place: str = ""
    n_rows: int | None = None


@dataclass(frozen=True)
class Part:
    """A part of a data set: which list names its images, and the tars that hold them.

    truths: the list that says which landmarks the images show, where `images` does not.
    landmark_prefix: goes before the part's landmark ids where the same numbers mean other landmarks elsewhere.
    tar_mb: about how many megabytes a tar has.
    """

    name: str
    images: str
    truths: str = ""
    names: tuple[str, str] | None = None
    attribution: str = ""
    landmark_prefix: str = ""
    n_tars: int = 0
    tar_mb: int = 0

    @property
    def tars(self) -> tuple[str, ...]:
        """The places of the tars below the base address, in order: `train/images_000.tar` and so on."""
        return tuple(f"{self.name}/images_{number:03}.tar" for number in range(self.n_tars))

    @property
    def lists(self) -> tuple[str, ...]:
        """The names of every list that says something of this part."""
        named = (self.images, self.truths, self.attribution, *(self.names or ()))
        return tuple(name for name in named if name)


@dataclass(frozen=True)
class Dataset:
    """A data set that is known by name.

    base: the address below which lists and tars lie; empty where nobody serves them any more, so that the
    lists have to be brought.
    clean: the list of the images of train that are worth training on, where there is one.
    wrong_md5: tars whose published sum is known to be wrong, with that sum. Were the sum ever mended, a
    tar that differs from it would be damaged like any other.
    """

    name: str
    about: str
    lists: tuple[ListFile, ...]
    parts: tuple[Part, ...]
    base: str = ""
    clean: str = ""
    wrong_md5: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def list_file(self, name: str) -> ListFile:
        """The list of that name."""
        return {file.name: file for file in self.lists}[name]

    def part(self, name: str) -> Part:
        """The part of that name; raises InputError that names the parts there are."""
        for part in self.parts:
            if part.name == name:
                return part
        raise InputError(
            f"{self.name} has no part {name!r}; one of {', '.join(part.name for part in self.parts)} "
            "was expected; name one of them"
        )

    def address(self, place: str, *, base: str = "") -> str:
        """Where `place` is fetched from; `base` is a mirror's address, empty for the data set's own.

        Raises InputError where neither is known.
        """
        root = base or self.base
        if not root:
            raise InputError(
                f"the lists of {self.name} have no address any more; a folder that holds them was "
                f"expected; name it with --lists DIR, or name one list with --urls CSV"
            )
        return f"{root.rstrip('/')}/{place}"


def md5_place(tar: str) -> str:
    """Where the published md5 of a tar lies: `md5sum/train/md5.images_000.txt` for `train/images_000.tar`."""
    part, _, name = tar.partition("/")
    return f"md5sum/{part}/md5.{name.removesuffix('.tar')}.txt"


def find_lists(dataset: Dataset, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The path of each list of `names` in `folder`, by name.

    Raises InputError that tells of every list that is missing or has other columns.
    """
    paths = {name: folder / name for name in names}
    wrong = [
        problem
        for name, path in paths.items()
        if (problem := _problem(path, dataset.list_file(name)))
    ]
    if wrong:
        raise InputError(
            f"the lists of {dataset.name} in {folder} cannot be used: {'; '.join(wrong)}; the lists as they "
            "were published were expected; put them there under their own names"
        )
    return paths


def _problem(path: Path, expected: ListFile) -> str:
    """What is wrong with a list, in words; empty where its first line is as expected."""
    try:
        with path.open("rb") as file:
            line = file.readline(MOST_HEADER_BYTES)
    except OSError as error:
        return f"{expected.name}: {error.strerror or 'cannot be read'}"
    found = line.decode("utf-8-sig", errors="replace").rstrip("\r\n").replace('"', "").split(",")
    if [name.strip() for name in found] == list(expected.columns):
        return ""
    return f"{expected.name}: its first line is {','.join(found)[:80]!r}, not {','.join(expected.columns)!r}"


_GLD_V1 = Dataset(
    name="gld-v1",
    about="Google Landmarks (2018): 1.2 million addresses of 14,951 landmarks; you bring the lists",
    lists=(
        ListFile("train.csv", (ID, ADDRESS, LANDMARK), n_rows=1_225_029),
        ListFile("test.csv", (ID, ADDRESS)),
    ),
    parts=(Part("train", images="train.csv"), Part("test", images="test.csv")),
)

_METADATA, _TRUTH = "metadata/", "ground_truth/"
_GLD_V2_LISTS = (
    ListFile("train.csv", (ID, ADDRESS, LANDMARK), _METADATA + "train.csv", 4_132_914),
    ListFile("train_clean.csv", (LANDMARK, "images"), _METADATA + "train_clean.csv", 81_313),
    ListFile(
        "train_attribution.csv", (ID, ADDRESS, "author", "license", "title"),
        _METADATA + "train_attribution.csv", 4_132_914,
    ),
    ListFile(
        "train_label_to_category.csv", CATEGORY_COLUMNS, _METADATA + "train_label_to_category.csv", 203_094,
    ),
    ListFile(
        "train_label_to_hierarchical.csv", HIERARCHY_COLUMNS,
        _METADATA + "train_label_to_hierarchical.csv", 203_094,
    ),
    ListFile("index.csv", (ID,), _METADATA + "index.csv", 761_757),
    ListFile(
        "index_image_to_landmark.csv", (ID, LANDMARK), _METADATA + "index_image_to_landmark.csv", 761_757,
    ),
    ListFile("index_label_to_category.csv", CATEGORY_COLUMNS, _METADATA + "index_label_to_category.csv"),
    ListFile(
        "index_label_to_hierarchical.csv", HIERARCHY_COLUMNS, _METADATA + "index_label_to_hierarchical.csv",
    ),
    ListFile("test.csv", (ID,), _METADATA + "test.csv", 117_577),
    ListFile(
        "recognition_solution_v2.1.csv", (ID, "landmarks", "Usage"),
        _TRUTH + "recognition_solution_v2.1.csv", 117_577,
    ),
)  # fmt: skip

_GLD_V2 = Dataset(
    name="gld-v2",
    about="Google Landmarks v2.1: 4.1 million photos of 203,094 landmarks, with an index and a test part, as tars",
    base="https://s3.amazonaws.com/google-landmark",
    lists=_GLD_V2_LISTS,
    clean="train_clean.csv",
    parts=(
        Part(
            "train", images="train.csv", attribution="train_attribution.csv",
            names=("train_label_to_category.csv", "train_label_to_hierarchical.csv"),
            n_tars=500, tar_mb=1000,
        ),
        Part(
            "index", images="index.csv", truths="index_image_to_landmark.csv",
            names=("index_label_to_category.csv", "index_label_to_hierarchical.csv"),
            landmark_prefix="index_", n_tars=100, tar_mb=850,
        ),
        Part(
            "test", images="test.csv", truths="recognition_solution_v2.1.csv", n_tars=20, tar_mb=500,
        ),
    ),
    wrong_md5=MappingProxyType({"train/images_000.tar": "825975950b2e22f0f66aa8fd26c1f153"}),
)  # fmt: skip

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (_GLD_V1, _GLD_V2)}
