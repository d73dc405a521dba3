import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.records.catalog import CATALOG_SCHEMA, DUPLICATE, EXCLUDED, KEPT, Catalog
from cairn.stages.joining import (
    PLACEHOLDER,
    SAME_ADDRESS,
    SAME_BYTES,
    SAME_ID,
    join_parts,
    with_twins,
)

Row = dict[str, object]


def row(number: int, digest: str | None, truth: list[str] | None = None, **other: object) -> Row:
    """A kept, imported row, unless told otherwise."""
    made: Row = {
        "list": "a", "row": number, "image_id": f"i{number}", "source": f"s{number}", "status": KEPT,
        "own_landmark_ids": truth, "digest": digest, "path": f"images/{number}.jpg",
    }  # fmt: skip
    return made | other


def fetched(number: int, digest: str, landmark_id: str, **other: object) -> Row:
    return row(number, digest, [landmark_id], attempts=1, **other)


def table(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CATALOG_SCHEMA)


def ends(made: pl.DataFrame) -> list[tuple[object, ...]]:
    return made.select("status", "cause", "twin_id", "landmark_ids").rows()


def joined_slowly(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """The rule as one would write it first: a dict of digests, and a loop over each one's rows."""
    made: list[tuple[object, ...]] = [
        (row["status"], row["cause"], row["twin_id"], row["own_landmark_ids"]) for row in rows
    ]
    alike: dict[object, list[int]] = defaultdict(list)
    for place, each in enumerate(rows):
        if each["status"] in (KEPT, DUPLICATE) and each["digest"] is not None:
            alike[each["digest"]].append(place)
    for places in alike.values():
        whole = [place for place in places if rows[place]["status"] == KEPT]
        whole += [place for place in places if rows[place]["path"] is not None]
        if not whole:
            continue
        own_first = sorted(places, key=lambda place: (place != whole[0], place))
        heard = [rows[i]["own_landmark_ids"] for i in own_first if rows[i]["cause"] != SAME_ID]
        known = [truth for truth in heard if isinstance(truth, list)]
        truth = list(dict.fromkeys(i for each in known for i in each)) if known else None
        for place in places:
            cause = rows[place]["cause"]
            cause = cause if cause in (SAME_ADDRESS, SAME_ID) else SAME_BYTES
            own = rows[place]["own_landmark_ids"]
            made[place] = (DUPLICATE, cause, rows[whole[0]]["image_id"], own)
        made[whole[0]] = (KEPT, None, None, truth)
    return made


def any_row(number: int, rng: random.Random) -> Row:
    """A row such as any stage may leave, with few digests, so that many have twins."""
    status = rng.choice([KEPT, KEPT, DUPLICATE, "failed", EXCLUDED])
    cause = rng.choice([SAME_BYTES, SAME_ADDRESS, SAME_ID]) if status == DUPLICATE else None
    truth = rng.choice([None, [], ["x"], ["y"], ["x", "z"]])
    digest = rng.choice("abcdefgh" if status in (KEPT, DUPLICATE) else [None])
    path = "p" if status == KEPT or rng.random() < 0.5 else None
    twin_id = "old" if status == DUPLICATE else None
    return table(
        [row(number, digest, truth, status=status, cause=cause, path=path, twin_id=twin_id)]
    ).row(0, named=True)


@pytest.mark.parametrize("seed", range(20))
def test_twins_are_those_that_the_slow_rule_finds(seed: int) -> None:
    rng = random.Random(seed)
    rows = [any_row(number, rng) for number in range(rng.choice([0, 1, 2, 40]))]
    made = with_twins(table(rows))
    assert ends(made) == joined_slowly(rows)
    settled = [
        name
        for name in CATALOG_SCHEMA
        if name not in ("status", "cause", "twin_id", "landmark_ids")
    ]
    assert made.select(settled).equals(table(rows).select(settled))


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_joined_as_one_table_is(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    whole = table([any_row(number, rng) for number in range(50)])
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    for path, part in zip(paths, (whole[:20], whole[20:20], whole[20:]), strict=True):
        part.write_parquet(path)
    join_parts(paths, tmp_path / "catalog.parquet", list_name="a")
    assert Catalog.read(tmp_path / "catalog.parquet").table.equals(with_twins(whole))


def test_joining_again_changes_nothing() -> None:
    rng = random.Random(3)
    once = with_twins(table([any_row(number, rng) for number in range(60)]), placeholder_ids=2)
    assert with_twins(once, placeholder_ids=2).equals(once)


def test_a_row_with_the_address_of_another_says_what_it_shows_and_one_with_its_id_does_not() -> (
    None
):
    rows = [
        row(0, "d", ["tower"]),
        row(1, "d", ["arch"], status=DUPLICATE, cause=SAME_ADDRESS, path=None),
        row(2, "d", ["castle"], status=DUPLICATE, cause=SAME_ID, path=None),
    ]
    assert ends(with_twins(table(rows))) == [
        (KEPT, None, None, ["tower", "arch"]),
        (DUPLICATE, SAME_ADDRESS, "i0", ["arch"]),
        (DUPLICATE, SAME_ID, "i0", ["castle"]),
    ]


def test_the_main_landmark_is_the_kept_rows_own() -> None:
    rows = [
        row(0, "d", ["arch"], status=DUPLICATE, cause=SAME_BYTES, path=None),
        row(1, "d", ["tower", "hall"]),
        row(2, "d", ["castle"]),
    ]
    made = with_twins(table(rows))
    assert made["landmark_ids"].to_list() == [
        ["arch"],
        ["tower", "hall", "arch", "castle"],
        ["castle"],
    ]
    assert with_twins(made).equals(made)


def test_the_same_bytes_from_many_addresses_under_three_landmarks_are_no_photo() -> None:
    rows = [fetched(number, "d", f"l{number % 3}") for number in range(5)]
    few = [fetched(number, "e", "l0") for number in range(5, 9)]
    made = with_twins(table([*rows, *few]), placeholder_ids=5)
    assert ends(made)[:5] == [(EXCLUDED, PLACEHOLDER, None, [f"l{i % 3}"]) for i in range(5)]
    assert made["path"].null_count() == 0
    assert made["status"].to_list()[5:] == [KEPT, *[DUPLICATE] * 3]


def test_the_same_bytes_from_many_addresses_of_a_list_without_landmarks_are_no_photo() -> None:
    rows = [row(number, "d", None, attempts=1) for number in range(5)]
    few = [row(number, "e", None, attempts=1) for number in range(5, 9)]
    made = with_twins(table([*rows, *few]), placeholder_ids=5)
    assert ends(made)[:5] == [(EXCLUDED, PLACEHOLDER, None, None)] * 5
    assert made["status"].to_list()[5:] == [KEPT, *[DUPLICATE] * 3]


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([fetched(i, "d", f"l{i % 2}") for i in range(9)], "two landmarks"),
        ([row(i, "d", ["l"] if i == 4 else None, attempts=1) for i in range(9)], "one landmark"),
        ([row(i, "d", [], attempts=1) for i in range(9)], "said to show no landmark"),
        ([fetched(i, "d", f"l{i}") for i in range(4)], "four addresses"),
        ([fetched(i, "d", f"l{i}", source="one") for i in range(9)], "one address"),
        ([row(i, "d", [f"l{i}"]) for i in range(9)], "the user's own files"),
    ],
)
def test_bytes_that_may_be_a_photo_stay_one(rows: list[Row], why: str) -> None:
    made = with_twins(table(rows), placeholder_ids=5)
    assert made["status"].to_list() == [KEPT, *[DUPLICATE] * (len(rows) - 1)], why


