from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import SelectSettings
from cairn.records.catalog import CATALOG_SCHEMA, FAILED, KEPT, Catalog
from cairn.stages.download.journal import OUTCOME_SCHEMA, Journal, Outcome
from cairn.stages.download.lists import AddressList, open_list
from cairn.stages.download.plan import make_plan
from cairn.stages.download.rows import LIST_SCHEMA, download_rows, keys_of, listed
from cairn.stages.download.verdicts import Verdict
from cairn.stages.joining import with_twins

KEPT_AT_1 = {
    "key": 1, "status": KEPT, "path": "images/x/1.jpg", "width_px": 4, "height_px": 3, "size_bytes": 9,
    "digest": "aa", "kept_digest": "bb", "likeness": b"l", "fetched_from": "u2", "attempts": 2,
}  # fmt: skip
FAILED_AT_2 = {"key": 2, "status": FAILED, "cause": "gone", "detail": "words", "attempts": 3}


def rows(*given: dict[str, object]) -> pl.DataFrame:
    """Rows of a list with keys 1, 2 and so on."""
    made = [
        {"row": i, "key": i, "image_id": f"i{i}", "source": f"u{i}", "landmark_id": "x", "verdict": 0} | row
        for i, row in enumerate(given, start=1)
    ]  # fmt: skip
    return pl.DataFrame(made, schema=LIST_SCHEMA)


def ends(made: pl.DataFrame) -> list[tuple[object, ...]]:
    return made.select("status", "cause", "twin_id", "digest").rows()


def ended(given: pl.DataFrame) -> pl.DataFrame:
    outcomes = pl.DataFrame([KEPT_AT_1, FAILED_AT_2], schema=OUTCOME_SCHEMA)
    return download_rows(given, outcomes, list_name="list.csv")


def test_a_kept_row_has_all_that_the_journal_knows_of_its_image() -> None:
    made = ended(rows({"licence": "CC0", "author": "A"}))
    Catalog(made)
    found = made.row(0, named=True)
    assert found == dict.fromkeys(CATALOG_SCHEMA) | {
        name: value for name, value in KEPT_AT_1.items() if name != "key"
    } | {
        "list": "list.csv", "row": 1, "image_id": "i1", "source": "u1", "own_landmark_ids": ["x"],
        "landmark_ids": ["x"], "licence": "CC0", "author": "A",
    }  # fmt: skip


def test_a_failed_row_has_its_cause_and_one_that_was_not_fetched_is_pending() -> None:
    made = ended(rows({"key": 2}, {"key": 7}))
    assert ends(made) == [
        (FAILED, "gone", None, None),
        ("pending", "not fetched yet", None, None),
    ]
    assert made["attempts"].to_list() == [3, 0]


def test_a_row_that_is_not_chosen_any_more_is_left_out_unless_its_image_is_here() -> None:
    made = ended(rows({"verdict": Verdict.NOT_CHOSEN}, {"key": 7, "verdict": Verdict.NOT_CHOSEN}))
    assert ends(made) == [(KEPT, None, None, "aa"), ("excluded", "not chosen", None, None)]


def test_landmarks_called_none_and_unknown_are_none() -> None:
    made = ended(rows({"landmark_id": "_none"}, {"landmark_id": "_unknown"}, {"landmark_id": "y"}))
    assert made["own_landmark_ids"].to_list() == [[], None, ["y"]]


@pytest.mark.parametrize(
    ("verdict", "status", "cause"),
    [
        (Verdict.MALFORMED, "failed", "malformed row"),
        (Verdict.BLANK, "excluded", "blank line"),
        (Verdict.NO_ADDRESS, "failed", "no address"),
        (Verdict.BAD_ADDRESS, "failed", "bad address"),
    ],
)
def test_a_row_that_is_never_fetched_ends_as_the_plan_says(
    verdict: Verdict, status: str, cause: str
) -> None:
    made = ended(rows({"verdict": int(verdict), "landmark_id": None}))
    assert ends(made) == [(status, cause, None, None)]
    assert made["own_landmark_ids"].to_list() == made["path"].to_list() == [None]
    assert made["attempts"].to_list() == [0]


@pytest.mark.parametrize(
    ("twin", "end"),
    [
        ({"twin_key": 1, "twin_id": "i1"}, ("duplicate", "same address", "i1", "aa")),
        ({"twin_key": 2, "twin_id": "i2"}, ("failed", "gone", None, None)),
        ({"twin_key": 3, "twin_id": "i3"}, ("pending", "not fetched yet", None, None)),
    ],
)
def test_a_row_with_a_twin_ends_as_the_twin_does(
    twin: dict[str, object], end: tuple[object, ...]
) -> None:
    same = {"verdict": int(Verdict.SAME_ADDRESS), "key": 9, "twin_source": "u1"} | twin
    made = ended(rows(same))
    assert ends(made) == [end]
    assert made["path"].to_list() == [None]


def test_the_same_id_at_another_address_is_a_duplicate_id_whatever_the_journal_knows_of_it() -> (
    None
):
    twin = {"verdict": int(Verdict.SAME_ID), "key": 2, "twin_key": 1, "twin_id": "i1"}
    made = ended(rows(twin | {"twin_source": "elsewhere"}, twin | {"twin_source": "u2"}))
    assert made["cause"].to_list() == ["duplicate id", "same address"]
    assert made["attempts"].to_list() == [0, 0]


