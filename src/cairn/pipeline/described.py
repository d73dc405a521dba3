"""Descriptors that lie in a work folder: which images have one, and those of some images without reading all."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors import SafetensorError, safe_open

from cairn.pipeline.work_folder import WorkFolder

UNREADABLE = (OSError, SafetensorError, LookupError, ValueError)


@dataclass(frozen=True)
class DescribedWay:
    """The descriptors that lie in one folder: `places` has the file's number and the row of each digest."""

    folder: Path
    files: tuple[Path, ...]
    places: Mapping[str, tuple[int, int]]

    @staticmethod
    def of(folder: Path) -> "DescribedWay":
        """What lies in `folder`; a part that cannot be read counts as not there."""
        files = tuple(sorted(folder.glob("*.safetensors")))
        places = {}
        for number, path in enumerate(files):
            for row, digest in enumerate(_digests(path)):
                places[digest.tobytes().hex()] = (number, row)
        return DescribedWay(folder, files, places)

    def vectors(self, digests: Sequence[str]) -> npt.NDArray[np.float32]:
        """[N, D] the descriptors of `digests`, all of which are there."""
        found = self.found(digests)
        return np.stack([found[digest] for digest in digests])

    def found(self, digests: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        """The descriptor of each of `digests` that has one which can be read; only theirs are read."""
        wanted: dict[int, list[tuple[str, int]]] = {}
        for digest in digests:
            if digest in self.places:
                number, row = self.places[digest]
                wanted.setdefault(number, []).append((digest, row))
        found: dict[str, npt.NDArray[np.float32]] = {}
        for number, of_file in wanted.items():
            with contextlib.suppress(*UNREADABLE), _opened(self.files[number]) as part:
                vectors = part.get_slice("vectors")
                found |= {digest: vectors[row : row + 1][0] for digest, row in of_file}
        return found

    def words(self) -> str:
        """How the descriptors were made, as far as their card says."""
        try:
            card = json.loads((self.folder / "card.json").read_text("utf-8"))
            settings = card["settings"]
            sides = ", ".join(map(str, settings["sides_px"]))
            arithmetic = settings.get("describe_in", "fp32")
            quicker = "" if arithmetic == "fp32" else f", {arithmetic}"
            return f"{Path(card['backbone']).name}, {' + '.join(settings['pooling'])} at {sides} px{quicker}"
        except UNREADABLE:
            return self.folder.name


def described_way(
    work: WorkFolder, images: pl.DataFrame, *, source: str | None
) -> DescribedWay | None:
    """The way in which most of `images` (kept_digest) are described, the first by name of equals; None: none is.

    source: the way that is wanted, whatever others there are.
    """
    folders = [folder for folder in (work.root / "descriptors").glob("*") if folder.is_dir()]
    folders = folders if source is None else [work.descriptors(source)]
    ways = [DescribedWay.of(folder) for folder in sorted(folders)]
    digests = images["kept_digest"].to_list()
    counted = [sum(digest in way.places for digest in digests) for way in ways]
    best = max(counted, default=0)
    return ways[counted.index(best)] if best else None


def _opened(path: Path) -> safe_open:
    return safe_open(path, framework="numpy")


def _digests(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with _opened(path) as part:
            digests: npt.NDArray[np.uint8] = part.get_tensor("digests")
    except UNREADABLE:
        return np.empty((0, 0), np.uint8)
    return digests
