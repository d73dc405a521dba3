from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.records.catalog import Catalog
from cairn.records.decisions import Decisions, undone
from tests.make import catalog

TRUTHS = st.lists(st.sampled_from([None, [], ["a"], ["b"], ["a", "b"]]), min_size=1, max_size=6)


def decided(made: Catalog, told: list[tuple[int, str | None, list[str] | None]]) -> Decisions:
    """Decisions about rows of the catalog: their number, why they are excluded, what they show."""
    shown = made.table["landmark_ids"].to_list()
    return Decisions.of(
        {
            "image_id": f"i{row:04}", "excluded": excluded, "landmark_ids": landmark_ids,
            "before_landmark_ids": None if landmark_ids is None else shown[row],
            "because": "it is so", "by": "policy",
        }
        for row, excluded, landmark_ids in told
        if excluded is not None or landmark_ids is not None
    )  # fmt: skip


def test_an_excluded_image_is_left_out_and_another_shows_what_was_decided() -> None:
    made = catalog([["a"], ["a"], ["b"]])
    now = Catalog(decided(made, [(0, "blank", None), (2, None, [])]).applied_to(made.table))
    assert now.images["image_id"].to_list() == ["i0001", "i0002"]
    assert now.kept["landmark_ids"].to_list() == [["a"], ["a"], []]
    assert now.counts() == {"kept": 2, "excluded: blank": 1}


def test_a_row_that_is_not_kept_is_never_decided_about() -> None:
    rows: list[dict[str, object]] = [
        {"image_id": "i0000", "status": "duplicate", "landmark_ids": ["a"]}
    ]
    made = Catalog.of(rows)
    assert decided(made, [(0, "blank", ["b"])]).applied_to(made.table).equals(made.table)


@settings(deadline=None)
@given(truths=TRUTHS, data=st.data())
def test_what_was_applied_is_undone_to_the_same_rows(
    truths: list[list[str] | None], data: st.DataObject
) -> None:
    made = catalog(truths)
    shown = st.sampled_from([None, [], ["a"], ["c", "a"]])
    told = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(truths) - 1), st.sampled_from([None, "bad"]), shown),
            unique_by=lambda row: row[0],
        )
    )
    decisions = decided(made, told)
    now = decisions.applied_to(made.table)
    assert undone(now.lazy(), [decisions]).collect().equals(made.table)


def test_a_row_that_was_written_anew_since_keeps_its_new_truth() -> None:
    made = catalog([["a"], ["a"]])
    decisions = decided(made, [(0, None, ["b"]), (1, None, ["b"])])
    now = decisions.applied_to(made.table).with_columns(pl.Series("landmark_ids", [["b"], ["new"]]))
    assert decisions.undone_in(now.lazy()).collect()["landmark_ids"].to_list() == [["a"], ["new"]]


def test_an_image_without_an_id_of_its_own_is_left_alone() -> None:
    rows: list[dict[str, object]] = [{"image_id": None, "status": "failed"}]
    made = Catalog.of(rows)
    assert Decisions.of([]).undone_in(made.table.lazy()).collect().equals(made.table)


def test_two_decisions_about_one_image_or_none_are_refused() -> None:
    row: dict[str, object] = {"image_id": "a", "excluded": "bad"}
    with pytest.raises(InputError, match="about the image a twice; one row each was expected"):
        Decisions.of([row, row])
    with pytest.raises(InputError, match="nothing is decided about the image a, though"):
        Decisions.of([{"image_id": "a"}])


def test_decisions_are_read_back_and_their_landmarks_named_once(tmp_path: Path) -> None:
    made = decided(catalog([["a"], ["a"], ["b"]]), [(0, None, ["z", "a"]), (2, "bad", ["z"])])
    made.write(tmp_path / "decisions.parquet")
    assert Decisions.read(tmp_path / "decisions.parquet").table.equals(made.table)
    assert made.landmark_ids == ["a", "z"]
    with pytest.raises(InputError, match="run: cairn scrub WORK --apply POLICY"):
        Decisions.read(tmp_path / "nothing.parquet")