def test_a_later_list_knows_the_placeholders_of_the_first(tmp_path: Path) -> None:
    first = with_twins(table([fetched(i, "d", f"l{i}") for i in range(5)]), placeholder_ids=5)
    second = table([fetched(i, "d", "l0", list="b") for i in (7, 8)])
    first.write_parquet(tmp_path / "catalog.parquet")
    second.write_parquet(tmp_path / "part.parquet")
    join_parts(
        [tmp_path / "part.parquet"], tmp_path / "catalog.parquet", list_name="b",
        before=tmp_path / "catalog.parquet", placeholder_ids=5,
    )  # fmt: skip
    assert Catalog.read(tmp_path / "catalog.parquet").counts() == {"excluded: placeholder": 7}


def test_rows_of_other_lists_stay_in_front_and_those_of_this_one_are_replaced(
    tmp_path: Path,
) -> None:
    out = tmp_path / "catalog.parquet"
    table([row(1, "d", list="b"), row(2, "e"), row(3, "f", list="b")]).write_parquet(out)
    table([row(4, "d"), row(5, "g")]).write_parquet(tmp_path / "part.parquet")
    join_parts([tmp_path / "part.parquet"], out, list_name="a", before=out)
    made = Catalog.read(out).table
    assert made["image_id"].to_list() == ["i1", "i3", "i4", "i5"]
    assert made["twin_id"].to_list() == [None, None, "i1", None]


def test_an_id_that_two_lists_give_to_different_images_is_refused_and_the_catalog_stays(
    tmp_path: Path,
) -> None:
    out = tmp_path / "catalog.parquet"
    table([row(1, "d", list="b")]).write_parquet(out)
    table([row(1, "e")]).write_parquet(tmp_path / "part.parquet")
    with pytest.raises(InputError, match="b and a both have an image i1, with different bytes"):
        join_parts([tmp_path / "part.parquet"], out, list_name="a", before=out)
    assert len(Catalog.read(out).table) == 1


def test_a_catalog_from_before_downloads_is_joined(tmp_path: Path) -> None:
    out = tmp_path / "catalog.parquet"
    table([row(1, "d", list="b")]).drop("fetched_from", "attempts", "fetched_at").write_parquet(out)
    table([fetched(2, "e", "l")]).write_parquet(tmp_path / "part.parquet")
    join_parts([tmp_path / "part.parquet"], out, list_name="a", before=out)
    assert Catalog.read(out).table["attempts"].to_list() == [None, 1]
