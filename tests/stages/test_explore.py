"""The counts of an exploration are those of slow loops over the rows, and they add up."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from cairn.records.catalog import CATALOG_SCHEMA, Catalog
from cairn.records.exploration import Exploration, range_words, size_ranges
from cairn.records.landmarks import Landmarks
from cairn.records.split import PARTS, SPLIT_SCHEMA
from cairn.records.tally import NO_HOST
from cairn.stages.explore import NOT_DEALT, NOT_KNOWN, SHAPES, SIDE_ENDS_PX, explore, images_of
from cairn.stages.explore_sheets import NO_LANDMARK, sheet_images

Row = dict[str, object]
LANDMARKS = Landmarks.of(
    [{"landmark_id": f"l{i}", "name": f"Landmark {i}", "country": f"C{i % 3}"} for i in range(9)]
)


def made_rows(n: int, seed: int = 0) -> list[Row]:
    """Rows of every kind, some of them odd."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for i in range(n):
        shown = [f"l{int(k)}" for k in rng.permutation(12)[: rng.integers(0, 4)]]
        status = str(rng.choice(["kept", "kept", "kept", "failed", "duplicate", "pending", "excluded"]))  # fmt: skip
        rows.append(
            {
                "list": f"/lists/{int(rng.integers(0, 3))}.csv",
                "row": i + 1,
                "image_id": f"i{i:04}",
                "source": ["https://A.test/x", "http://u@b.test:80/y?z", "photo.jpg", None][int(rng.integers(0, 4))],
                "landmark_ids": None if rng.random() < 0.1 else shown,
                "status": status,
                "cause": None if status == "kept" else str(rng.choice(["not found", "truncated"])),
                "width_px": None if rng.random() < 0.1 else int(rng.integers(1, 5000)),
                "height_px": int(rng.integers(1, 5000)),
                "size_bytes": int(rng.integers(1, 1000)),
                "licence": [None, "CC0", "CC-BY"][int(rng.integers(0, 3))],
                "author": [None, "A", "B"][int(rng.integers(0, 3))],
                "excluded": "blurred" if status == "kept" and rng.random() < 0.1 else None,
            }
        )  # fmt: skip
    return rows


def made_split(rows: Sequence[Row], seed: int = 1) -> pl.DataFrame:
    """A split of most images; some in no part, some not in it."""
    rng = np.random.default_rng(seed)
    dealt: list[Row] = []
    for row in rows:
        if row["status"] == "kept" and rng.random() < 0.9:
            group = f"g{int(rng.integers(0, 40))}"
            part = {0: "train", 1: "val", 2: "test"}.get(int(group[1:]) % 4)
            cause = None if part else "unlabelled"
            dealt.append({"image_id": row["image_id"], "part": part, "group": group, "cause": cause})  # fmt: skip
    return pl.DataFrame(dealt, schema=SPLIT_SCHEMA)


def explored(rows: Sequence[Row], split: pl.DataFrame | None = None) -> Exploration:
    table = pl.DataFrame(list(rows), schema=CATALOG_SCHEMA).lazy()
    return explore(table, landmarks=LANDMARKS, split=None if split is None else split.lazy())


def in_use(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["status"] == "kept" and row["excluded"] is None]


def shown_by(row: Row) -> list[str] | None:
    found = row["landmark_ids"]
    return list(found) if isinstance(found, list) else None


ROWS = made_rows(600)
SPLIT = made_split(ROWS)
FOUND = explored(ROWS, SPLIT)
COUNTS = FOUND.counts
IMAGES = in_use(ROWS)
PART_OF = dict(SPLIT.select("image_id", "part").iter_rows())


def test_the_totals_are_those_of_a_loop() -> None:
    totals, shown = COUNTS.totals, [shown_by(row) for row in IMAGES]
    assert (totals.n_rows, totals.n_images) == (600, len(IMAGES))
    assert totals.n_bytes == sum(int(str(row["size_bytes"])) for row in IMAGES)
    assert totals.n_labelled == sum(bool(landmarks) for landmarks in shown)
    assert totals.n_distractors == sum(landmarks == [] for landmarks in shown)
    assert totals.n_unlabelled == sum(landmarks is None for landmarks in shown)
    assert totals.n_several == sum(len(landmarks or []) > 1 for landmarks in shown)
    assert totals.n_landmarks == len({landmarks[0] for landmarks in shown if landmarks})
    assert totals.n_authors == 2
    assert totals.n_labelled + totals.n_distractors + totals.n_unlabelled == totals.n_images