def test_the_same_id_at_another_address_is_never_told_how_its_twin_failed() -> None:
    same = {"verdict": int(Verdict.SAME_ID), "key": 9}
    failed = same | {"twin_key": 2, "twin_id": "i2"}
    unknown = same | {"twin_key": 3, "twin_id": "i3"}
    made = ended(
        rows(
            failed | {"twin_source": "elsewhere"}, unknown | {"twin_source": "elsewhere"},
            failed | {"twin_source": "u3"},
        )
    )  # fmt: skip
    asked_never = ("excluded", "duplicate id", None, None)
    assert ends(made) == [asked_never, asked_never, (FAILED, "gone", None, None)]


def test_of_twins_that_are_not_chosen_one_at_most_is_kept() -> None:
    unchosen: dict[str, object] = {"verdict": int(Verdict.NOT_CHOSEN)}
    of_first = unchosen | {"key": 1, "twin_key": 1, "twin_id": "i1"}
    made = ended(
        rows(unchosen, of_first | {"twin_source": "u2"}, of_first | {"twin_source": "elsewhere"})
    )
    assert ends(made) == [
        (KEPT, None, None, "aa"),
        ("duplicate", "same address", "i1", "aa"),
        ("excluded", "not chosen", None, None),
    ]
    assert made["path"].to_list() == ["images/x/1.jpg", None, None]


def test_what_two_rows_say_of_one_address_stays_when_neither_is_chosen_any_more() -> None:
    unchosen: dict[str, object] = {"verdict": int(Verdict.NOT_CHOSEN)}
    later = {"key": 9, "source": "u1", "landmark_id": "y", "twin_key": 1, "twin_id": "i1"}
    made = with_twins(ended(rows(unchosen, unchosen | later | {"twin_source": "u1"})))
    assert made["landmark_ids"].to_list() == [["x", "y"], ["y"]]


def test_a_list_in_another_order_of_which_less_is_chosen_has_each_id_kept_once(
    tmp_path: Path,
) -> None:
    path = tmp_path / "l.csv"
    path.write_text(
        "id,url,landmark_id\nx,http://h/2,2\nx,http://h/1,1\ny,http://h/3,3\ny,http://h/3,3\nz,http://h/4,4\n"
    )
    for seed in range(9):
        with open_list(path) as source:
            plan = make_plan(source, selecting=SelectSettings(sample=1, seed=seed))
            known = listed(plan, list(source.rows()))
        outcomes = pl.DataFrame(
            [KEPT_AT_1 | {"key": key, "digest": f"{key}"} for key in set(plan.key.tolist())],
            schema=OUTCOME_SCHEMA,
        )
        made = download_rows(known, outcomes, list_name="l.csv")
        assert made.filter(pl.col("status") == KEPT)["image_id"].to_list() == ["x", "y", "z"]


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="no column author"):
        ended(rows({}).drop("author"))


LIST = """id,url,landmark_id
a,http://host/1,tower
b,http://host/2,
c,http://host/1,arch
a,http://host/3,castle

d,None,tower
e,http://host/5,tower
"""


def open_made(tmp_path: Path) -> AddressList:
    (tmp_path / "list.csv").write_text(LIST)
    return open_list(tmp_path / "list.csv")


def test_list_plan_and_journal_become_a_catalog_whose_counts_add_up(tmp_path: Path) -> None:
    with open_made(tmp_path) as source, Journal.open(tmp_path / "journal.sqlite") as journal:
        plan = make_plan(source)
        known = listed(plan, list(source.rows()))
        first, second = int(plan.key[0]), int(plan.key[1])
        journal.record(
            [
                Outcome(key=first, status=KEPT, path="p", digest="aa", attempts=1, fetched_at_ms=0),
                Outcome(key=second, status=FAILED, cause="gone", attempts=1, fetched_at_ms=0),
            ]
        )
        outcomes = journal.outcomes(keys_of(known).to_numpy())
    made = Catalog(with_twins(download_rows(known, outcomes, list_name=source.name)))
    assert made.counts() == {
        "duplicate: duplicate id": 1, "duplicate: same address": 1, "excluded: blank line": 1,
        "failed: gone": 1, "failed: no address": 1, "kept": 1, "pending: not fetched yet": 1,
    }  # fmt: skip
    assert made.images["landmark_ids"].to_list() == [["tower", "arch"]]
    assert made.table["twin_id"].to_list() == [None, None, "a", "a", None, None, None]


def test_rows_are_told_with_their_twins(tmp_path: Path) -> None:
    with open_made(tmp_path) as source:
        plan = make_plan(source)
        known = listed(plan, list(source.rows())[2:4])
    assert known.select("row", "twin_id", "twin_source").rows() == [
        (3, "a", "http://host/1"),
        (4, "a", "http://host/1"),
    ]
    assert known["twin_key"].to_list() == [int(plan.key[0])] * 2
    assert np.isin(keys_of(known).to_numpy(), plan.key).all()
