"""The map of images over a work folder: drawn of descriptors that are there, and drawn anew only where they changed."""

from pathlib import Path

import numpy as np
import polars as pl
from pydantic import JsonValue

from cairn.algorithms.mapping import N_STEPS, layout
from cairn.base.files import Card, FileRecord, digest_json
from cairn.base.settings import DescribeSettings, ExploreSettings
from cairn.base.watching import Watch
from cairn.engines.local import LocalEngine
from cairn.pipeline.described import DescribedWay, described_way
from cairn.pipeline.describing import describe_catalog, embedder_of
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.image_map import IMAGE_MAP_SCHEMA, ImageMap
from cairn.records.tables import read_table
from cairn.version import __version__

MAP_FILE = "map.parquet"


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
