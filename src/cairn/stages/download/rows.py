"""Rows of the catalog from rows of a list: what the plan says of each and what the journal knows, put together."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from cairn.images.fetch.causes import FetchCause
from cairn.records.catalog import CATALOG_SCHEMA, DUPLICATE, EXCLUDED, FAILED, KEPT, PENDING
from cairn.records.tables import Schema, require_schema
from cairn.stages.download.blocks import ListRow, RowFault
from cairn.stages.download.plan import Plan
from cairn.stages.download.verdicts import Verdict
from cairn.stages.joining import SAME_ADDRESS, SAME_ID
from cairn.stages.listing import NONE_FOLDER, UNKNOWN_FOLDER

NOT_FETCHED, NOT_CHOSEN = "not fetched yet", "not chosen"
# How a row ends that is never fetched, and that has no twin.
ENDS_OF_UNFETCHED = {
    Verdict.MALFORMED: (FAILED, str(RowFault.MALFORMED)),
    Verdict.BLANK: (EXCLUDED, str(RowFault.BLANK)),
    Verdict.NO_ADDRESS: (FAILED, str(RowFault.NO_ADDRESS)),
    Verdict.BAD_ADDRESS: (FAILED, str(FetchCause.BAD_ADDRESS)),
    Verdict.NOT_CHOSEN: (EXCLUDED, NOT_CHOSEN),
}
LIST_SCHEMA: Schema = {
    "row": pl.Int64,
    "image_id": pl.String,
    "source": pl.String,
    "landmark_id": pl.String,
    "licence": pl.String,
    "author": pl.String,
    "verdict": pl.UInt8,
    "key": pl.Int64,
    "twin_key": pl.Int64,
    "twin_id": pl.String,
    "twin_source": pl.String,
}
OF_IMAGES = (
    "path", "width_px", "height_px", "size_bytes", "kept_digest", "likeness", "fetched_from", "attempts",
    "fetched_at",
)  # fmt: skip


def listed(plan: Plan, rows: Sequence[ListRow]) -> pl.DataFrame:
    """What `download_rows` has to know of `rows`, which follow each other in the list of `plan`.

    `source` is the address; the columns that begin with `twin_` are those of the row that was fetched in place
    of this one, null where there is none.
    """
    positions = np.array([row.row - 1 for row in rows], np.int64)
    twins = plan.twin[positions]
    identity = plan.source.identity
    of_twins = [identity(int(plan.offsets[twin])) if twin >= 0 else None for twin in twins]
    return pl.DataFrame(
        {
            "row": [row.row for row in rows],
            "image_id": [row.image_id for row in rows],
            "source": [row.url for row in rows],
            "landmark_id": [row.landmark_id for row in rows],
            "licence": [row.licence for row in rows],
            "author": [row.author for row in rows],
            "verdict": plan.verdict[positions],
            "key": plan.key[positions],
            "twin_key": [int(plan.key[twin]) if twin >= 0 else None for twin in twins],
            "twin_id": [twin and twin[0] for twin in of_twins],
            "twin_source": [twin and twin[1] for twin in of_twins],
        },
        schema=LIST_SCHEMA,
    )


def keys_of(rows: pl.DataFrame) -> pl.Series:
    """The journal's keys of all that is to be known of `rows`, each once: theirs and those of their twins."""
    return pl.concat([rows["key"], rows["twin_key"].drop_nulls()]).unique()


