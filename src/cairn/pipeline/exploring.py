"""Explore over a work folder: the counts, the sheets and the map as one page, and the same numbers as tables."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cairn.base.checks import nearest_name
from cairn.base.errors import InputError
from cairn.base.settings import DescribeSettings, ExploreSettings
from cairn.base.watching import Silent, Watch
from cairn.engines.local import LocalEngine
from cairn.images.thumbnails import Thumbnails
from cairn.pipeline.exploring_map import describe_lot, draw_map
from cairn.pipeline.results import Explored
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import CATALOG_SCHEMA, MADE_BY, Catalog, list_names
from cairn.records.exploration import CatalogCounts, Exploration
from cairn.records.image_map import ImageMap
from cairn.records.tables import scan_table
from cairn.reports.explore import ExploreContents, write_explore_report
from cairn.reports.explore_map import tiled_ids
from cairn.stages.explore import explore as count
from cairn.stages.explore import images_of, with_exclusions
from cairn.stages.explore_sheets import sheet_images
from cairn.version import __version__

FOLDER = "explore"
MOST_LISTS_NAMED = 3


def explore(
    work: str | Path,
    *,
    settings: ExploreSettings | None = None,
    describing: DescribeSettings | None = None,
    with_map: bool = False,
    watch: Watch | None = None,
) -> Explored:
    """What the catalog of `work` holds, as a page and as tables in `reports/explore/`; see docs/explore.md.

    with_map: images that the map would show are described first, as `describing` says; without it the map is drawn
    of descriptors that are there.
    Raises InputError where there is no catalog, or it holds no landmark that a sheet was asked for.
    """
    place, chosen, shown = WorkFolder(Path(work)), settings or ExploreSettings(), watch or Silent()
    place.require()
    with place.locked():
        rows, split = _rows(place), _split(place)
        landmarks = place.landmarks() if place.landmarks_path.exists() else None
        with shown.phase("count", 1) as advance:
            exploration = count(rows, landmarks=landmarks, split=split)
            advance(1)
        sheets_of = _sheets_of(exploration, chosen)
        images = images_of(with_exclusions(rows), split)
        source = None
        if with_map and chosen.map_images:
            source = describe_lot(place, images, describing or DescribeSettings(), chosen, shown)
        folder = place.reports / FOLDER
        image_map = draw_map(place, images, chosen, folder=folder, source=source, watch=shown)
        sheets = sheet_images(images, sheets_of, n=chosen.sheet_images, with_none=chosen.sheets)
        thumbnails = _thumbnails(place, images, sheets, image_map, shown)
        exploration.write(folder)
        with shown.phase("report", 1) as advance:
            write_explore_report(
                folder / "report.html",
                ExploreContents(
                    dataset=_dataset(exploration.counts),
                    exploration=exploration,
                    sheet_images=sheets,
                    thumbnail=thumbnails.get,
                    image_map=image_map,
                    map_command=f"cairn explore {place.root} --map --backbone NAME-OR-FOLDER",
                    facts=_facts(place, image_map),
                    next_command=f"cairn scrub {place.root} --backbone NAME-OR-FOLDER",
                ),
            )
            advance(1)
    return Explored(place, exploration, image_map, folder / "report.html")


def _rows(place: WorkFolder) -> pl.LazyFrame:
    rows = Catalog.scan(place.catalog_path)
    missing = [name for name in CATALOG_SCHEMA if name not in rows.collect_schema().names()]
    if missing:
        raise InputError(
            f"{place.catalog_path} has no column {', '.join(missing)}; the columns of docs/files.md were expected; "
            f"make it again with: {MADE_BY}"
        )
    return rows


def _split(place: WorkFolder) -> pl.LazyFrame | None:
    if not place.split_path.exists():
        return None
    return scan_table(place.split_path, what="a split", made_by=f"cairn split {place.root}")


def _sheets_of(exploration: Exploration, settings: ExploreSettings) -> list[str]:
    """The landmarks that get a sheet: those asked for, then the largest; raises InputError where one is not there."""
    known = exploration.landmarks["landmark_id"]
    strange = [name for name in settings.landmark if name not in set(known)]
    if strange:
        near = nearest_name(strange[0], known)
        raise InputError(
            f"no image shows the landmark {strange[0]!r}{near}; the id of a landmark of the catalog was expected; "
            "see the column landmark_id of reports/explore/landmarks.parquet"
        )
    largest = [landmark.landmark_id for landmark in exploration.counts.largest]
    return list(dict.fromkeys([*settings.landmark, *(largest if settings.sheets else [])]))


def _thumbnails(
    place: WorkFolder,
    images: pl.LazyFrame,
    sheets: pl.DataFrame,
    image_map: ImageMap | None,
    watch: Watch,
) -> dict[str, bytes]:
    """A small JPEG of each image that the page shows, by image_id; those that cannot be read are left out."""
    columns = ["image_id", "path", "kept_digest"]
    wanted = sheets.select(columns)
    if image_map is not None:
        on_map = images.filter(pl.col("image_id").is_in(tiled_ids(image_map))).select(columns)
        wanted = pl.concat([wanted, on_map.collect(engine="streaming")])
    rows: Sequence[tuple[str, str, str | None]] = wanted.unique("image_id", maintain_order=True).rows()  # fmt: skip
    if not rows:
        return {}
    shelf, made = Thumbnails(place.thumbnails, place.images), {}

    def jpeg(row: tuple[str, str, str | None]) -> tuple[str, bytes | None]:
        try:
            return row[0], shelf.jpeg(*row)
        except InputError:
            return row[0], None

    with watch.phase("thumbnails", len(rows)) as advance:
        for image_id, content in LocalEngine().map(jpeg, rows):
            if content is not None:
                made[image_id] = content
            advance(1)
    if len(made) < len(rows):
        watch.note(
            f"{len(rows) - len(made):,} of {len(rows):,} images cannot be shown: their files have gone or no longer decode"
        )
    return made


def _dataset(counts: CatalogCounts) -> str:
    names = list_names(entry.name for entry in counts.lists)
    more = len(names) - MOST_LISTS_NAMED
    return ", ".join(names[:MOST_LISTS_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _facts(place: WorkFolder, image_map: ImageMap | None) -> dict[str, str]:
    told = {
        "Cairn": __version__,
        "Numbers": "explore.json, explore.parquet and landmarks.parquet beside this page",
    }
    card = place.card("split")
    if card is not None and place.split_path.exists():
        ratio = card.settings.get("ratio")
        shares = ratio if isinstance(ratio, list) else []
        shown = "/".join(f"{100 * float(str(share)):g}" for share in shares)
        told["Split"] = f"{shown}, seed {card.settings.get('seed')}"
    if image_map is not None:
        told["Map"] = f"t-SNE of descriptors: {image_map.way}"
    return told
