"""Copies told as findings: about the image that goes, connected by few, across parts and under two landmarks."""

from dataclasses import replace

import polars as pl
import pytest

from cairn.records.catalog import CATALOG_SCHEMA
from cairn.records.findings import (
    COPY_ACROSS,
    EXACT_COPY,
    NEAR_COPY,
    TWO_LANDMARKS,
    Findings,
)
from cairn.stages.scrub.copies import CopyPair
from cairn.stages.scrub.copy_findings import CopyTold, connecting, copy_findings, duplicate_findings
from cairn.stages.scrub.laying import Found, How

NAMES = {"tower": "The Tower"}


def told(*truths: tuple[str, ...] | None, parts: tuple[str | None, ...] = ()) -> CopyTold:
    return CopyTold([f"i{row}" for row in range(len(truths))], truths, parts, NAMES)


def pair(stays: int, goes: int, *, how: How = How.WHOLE, share: float = 0.9) -> CopyPair:
    return CopyPair(stays, goes, Found(how, share, 0.8))


def kinds(rows: list[dict[str, object]]) -> list[tuple[object, object, object]]:
    return [(row["kind"], row["image_id"], row["evidence"]) for row in rows]


def test_the_finding_is_about_the_image_that_goes_and_names_the_one_that_stays() -> None:
    (row,) = copy_findings([pair(1, 0)], told(("tower",), ("tower",)))
    assert (row["kind"], row["image_id"], row["evidence"]) == (NEAR_COPY, "i0", ["i1"])
    assert row["score"] == 0.9
    assert "90 of 100 parts agree pixel for pixel" in str(row["reason"])


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        (How.PIXELS, EXACT_COPY, "every pixel"),
        (How.MIRRORED, NEAR_COPY, "the mirror image"),
        (How.PART, NEAR_COPY, "cropped: it shares 80 % of the area"),
        (How.MIRRORED_PART, NEAR_COPY, "mirrored and cropped"),
    ],
)
def test_the_reason_says_how_it_is_a_copy(how: How, kind: str, words: str) -> None:
    (row,) = copy_findings([pair(0, 1, how=how)], told(None, None))
    assert row["kind"] == kind
    assert words in str(row["reason"])


def test_a_pair_that_agrees_less_is_left_to_a_person() -> None:
    (row,) = copy_findings([pair(0, 1, share=0.65)], told(None, None))
    assert row["is_sure"] is False


def test_a_copy_in_another_part_is_told_once_more() -> None:
    images = told(("tower",), ("tower",), ("tower",), parts=("train", "test", "train"))
    rows = copy_findings([pair(0, 1), pair(0, 2)], images)
    assert kinds(rows) == [
        (NEAR_COPY, "i1", ["i0"]), (COPY_ACROSS, "i1", ["i0"]), (NEAR_COPY, "i2", ["i0"]),
    ]  # fmt: skip
    assert str(rows[1]["reason"]).startswith("it lies in test, and a copy of it in train")


def test_an_image_in_no_part_lies_across_none() -> None:
    rows = copy_findings([pair(0, 1)], told(None, None, parts=("train", None)))
    assert [row["kind"] for row in rows] == [NEAR_COPY]


def test_copies_across_parts_that_only_an_image_in_no_part_connects_are_told() -> None:
    images = told(("tower",), ("tower",), ("tower",), parts=("train", None, "test"))
    rows = copy_findings([pair(1, 0), pair(1, 2)], images)
    across = [row for row in rows if row["kind"] == COPY_ACROSS]
    assert kinds(across) == [(COPY_ACROSS, "i2", ["i0", "i1"])]
    assert "it lies in test, and a copy of it in train" in str(across[0]["reason"])
    larger = replace(images, sizes_px=(10, 30, 20))
    rows = copy_findings([pair(1, 0), pair(1, 2)], larger)
    assert (COPY_ACROSS, "i0", ["i2", "i1"]) in kinds(rows)
    unsure = copy_findings([pair(1, 0), pair(1, 2, share=0.65)], images)
    assert COPY_ACROSS not in [row["kind"] for row in unsure]


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [
        (("tower",), ("bridge",), True),
        (("tower",), (), True),
        (("tower",), None, False),
        (("tower",), ("bridge", "tower"), False),
        ((), (), False),
    ],
)
def test_copies_under_landmarks_that_do_not_agree_are_told(
    first: tuple[str, ...] | None, second: tuple[str, ...] | None, is_told: bool
) -> None:
    rows = copy_findings([pair(0, 1)], told(first, second))
    assert (TWO_LANDMARKS in [row["kind"] for row in rows]) == is_told


def test_two_landmarks_are_named_and_left_to_a_person() -> None:
    _, row = copy_findings([pair(0, 1)], told(("tower",), ()))
    assert "said to show no landmark, and its copy The Tower" in str(row["reason"])
    assert row["is_sure"] is False


def test_as_few_pairs_as_connect_the_copies_sure_ones_first() -> None:
    pairs = [pair(0, 1), pair(0, 2), pair(1, 2), pair(3, 4, share=0.62), pair(0, 3, share=0.65)]
    kept = [(one.stays, one.goes) for one in connecting(pairs)]
    assert kept == [(0, 1), (0, 2), (0, 3), (3, 4)]
    assert [(one.stays, one.goes) for one in connecting([pair(1, 2, share=0.6), pair(1, 2)])] == [
        (1, 2)
    ]


def catalog(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=CATALOG_SCHEMA)


def row(
    image_id: str, status: str, own: list[str] | None, twin: str | None = None, *, has_file: bool = True
) -> dict[str, object]:  # fmt: skip
    path = f"images/{image_id}.jpg" if has_file else None
    return {
        "image_id": image_id, "status": status, "own_landmark_ids": own, "twin_id": twin, "path": path,
    }  # fmt: skip


def test_duplicates_of_the_catalog_are_exact_copies_and_their_landmarks_are_compared() -> None:
    table = catalog(
        row("i0", "kept", ["tower"]), row("d0", "duplicate", ["tower"], "i0"),
        row("i1", "kept", ["tower"]), row("d1", "duplicate", ["bridge"], "i1"),
        row("i1", "duplicate", ["bridge"], "i1"), row("d2", "duplicate", None, "gone"),
    )  # fmt: skip
    rows = duplicate_findings(table, told(("tower",), ("tower", "bridge")))
    assert kinds(rows) == [
        (EXACT_COPY, "d0", ["i0"]), (EXACT_COPY, "d1", ["i1"]), (TWO_LANDMARKS, "i1", ["d1"]),
    ]  # fmt: skip
    assert "lie under The Tower, under bridge" in str(rows[2]["reason"])
    assert len(Findings.of(rows).table) == 3


def test_a_row_that_repeats_an_address_has_no_file_and_is_no_copy_but_its_word_counts() -> None:
    table = catalog(
        row("i0", "kept", ["tower"]), row("d0", "duplicate", ["tower"], "i0", has_file=False),
        row("i1", "kept", ["tower"]), row("d1", "duplicate", ["bridge"], "i1", has_file=False),
    )  # fmt: skip
    rows = duplicate_findings(table, told(("tower",), ("tower", "bridge")))
    assert kinds(rows) == [(TWO_LANDMARKS, "i1", [])]


def test_no_duplicates_are_no_findings() -> None:
    assert duplicate_findings(catalog(row("i0", "kept", ["tower"])), told(("tower",))) == []
