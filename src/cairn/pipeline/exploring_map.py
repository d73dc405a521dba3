"""The map of images over a work folder: drawn of descriptors that are there, and drawn anew only where they changed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open

from cairn.algorithms.mapping import N_STEPS, layout
from cairn.base.files import Card, FileRecord, digest_json
from cairn.base.settings import DescribeSettings, ExploreSettings
from cairn.base.watching import Watch
from cairn.engines.local import LocalEngine
from cairn.pipeline.describing import describe_catalog, embedder_of
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.image_map import IMAGE_MAP_SCHEMA, ImageMap
from cairn.records.tables import read_table
from cairn.version import __version__

MAP_FILE = "map.parquet"
UNREADABLE = (OSError, SafetensorError, KeyError, ValueError)


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
            for row, digest in enumerate(_tensor(path, "digests")):
                places[digest.tobytes().hex()] = (number, row)
        return DescribedWay(folder, files, places)

    def vectors(self, digests: Sequence[str]) -> npt.NDArray[np.float32]:
        """[N, D] the descriptors of `digests`, all of which are there."""
        rows: dict[int, list[tuple[int, int]]] = {}
        for place, digest in enumerate(digests):
            number, row = self.places[digest]
            rows.setdefault(number, []).append((place, row))
        found: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32)] * len(digests)
        for number, wanted in rows.items():
            part = _tensor(self.files[number], "vectors")
            for place, row in wanted:
                found[place] = part[row]
        return np.stack(found)

    def words(self) -> str:
        """How the descriptors were made, as far as their card says."""
        try:
            card = json.loads((self.folder / "card.json").read_text("utf-8"))
            settings = card["settings"]
            sides = ", ".join(map(str, settings["sides_px"]))
            return f"{Path(card['backbone']).name}, {' + '.join(settings['pooling'])} at {sides} px"
        except UNREADABLE:
            return self.folder.name


def _tensor(path: Path, name: str) -> npt.NDArray[np.generic]:
    try:
        with safe_open(path, framework="numpy") as part:
            tensor: npt.NDArray[np.generic] = part.get_tensor(name)
    except UNREADABLE:
        return np.empty((0, 0), np.uint8)
    return tensor


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


def describe_lot(
    work: WorkFolder,
    images: pl.LazyFrame,
    describing: DescribeSettings,
    settings: ExploreSettings,
    watch: Watch,
) -> str | None:
    """The way in which the images that a map would show are described now, what was missing made; None: there is none."""
    chosen = _lot(_images(images), settings)["image_id"]
    if chosen.is_empty():
        return None
    rows = Catalog.scan(work.catalog_path).filter(pl.col("image_id").is_in(chosen.to_list()))
    catalog = Catalog(rows.collect(engine="streaming"))
    embedder = embedder_of(describing, work=work, watch=watch)
    describe_catalog(work, catalog, embedder, engine=LocalEngine(), watch=watch)
    return embedder.source


def draw_map(
    work: WorkFolder,
    images: pl.LazyFrame,
    settings: ExploreSettings,
    *,
    folder: Path,
    source: str | None,
    watch: Watch,
) -> ImageMap | None:
    """The map of `images`, which is written to `folder`; None where none of them has a descriptor.

    images: as `stages.explore.images_of` gives them. source: the way of describing that is wanted; None: any.
    """
    if not settings.map_images or not (work.root / "descriptors").is_dir():
        return None
    known = _images(images)
    way = described_way(work, known, source=source)
    if way is None:
        return None
    described = known.filter(pl.col("kept_digest").is_in(list(way.places)))
    lot = _lot(described, settings)
    places = _places(work, way, lot, settings, folder / MAP_FILE, watch)
    table = lot.join(places, on="image_id", how="inner", maintain_order="left")
    return ImageMap(table.select(list(IMAGE_MAP_SCHEMA)), way.words(), len(described))


def _images(images: pl.LazyFrame) -> pl.DataFrame:
    told = images.select(
        "image_id",
        "kept_digest",
        pl.col("landmark").alias("landmark_id"),
        pl.col("landmark_ids").is_not_null().alias("is_labelled"),
    )
    return told.collect(engine="streaming").drop_nulls("kept_digest").sort("image_id")


def _lot(images: pl.DataFrame, settings: ExploreSettings) -> pl.DataFrame:
    """At most `map_images` of the images, in the order of their ids."""
    if len(images) <= settings.map_images:
        return images
    rng = np.random.default_rng(settings.seed)
    return images[np.sort(rng.choice(len(images), settings.map_images, replace=False))]


def _places(
    work: WorkFolder,
    way: DescribedWay,
    lot: pl.DataFrame,
    settings: ExploreSettings,
    path: Path,
    watch: Watch,
) -> pl.DataFrame:
    """image_id, x, y and nearest_id of the images of `lot`; those that were drawn before, where nothing changed."""
    wanted: dict[str, JsonValue] = {"map_images": settings.map_images, "seed": settings.seed}
    inputs = {
        "images": digest_json(
            [list(row) for row in lot.select("image_id", "kept_digest").iter_rows()]
        ),
        "way": way.folder.name,
    }
    made = Card(stage="map", version=__version__, settings=wanted, inputs=inputs, outputs={})
    card = work.card("map")
    if card is not None and card.still_holds(made, root=work.root) and card.outputs:
        drawn = read_table(path, what="the map", made_by=f"cairn explore {work.root}")
        return drawn.select("image_id", "x", "y", "nearest_id")
    vectors = way.vectors(lot["kept_digest"].to_list())
    with watch.phase("map", N_STEPS) as advance:
        found = layout(vectors, rng=np.random.default_rng(settings.seed), advance=advance)
    ids = lot["image_id"]
    x, y = found.positions.T
    table = lot.with_columns(x=pl.Series(x), y=pl.Series(y), nearest_id=ids[found.nearest])
    ImageMap(table.select(list(IMAGE_MAP_SCHEMA)), way.words(), len(lot)).write(path)
    outputs = {path.relative_to(work.root).as_posix(): FileRecord.of(path)}
    made.model_copy(update={"outputs": outputs}).write(work.card_path("map"))
    return table.select("image_id", "x", "y", "nearest_id")