def test_the_landmarks_are_those_of_a_loop() -> None:
    mains = Counter(shown[0] for row in IMAGES if (shown := shown_by(row)))
    besides = Counter(other for row in IMAGES for other in (shown_by(row) or [])[1:])
    parts = Counter(
        (shown[0], PART_OF.get(str(row["image_id"]))) for row in IMAGES if (shown := shown_by(row))
    )
    ids = sorted({*mains, *besides}, key=lambda i: (-mains[i], -besides[i], i))
    assert FOUND.landmarks["landmark_id"].to_list() == ids
    for row in FOUND.landmarks.iter_rows(named=True):
        landmark_id = row["landmark_id"]
        assert (row["n_images"], row["n_also"]) == (mains[landmark_id], besides[landmark_id])
        assert [row[part] for part in PARTS] == [parts[landmark_id, part] for part in PARTS]
        assert row["in_no_part"] == parts[landmark_id, None]
    names = dict(FOUND.landmarks.select("landmark_id", "name").iter_rows())
    assert names["l0"] == "Landmark 0"
    assert names["l11"] == "l11"


def test_rows_by_end_and_by_host_add_up_to_all_rows() -> None:
    ends = Counter(
        ("excluded", row["excluded"]) if row["excluded"] else (row["status"], row["cause"])
        for row in ROWS
    )
    assert {(status, cause): n for status, cause, n in COUNTS.rows.ends} == ends
    assert sum(n for *_, n in COUNTS.rows.ends) == 600
    assert sum(host.n_rows for host in COUNTS.rows.hosts) == 600
    assert {host.host for host in COUNTS.rows.hosts} == {"a.test", "b.test:80", NO_HOST}
    assert COUNTS.rows.n_kept == COUNTS.totals.n_images


def test_lists_licences_shapes_and_sides_each_add_up_to_the_images() -> None:
    n = len(IMAGES)
    assert sum(entry.n_images for entry in COUNTS.lists) == n
    assert sum(entry.n_rows for entry in COUNTS.lists) == 600
    assert {entry.name: entry.n_images for entry in COUNTS.licences} == Counter(
        row["licence"] for row in IMAGES
    )
    assert sum(shape.n_images for shape in COUNTS.shapes) == n
    n_unknown = sum(row["width_px"] is None for row in IMAGES)
    assert sum(side.n_images for side in COUNTS.sides) == n - n_unknown
    assert COUNTS.shapes[-1].name == NOT_KNOWN
    assert COUNTS.shapes[-1].n_images == n_unknown


def test_sides_and_shapes_are_those_of_a_loop() -> None:
    sizes = [
        (int(str(row["width_px"])), int(str(row["height_px"])))
        for row in IMAGES
        if row["width_px"] is not None
    ]
    for side in COUNTS.sides:
        inside = [s for s in sizes if side.smallest <= max(s) <= (side.largest or 10**9)]
        assert side.n_images == len(inside)
    nearest = Counter(
        min(SHAPES, key=lambda shape: abs(np.log(width / height / shape[1])))[0]
        for width, height in sizes
    )
    assert {s.name: s.n_images for s in COUNTS.shapes if s.name != NOT_KNOWN} == nearest


@pytest.mark.parametrize(
    ("side_px", "largest"), [(128, 128), (129, 256), (1024, 1024), (5000, None)]
)
def test_a_side_belongs_to_the_range_that_ends_with_it(side_px: int, largest: int | None) -> None:
    row: Row = {"list": "x", "image_id": "a", "status": "kept", "width_px": side_px, "height_px": 1}
    (only,) = explored([row | {"excluded": None}]).counts.sides
    assert only.largest == largest
    assert largest is None or largest in SIDE_ENDS_PX


def test_parts_and_no_part_add_up_to_the_images() -> None:
    by_part = Counter(PART_OF.get(str(row["image_id"])) for row in IMAGES)
    assert {part.name: part.n_images for part in COUNTS.parts} == {p: by_part[p] for p in PARTS}
    assert sum(entry.n_images for entry in COUNTS.in_no_part) == by_part[None]
    n_new = sum(str(row["image_id"]) not in PART_OF for row in IMAGES)
    assert {entry.name: entry.n_images for entry in COUNTS.in_no_part}[NOT_DEALT] == n_new
    for part in COUNTS.parts:
        inside = [shown_by(row) for row in IMAGES if PART_OF.get(str(row["image_id"])) == part.name]
        assert part.n_landmarks == len({shown[0] for shown in inside if shown})
        assert part.n_distractors == sum(shown == [] for shown in inside)
        assert part.n_unlabelled == sum(shown is None for shown in inside)


