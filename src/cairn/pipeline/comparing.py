"""What `cairn bench parts` needs of a folder of photos: descriptors made in several ways, several splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from cairn.algorithms.verifying import Matcher
from cairn.base.settings import DescribeSettings, ImportSettings, PartsSettings, SplitSettings
from cairn.base.watching import Watch
from cairn.bench.parts import Deal, Images, describe_variants
from cairn.engines.local import LocalEngine
from cairn.pipeline.describing import current_images, describe_catalog, embedder_of
from cairn.pipeline.importing import Lists, import_lists
from cairn.pipeline.pointing import points_of
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.split import TEST, TRAIN, VAL
from cairn.stages.split import split
from cairn.stages.train import truth_positions


@dataclass(frozen=True)
class Prepared:
    """Descriptors by the name of their way, what the images show, the splits, and what matches images by their row."""

    descriptors: dict[str, npt.NDArray[np.float32]]
    images: Images
    deals: list[Deal]
    match: Matcher


def prepare_parts(
    work: Path,
    lists: Lists,
    *,
    describing: DescribeSettings,
    settings: PartsSettings,
    watch: Watch,
) -> Prepared:
    """The folder imported to `work`, described in each way and dealt once for each seed."""
    place, engine = WorkFolder(work), LocalEngine()
    with place.locked():
        catalog = import_lists(place, lists, settings=ImportSettings(), engine=engine, watch=watch)
        vectors = {
            name: describe_catalog(
                place,
                catalog,
                embedder_of(variant, work=place, watch=watch),
                engine=engine,
                watch=watch,
            ).vectors
            for name, variant in describe_variants(describing).items()
        }
        points = points_of(place, current_images(place, catalog), engine=engine, watch=watch)
    images = catalog.images
    row_of = {image_id: row for row, image_id in enumerate(images["image_id"])}
    deals, groups = [], np.arange(len(images))
    for seed in settings.seeds:
        dealt = split(catalog, settings=SplitSettings(ratio=settings.ratio, seed=seed))
        rows = {
            part: np.array([row_of[i] for i in dealt.image_ids(*names)], dtype=np.int64)
            for part, names in (("gallery", (TRAIN, VAL)), ("queries", (TEST,)))
        }
        deals.append(Deal(seed, rows["gallery"], rows["queries"]))
        in_use = dealt.table.filter(pl.col("image_id").is_in(images["image_id"].implode()))
        for image_id, group in in_use.select("image_id", "group").iter_rows():
            groups[row_of[image_id]] = row_of[group]
    truths = [list(shown or ()) for shown in images["landmark_ids"].to_list()]
    landmark_ids = sorted(images["landmark_ids"].explode().drop_nulls().unique())
    return Prepared(
        vectors, Images(truth_positions(truths, landmark_ids), groups, len(landmark_ids)), deals,
        points.matcher(engine),
    )  # fmt: skip
