"""Rows of the catalog from rows of a part of a data set, with what all its lists say of each."""

from collections.abc import Sequence

import polars as pl

from cairn.records.catalog import CATALOG_SCHEMA, PENDING
from cairn.stages.download.journal import OUTCOME_SCHEMA
from cairn.stages.download.rows import LIST_SCHEMA, download_rows
from cairn.stages.download.verdicts import Verdict
from cairn.stages.gld.part_plan import PartPlan
from cairn.stages.gld.part_rows import PartRow
from cairn.stages.gld.tars import member_name

TRUTH = CATALOG_SCHEMA["own_landmark_ids"]


def listed_part(plan: PartPlan, rows: Sequence[PartRow]) -> pl.DataFrame:
    """What `download_rows` has to know of `rows`, which follow each other in the part of `plan`.

    `source` is the address, and the name in the tar where the list gives none.
    """
    positions = [row.row - 1 for row in rows]
    # A row that repeats an id has a twin also where neither is chosen; both may have one key.
    firsts = [
        plan.rows.at(plan.first_of[position]) if position in plan.first_of else None
        for position in positions
    ]
    return pl.DataFrame(
        {
            "row": [row.row for row in rows],
            "image_id": [row.image_id for row in rows],
            "source": [_source(row) for row in rows],
            "landmark_id": [None] * len(rows),
            "licence": [row.credit.licence for row in rows],
            "author": [row.credit.author for row in rows],
            "verdict": plan.verdict[positions],
            "key": plan.key[positions],
            "twin_key": [int(plan.key[first.row - 1]) if first else None for first in firsts],
            "twin_id": [first and first.image_id for first in firsts],
            "twin_source": [first and _source(first) for first in firsts],
        },
        schema=LIST_SCHEMA,
    )


def part_catalog_rows(
    rows: Sequence[PartRow],
    listed: pl.DataFrame,
    outcomes: pl.DataFrame,
    *,
    list_name: str,
    end_of_unfound: tuple[str, str],
) -> pl.DataFrame:
    """A row of the catalog for each of `rows`, in order.

    listed: what `listed_part` gives of them. outcomes: what the journal says of their keys.
    end_of_unfound: status and cause of rows that are wanted and of which the journal knows nothing.
    """
    table = download_rows(listed, outcomes, list_name=list_name)
    shown = [None if row.landmark_ids is None else list(row.landmark_ids) for row in rows]
    truth = pl.Series("own_landmark_ids", shown, TRUTH)
    status, cause = end_of_unfound
    is_unfound = pl.col("status") == PENDING
    return table.with_columns(
        truth,
        truth.alias("landmark_ids"),
        pl.when(is_unfound).then(pl.lit(status)).otherwise("status").alias("status"),
        pl.when(is_unfound).then(pl.lit(cause)).otherwise("cause").alias("cause"),
    )


def odd_lines_of_part(plan: PartPlan) -> pl.DataFrame:
    """A row of the catalog for each line of the part's list that is no row, behind all that are; without an id."""
    numbers = range(len(plan) + 1, len(plan) + plan.rows.n_odd_lines + 1)
    listed = pl.DataFrame(
        [
            {
                "row": number,
                "image_id": "",
                "source": "",
                "verdict": int(Verdict.MALFORMED),
                "key": 0,
            }
            for number in numbers
        ],
        schema=LIST_SCHEMA,
    )
    return download_rows(listed, pl.DataFrame(schema=OUTCOME_SCHEMA), list_name=plan.list_name)


def _source(row: PartRow) -> str:
    return row.url or member_name(row.image_id)