def test_groups_of_copies_are_those_of_a_loop() -> None:
    ids = {row["image_id"] for row in IMAGES}
    dealt = SPLIT.drop_nulls("part").filter(pl.col("image_id").is_in(list(ids)))
    groups = [n for n in Counter(dealt["group"]).values() if n > 1]
    assert (COUNTS.totals.n_groups, COUNTS.totals.n_copies) == (len(groups), sum(groups))


def test_sizes_and_countries_add_up_to_the_labelled_images() -> None:
    totals = COUNTS.totals
    for sizes in (COUNTS.sizes, COUNTS.finer_sizes):
        assert sum(size.n_images for size in sizes) == totals.n_labelled
        assert sum(size.n_landmarks for size in sizes) == totals.n_landmarks
    assert sum(country.n_images for country in COUNTS.countries) == totals.n_labelled
    assert sum(country.n_landmarks for country in COUNTS.countries) == totals.n_landmarks


def test_before_a_split_there_are_no_parts() -> None:
    found = explored(ROWS).counts
    assert (found.parts, found.in_no_part, found.totals.n_groups) == ((), (), 0)
    assert found.totals.n_images == COUNTS.totals.n_images


def test_an_empty_catalog_counts_to_nothing() -> None:
    found = explored([], pl.DataFrame(schema=SPLIT_SCHEMA))
    assert found.counts.totals.n_rows == 0
    assert (found.counts.largest, found.counts.sizes, found.counts.shapes) == ((), (), ())
    assert found.landmarks.is_empty()


def test_a_catalog_from_before_scrub_is_counted_as_well() -> None:
    table = pl.DataFrame(ROWS, schema=CATALOG_SCHEMA).drop("excluded").lazy()
    found = explore(table, landmarks=None, split=None).counts
    assert found.totals.n_images == sum(row["status"] == "kept" for row in ROWS)


def test_the_table_has_the_same_numbers_as_the_json() -> None:
    table = COUNTS.table()
    n_images = table.filter(what="totals", name="n_images")["n"].item()
    assert n_images == COUNTS.totals.n_images
    for part in COUNTS.parts:
        assert table.filter(what="parts", name=part.name, detail="n_images")["n"].item() == part.n_images  # fmt: skip
    assert table.filter(what="ends")["n"].sum() == 600
    hosts = table.filter(what="hosts", detail="n_rows")
    assert hosts["n"].sum() == 600


def test_thirty_landmarks_are_the_largest() -> None:
    rows = [
        row | {"landmark_ids": [f"m{i % 50:02}"], "status": "kept", "excluded": None}
        for i, row in enumerate(ROWS)
    ]
    largest = explored(rows).counts.largest
    assert len(largest) == 30
    assert [landmark.landmark_id for landmark in largest] == [f"m{i:02}" for i in range(30)]


def test_ranges_take_each_landmark_once() -> None:
    counts = pl.Series([1500, 100, 99, 20, 4, 2, 1, 1])
    found = size_ranges(counts)
    assert [(size.name, size.n_landmarks) for size in found] == [
        ("1", 2), ("2–4", 2), ("20–49", 1), ("50–99", 1), ("100–999", 1), ("1,000+", 1),
    ]  # fmt: skip
    assert size_ranges(pl.Series([], dtype=pl.Int64)) == ()
    assert range_words(3, 3) == "3"


def test_a_sheet_is_spread_over_all_images_of_its_landmark() -> None:
    rows = Catalog.of(
        {"image_id": f"i{i:02}", "status": "kept", "landmark_ids": ["a"] if i < 20 else [], "path": f"{i}.jpg"}
        for i in range(30)
    )  # fmt: skip
    images = images_of(rows.table.lazy(), None)
    found = sheet_images(images, ["a", "strange"], n=3, with_none=True)
    assert found.filter(landmark="a")["image_id"].to_list() == ["i00", "i10", "i19"]
    assert found.filter(landmark=NO_LANDMARK)["image_id"].len() == 10
    assert sheet_images(images, ["a"], n=2, with_none=False)["landmark"].to_list() == ["a", "a"]
    assert sheet_images(images, [], n=2, with_none=False).is_empty()
