"""Scrub over a work folder: checks and descriptors are made where they are missing, findings and a report are left."""

from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import Card, FileRecord, digest_json
from cairn.base.settings import DescribeSettings, ScrubSettings
from cairn.base.watching import Silent, Watch
from cairn.engines.local import LocalEngine
from cairn.images.pixels import Decoded
from cairn.images.thumbnails import Thumbnails
from cairn.models.embedder import Embedder
from cairn.pipeline.checking import check_catalog
from cairn.pipeline.deciding import undecided
from cairn.pipeline.describing import (
    current_images,
    describe_catalog,
    embedder_of,
    require_there,
)
from cairn.pipeline.results import Scrubbed
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.findings import Findings
from cairn.reports.scrub import ScrubContents, shown_images, write_scrub_report
from cairn.stages.describe import KeptImage, checked_image
from cairn.stages.scrub.pixels import ENOUGH_PX
from cairn.stages.scrub.scrubbing import SCRUB_WAY, ScrubGiven
from cairn.stages.scrub.scrubbing import scrub as find
from cairn.version import __version__

FINDINGS = "findings.parquet"


def scrub(
    work: str | Path,
    *,
    describing: DescribeSettings | None = None,
    settings: ScrubSettings | None = None,
    watch: Watch | None = None,
) -> Scrubbed:
    """What is doubtful about the images of `work`, as findings and as a page; see docs/scrub.md.

    It looks at all kept images as if nothing had been decided about them, and decides nothing itself.
    Raises InputError where nothing was imported, or an image of the work folder has gone or changed.
    """
    place, shown = WorkFolder(Path(work)), watch or Silent()
    place.require()
    with place.locked():
        catalog = undecided(place)
        if catalog.images.is_empty():
            raise InputError(
                f"{place.root} holds no image; some that cairn import or cairn download has kept were expected; run: "
                f"cairn import {place.root} --folder DIR"
            )
        embedder = embedder_of(describing or DescribeSettings(), work=place, watch=shown)
        return _scrubbed(place, catalog, embedder, settings or ScrubSettings(), shown)


def _scrubbed(
    place: WorkFolder, catalog: Catalog, embedder: Embedder, settings: ScrubSettings, watch: Watch
) -> Scrubbed:
    engine = LocalEngine()
    images = current_images(place, catalog)
    require_there(place, images)
    checks = check_catalog(place, catalog, engine=engine, watch=watch)
    descriptors = describe_catalog(place, catalog, embedder, engine=engine, watch=watch)
    made = _card(place, catalog, images, embedder, settings)
    card = place.card("scrub")
    if card is not None and card.still_holds(made, root=place.root):
        return _left(place, catalog, Findings.read(place.findings_path), embedder, watch)
    given = ScrubGiven(
        catalog=catalog,
        checks=checks,
        descriptors=descriptors,
        split=place.split() if place.split_path.exists() else None,
        names=_names(place),
    )
    findings = find(
        given, pixels_of=_pixels(place, images), embedder=embedder, settings=settings, engine=engine, watch=watch
    )  # fmt: skip
    findings.write(place.findings_path)
    outputs = {FINDINGS: FileRecord.of(place.findings_path)}
    made.model_copy(update={"outputs": outputs}).write(place.card_path("scrub"))
    return _left(place, catalog, findings, embedder, watch)


def _left(
    place: WorkFolder, catalog: Catalog, findings: Findings, embedder: Embedder, watch: Watch
) -> Scrubbed:
    """What scrub leaves, with its page."""
    report = _report(place, catalog, findings, embedder, watch)
    return Scrubbed(place, findings, len(catalog.images), _n_duplicates(catalog, findings), report)


def _n_duplicates(catalog: Catalog, findings: Findings) -> int:
    """How many rows with findings are no images of their own, for their bytes are those of another."""
    doubtful = findings.table.select(pl.col("image_id").unique())
    return len(doubtful.join(catalog.images, on="image_id", how="anti"))


def _card(
    place: WorkFolder, catalog: Catalog, images: Sequence[KeptImage], embedder: Embedder, settings: ScrubSettings
) -> Card:  # fmt: skip
    """What the findings depend on, so that they are not made again where nothing has changed."""
    told = catalog.table.select("image_id", "status", "twin_id", "own_landmark_ids", "landmark_ids")
    dealt = (
        place.split().table.select("image_id", "part", "part_before")
        if place.split_path.exists()
        else None
    )
    return Card(
        stage="scrub",
        version=__version__,
        settings={
            "scrub": settings.as_json(),
            "describe": embedder.settings.as_json(),
            "way": SCRUB_WAY,
        },
        inputs={
            "catalog": _digest(told),
            "images": digest_json([image.digest for image in images]),
            "descriptors": embedder.source,
            "split": "" if dealt is None else _digest(dealt),
            "names": digest_json(dict[str, JsonValue](_names(place))),
        },
        outputs={},
    )


def _digest(table: pl.DataFrame) -> str:
    return digest_json([[*row] for row in table.iter_rows()])


def _names(place: WorkFolder) -> dict[str, str]:
    """The name of each landmark that has one."""
    if not place.landmarks_path.exists():
        return {}
    named = place.landmarks().table.drop_nulls("name").select("landmark_id", "name")
    return dict(named.iter_rows())


def _pixels(place: WorkFolder, images: Sequence[KeptImage]) -> Callable[[int], Decoded]:
    return lambda row: checked_image(images[row], place.images, enough_px=ENOUGH_PX)


def _report(
    place: WorkFolder, catalog: Catalog, findings: Findings, embedder: Embedder, watch: Watch
) -> Path:
    """The page with the surest findings of each kind."""
    path = place.reports / "scrub" / "report.html"
    wanted = pl.col("image_id").is_in(shown_images(findings)) & pl.col("path").is_not_null()
    rows = catalog.table.filter(wanted).unique("image_id", maintain_order=True)
    kept = Thumbnails(place.thumbnails, place.images)

    def jpeg(row: tuple[str, str, str | None]) -> tuple[str, bytes | None]:
        try:
            return row[0], kept.jpeg(*row)
        except InputError:
            return row[0], None

    with watch.phase("report", len(rows)) as advance:
        jpegs: dict[str, bytes | None] = {}
        for image_id, content in LocalEngine().map(
            jpeg, rows.select("image_id", "path", "kept_digest").iter_rows()
        ):
            jpegs[image_id] = content
            advance(1)
        contents = ScrubContents(
            dataset=catalog.dataset,
            findings=findings,
            images=rows.select(
                "image_id", "landmark_ids", "width_px", "height_px", "author", "licence"
            ),
            n_images=len(catalog.images),
            n_duplicates=_n_duplicates(catalog, findings),
            names=_names(place),
            thumbnail=jpegs.get,
            about={
                "Cairn": __version__,
                "Backbone": embedder.backbone.name,
                "Descriptor": f"{embedder.width:,} numbers",
            },
            next_commands=(
                f"cairn review {place.root}",
                f"cairn scrub {place.root} --apply careful",
            ),
        )
        write_scrub_report(path, contents)
    return path