def download_rows(rows: pl.DataFrame, outcomes: pl.DataFrame, *, list_name: str) -> pl.DataFrame:
    """A row of the catalog for each of `rows`, in order.

    rows: with the columns of LIST_SCHEMA. outcomes: what the journal says of `keys_of(rows)`.
    A row that has a twin ends as a duplicate of it; where that gave no image, as the twin does if the address is
    the same, else as excluded, since its own address was never asked. A duplicate has its twin's digest, so that
    joining takes what it says of the photo, and no file of its own; it stays one where neither row is chosen any more.
    `attempts` is 0 where nothing was asked for.
    """
    require_schema(rows, LIST_SCHEMA, what="what is listed")
    own = outcomes.drop("detail", "http_status")
    of_twins = own.select("key", "status", "cause", "digest").rename(lambda name: f"twin_{name}")
    # What is here already stays, also where another choice of rows would not fetch it; of twins, the first.
    is_unchosen, has_twin = (
        pl.col("verdict") == Verdict.NOT_CHOSEN,
        pl.col("twin_key").is_not_null(),
    )
    is_here = is_unchosen & ~has_twin & (pl.col("status") == KEPT)
    is_fetched = (pl.col("verdict") == Verdict.FETCH) | is_here.fill_null(value=False)
    # The same id and the same address, twice in a list, is one photo of which two things are said.
    is_same_photo = has_twin & (pl.col("source") == pl.col("twin_source")).fill_null(value=False)
    is_duplicate = (
        has_twin
        & (pl.col("twin_status") == KEPT).fill_null(value=False)
        & (~is_unchosen | is_same_photo)
    )
    found = rows.join(own, on="key", how="left", maintain_order="left").join(
        of_twins, on="twin_key", how="left", maintain_order="left"
    )
    of_image = [pl.when(is_fetched).then(name).alias(name) for name in OF_IMAGES]
    status, cause = _ends(is_fetched, is_duplicate, is_same_photo)
    return (
        found.with_columns(of_image)
        .with_columns(
            status.alias("status"),
            cause.alias("cause"),
            pl.when(is_fetched)
            .then("digest")
            .when(is_duplicate | (is_same_photo & ~is_unchosen))
            .then("twin_digest")
            .alias("digest"),
            pl.when(is_duplicate).then("twin_id").alias("twin_id"),
            pl.lit(list_name).alias("list"),
            pl.col("attempts").fill_null(0),
            _own_truth().alias("own_landmark_ids"),
        )
        .with_columns(
            pl.col("own_landmark_ids").alias("landmark_ids"),
            pl.lit(None, CATALOG_SCHEMA["excluded"]).alias("excluded"),
        )
        .select(*CATALOG_SCHEMA)
    )


def _own_truth() -> pl.Expr:
    """What a row says that its image shows: a landmark; none, where it says `_none`; null, where it says nothing."""
    landmark = pl.col("landmark_id")
    says_nothing = landmark.is_null() | (landmark == UNKNOWN_FOLDER)
    none = pl.lit([], dtype=pl.List(pl.String))
    shown = pl.when(landmark == NONE_FOLDER).then(none).otherwise(pl.concat_list(landmark))
    return pl.when(~says_nothing).then(shown)


def _ends(
    is_fetched: pl.Expr, is_duplicate: pl.Expr, is_same_photo: pl.Expr
) -> tuple[pl.Expr, pl.Expr]:
    """The status and the cause of each row."""
    verdicts = pl.col("verdict")
    status_of = {int(verdict): status for verdict, (status, _) in ENDS_OF_UNFETCHED.items()}
    cause_of = {int(verdict): cause for verdict, (_, cause) in ENDS_OF_UNFETCHED.items()}
    is_as_planned = verdicts.is_in(list(status_of))
    why_twin = pl.when(is_same_photo).then(pl.lit(SAME_ADDRESS)).otherwise(pl.lit(SAME_ID))
    status = (
        pl.when(is_fetched)
        .then(pl.col("status").fill_null(PENDING))
        .when(is_duplicate)
        .then(pl.lit(DUPLICATE))
        .when(is_as_planned)
        .then(verdicts.replace_strict(status_of, default=None, return_dtype=pl.String))
        .when(is_same_photo)
        .then(pl.col("twin_status").fill_null(PENDING))
        .otherwise(pl.lit(EXCLUDED))
    )
    cause = (
        pl.when(is_fetched & pl.col("status").is_not_null())
        .then("cause")
        .when(is_duplicate)
        .then(why_twin)
        .when(is_as_planned)
        .then(verdicts.replace_strict(cause_of, default=None, return_dtype=pl.String))
        .when(is_same_photo & pl.col("twin_status").is_not_null())
        .then("twin_cause")
        .when(is_fetched | is_same_photo)
        .then(pl.lit(NOT_FETCHED))
        .otherwise(pl.lit(SAME_ID))
    )
    return status, cause
