"""Image checks over a work folder: measured once for each image's bytes, in parts that are written whole."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from cairn.base.errors import InputError
from cairn.base.files import digest_json
from cairn.base.watching import Watch
from cairn.engines.local import Engine
from cairn.images.checks import CHECKS_WAY
from cairn.pipeline.describing import current_images
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import Catalog
from cairn.records.image_checks import ImageChecks
from cairn.stages.describe import KeptImage, chunks
from cairn.stages.scrub.pixels import check_images

# What Ctrl-C may cost, at most.
IMAGES_A_PART = 256


def check_catalog(
    work: WorkFolder, catalog: Catalog, *, engine: Engine, watch: Watch
) -> ImageChecks:
    """What is measured on the pixels of every image of the catalog, in its order; only what is missing is measured.

    It is left in `image_checks.parquet`; the parts that a run which broke off has left are used and then removed.
    """
    images = current_images(work, catalog)
    folder = work.check_parts
    known = _known([work.image_checks_path, *sorted(folder.glob("*.parquet"))])
    done = set(known["kept_digest"])
    missing = list({image.digest: image for image in images if image.digest not in done}.values())
    parts = [known]
    if missing:
        with watch.phase("check pixels", len(missing)) as advance:
            for part in chunks(missing, IMAGES_A_PART):
                rows = check_images(part, store=work.images, engine=engine, advance=advance)
                made = ImageChecks.of(rows)
                made.write(folder / f"{digest_json([i.digest for i in part])[:24]}.parquet")
                parts.append(made.table)
    checks = _of_images(pl.concat(parts), images)
    checks.write(work.image_checks_path)
    for path in folder.glob("*.parquet"):
        path.unlink(missing_ok=True)
    return checks


def _known(paths: Iterable[Path]) -> pl.DataFrame:
    """What was measured before, once for each image's bytes; a table that cannot be read, or of another Cairn, is passed over."""
    tables = [ImageChecks.of([]).table]
    for path in paths:
        try:
            tables.append(ImageChecks.read(path).table.filter(pl.col("way") == CHECKS_WAY))
        except InputError:
            continue
    return pl.concat(tables).unique("kept_digest", maintain_order=True)


def _of_images(known: pl.DataFrame, images: Sequence[KeptImage]) -> ImageChecks:
    """A row for each image, in order."""
    asked = pl.DataFrame(
        {
            "image_id": [image.image_id for image in images],
            "kept_digest": [image.digest for image in images],
        },
        schema={"image_id": pl.String, "kept_digest": pl.String},
    )
    measured = known.drop("image_id").unique("kept_digest", maintain_order=True)
    return ImageChecks(asked.join(measured, on="kept_digest", how="left", maintain_order="left"))
