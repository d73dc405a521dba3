from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.base.settings import SplitSettings
from cairn.records.catalog import Catalog
from cairn.records.split import Split
from cairn.stages.split import BRIDGES, UNLABELLED, leakage, split
from tests.make import catalog, likeness_of, pixels


def of_landmarks(counts: dict[str, int]) -> Catalog:
    return catalog([[name] if name else [] for name, n in counts.items() for _ in range(n)])


def parts_by_landmark(made: Catalog, dealt: Split) -> dict[str, Counter[str]]:
    part_of = dict(zip(dealt.table["image_id"], dealt.table["part"], strict=True))
    found: dict[str, Counter[str]] = {}
    for image_id, truth in made.images.select("image_id", "landmark_ids").iter_rows():
        found.setdefault((truth or [""])[0], Counter())[part_of[image_id]] += 1
    return found


def test_small_landmarks_get_what_is_promised() -> None:
    made = of_landmarks({"one": 1, "two": 2, "three": 3, "": 30})
    found = parts_by_landmark(made, split(made, settings=SplitSettings()))
    assert found["one"] == {"train": 1}
    assert found["two"] == {"train": 1, "test": 1}
    assert found["three"] == {"train": 1, "val": 1, "test": 1}


@pytest.mark.parametrize("ratio", ["80/10/10", "50/0/50", "70/30/0", "34/33/33", "100/0/0"])
def test_the_overall_ratio_holds_and_a_part_without_share_gets_nothing(ratio: str) -> None:
    small = {f"one{i}": 1 for i in range(20)} | {f"two{i}": 2 for i in range(20)}
    made = of_landmarks({f"l{i}": 7 + i % 9 for i in range(60)} | small | {"": 150})
    dealt = split(made, settings=SplitSettings(ratio=ratio))
    shares = [float(x) / 100 for x in ratio.split("/")]
    for part, share in zip(("train", "val", "test"), shares, strict=True):
        assert abs(len(dealt.image_ids(part)) / len(made.images) - share) <= (0.005 if share else 0)


def test_the_same_seed_deals_the_same_and_another_deals_otherwise() -> None:
    made = of_landmarks({"a": 20, "b": 20, "": 20})
    first, again, other = (split(made, settings=SplitSettings(seed=s)) for s in (1, 1, 2))
    assert first.table.equals(again.table)
    assert not first.table.equals(other.table)


def test_the_order_of_the_catalog_changes_nothing() -> None:
    made = of_landmarks({"a": 20, "b": 20})
    turned = Catalog(made.table.reverse())
    assert split(made, settings=SplitSettings()).table.equals(
        split(turned, settings=SplitSettings()).table
    )


def test_copies_stay_on_one_side_and_the_leakage_report_sees_none() -> None:
    codes = [likeness_of(pixels(i)) for i in range(40)]
    made = catalog([["a"]] * 80, likenesses=[code for code in codes for _ in range(2)])
    dealt = split(made, settings=SplitSettings(ratio="50/0/50"))
    found = leakage(made, dealt, settings=SplitSettings())
    assert (found.n_groups, found.n_copies, found.n_copies_across) == (40, 80, 0)


def test_the_leakage_report_finds_copies_that_a_split_tore_apart() -> None:
    code = likeness_of(pixels(0))
    made = catalog([["a"], ["a"]], likenesses=[code, code])
    torn = Split.of(
        {"image_id": f"i000{i}", "part": part, "group": f"i000{i}"}
        for i, part in enumerate(("train", "test"))
    )
    assert leakage(made, torn, settings=SplitSettings()).n_copies_across == 1


def test_a_later_split_moves_no_old_image() -> None:
    small = of_landmarks({"a": 12, "b": 5, "": 9})
    first = split(small, settings=SplitSettings(seed=3))
    more = catalog(small.images["landmark_ids"].to_list() + [["a"]] * 9 + [["c"]] * 4)
    second = split(more, settings=SplitSettings(seed=4), before=first)
    now = dict(zip(second.table["image_id"], second.table["part"], strict=True))
    was = dict(zip(first.table["image_id"], first.table["part"], strict=True))
    assert {image_id: now[image_id] for image_id in was} == was
    assert {now[f"i{row:04}"] for row in range(35, 39)} == {"train", "val", "test"}


def test_a_new_copy_of_images_in_different_parts_is_excluded_with_that_cause() -> None:
    a, b = (np.frombuffer(likeness_of(pixels(i)), dtype=np.uint8) for i in (1, 2))
    bits_a, bits_b = np.unpackbits(a), np.unpackbits(b)
    differ = np.flatnonzero(bits_a != bits_b)
    between = bits_a.copy()
    between[differ[: len(differ) // 2]] = bits_b[differ[: len(differ) // 2]]
    codes = [a.tobytes(), b.tobytes(), np.packbits(between).tobytes()]
    before = Split.of(
        {"image_id": f"i000{i}", "part": part, "group": f"i000{i}"}
        for i, part in enumerate(("train", "test"))
    )
    wide = SplitSettings(copy_bits=len(differ) // 2 + 1)
    dealt = split(catalog([["a"]] * 3, likenesses=codes), settings=wide, before=before)
    assert dealt.table.row(2)[1:4] == (None, "i0002", BRIDGES)


def test_unlabelled_images_are_in_no_part_and_nothing_labelled_is_an_error() -> None:
    dealt = split(catalog([["a"], ["a"], None]), settings=SplitSettings())
    assert dealt.counts() == {"train": 1, "test": 1, f"in no part: {UNLABELLED}": 1}
    with pytest.raises(InputError, match="no image in the catalog is labelled"):
        split(catalog([None, None]), settings=SplitSettings())


def test_a_landmark_that_is_only_ever_shown_beside_another_is_in_train() -> None:
    made = catalog([["a", "hidden"] if i == 7 else ["a"] for i in range(20)])
    for seed in range(5):
        dealt = split(made, settings=SplitSettings(seed=seed))
        assert "i0007" in dealt.image_ids("train")


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 12), min_size=1, max_size=12),
    ratio=st.sampled_from(["80/10/10", "50/0/50", "60/40/0", "1/1/98"]),
    seed=st.integers(0, 5),
)
def test_the_promises_hold_for_any_sizes(counts: list[int], ratio: str, seed: int) -> None:
    made = of_landmarks({f"l{i}": n for i, n in enumerate(counts)})
    wanted = SplitSettings(ratio=ratio, seed=seed)
    shared = [p for p, s in zip(("train", "val", "test"), wanted.ratio, strict=True) if s > 0]
    for parts in parts_by_landmark(made, split(made, settings=wanted)).values():
        n = parts.total()
        assert parts["train"] >= 1
        if n == 2 and "test" in shared:
            assert parts["test"] == 1
        if n >= 3:
            assert all(parts[part] >= 1 for part in shared)
        assert set(parts) <= set(shared)


# copies that scrub found, and images that are excluded


def without(made: Catalog, *image_ids: str) -> Catalog:
    """The catalog in which these images are excluded."""
    cause = pl.when(pl.col("image_id").is_in(image_ids)).then(pl.lit("near copy"))
    return Catalog(made.table.with_columns(cause.alias("excluded")))


def row_of(dealt: Split, image_id: str) -> dict[str, object]:
    return dealt.table.row(by_predicate=pl.col("image_id") == image_id, named=True)


def test_pairs_of_findings_are_copies_too_and_share_a_part() -> None:
    made = catalog([["a"]] * 40)
    pairs = [(f"i{2 * n:04}", f"i{2 * n + 1:04}") for n in range(20)]
    dealt = split(made, settings=SplitSettings(ratio="50/0/50"), copies=pairs)
    found = leakage(made, dealt, settings=SplitSettings(), copies=pairs)
    assert (found.n_groups, found.n_copies, found.n_copies_across) == (20, 40, 0)
    torn = split(made, settings=SplitSettings(ratio="50/0/50"))
    told = leakage(made, torn, settings=SplitSettings(), copies=pairs)
    assert told.n_copies_across == told.n_found_across > 0


def test_a_pair_that_likeness_and_findings_tell_of_counts_once() -> None:
    code = likeness_of(pixels(0))
    made = catalog([["a"], ["a"]], likenesses=[code, code])
    torn = Split.of(
        {"image_id": f"i000{i}", "part": part, "group": f"i000{i}"}
        for i, part in enumerate(("train", "test"))
    )
    pairs = [("i0000", "i0001"), ("i0001", "gone")]
    found = leakage(made, torn, settings=SplitSettings(), copies=pairs)
    assert (found.n_copies_across, found.n_found_across, found.n_alike_across) == (1, 0, 0)


def test_an_excluded_image_leaves_its_part_with_its_cause_and_returns_where_it_was() -> None:
    made = of_landmarks({"a": 12, "b": 5})
    first = split(made, settings=SplitSettings(seed=3))
    was = row_of(first, "i0004")
    second = split(without(made, "i0004"), settings=SplitSettings(seed=4), before=first)
    left = row_of(second, "i0004")
    assert (left["part"], left["cause"]) == (None, "excluded: near copy")
    assert left["part_before"] == was["part"]
    others = pl.col("image_id") != "i0004"
    assert second.table.filter(others).equals(first.table.filter(others))
    third = split(made, settings=SplitSettings(seed=5), before=second)
    assert third.table.equals(first.table)


def test_an_image_that_was_excluded_from_the_first_is_dealt_like_a_new_one() -> None:
    made = of_landmarks({"a": 12})
    first = split(without(made, "i0003"), settings=SplitSettings())
    assert row_of(first, "i0003")["part_before"] is None
    again = split(made, settings=SplitSettings(), before=first)
    assert row_of(again, "i0003")["part"] is not None
    assert "i0003" not in first.image_ids("train", "val", "test")


def test_a_new_copy_of_an_excluded_image_waits_in_its_part() -> None:
    made = of_landmarks({"a": 10})
    for seed in range(4):
        first = split(made, settings=SplitSettings(ratio="50/0/50", seed=seed))
        more = of_landmarks({"a": 14})
        gone = without(more, "i0002")
        second = split(
            gone, settings=SplitSettings(ratio="50/0/50"), before=first, copies=[("i0002", "i0012")]
        )
        assert row_of(second, "i0012")["part"] == row_of(first, "i0002")["part"]
        assert row_of(second, "i0012")["group"] == "i0012"
        back = split(
            more,
            settings=SplitSettings(ratio="50/0/50"),
            before=second,
            copies=[("i0002", "i0012")],
        )
        assert row_of(back, "i0002")["part"] == row_of(back, "i0012")["part"]


def test_a_later_finding_that_connects_two_parts_moves_nothing_and_is_counted() -> None:
    made = of_landmarks({"a": 10})
    first = split(made, settings=SplitSettings(ratio="50/0/50"))
    across = [(first.image_ids("train")[0], first.image_ids("test")[0])]
    second = split(made, settings=SplitSettings(ratio="50/0/50"), before=first, copies=across)
    assert second.table.equals(first.table)
    assert leakage(made, second, settings=SplitSettings(), copies=across).n_copies_across == 1
    fresh = split(made, settings=SplitSettings(ratio="50/0/50"), copies=across)
    assert leakage(made, fresh, settings=SplitSettings(), copies=across).n_copies_across == 0
    one_out = without(made, across[0][0])
    third = split(one_out, settings=SplitSettings(ratio="50/0/50"), before=second, copies=across)
    assert leakage(one_out, third, settings=SplitSettings(), copies=across).n_copies_across == 0


# A is in train and C in test; X, in no part, is a copy of both
BRIDGE = [("i0000", "i0002"), ("i0001", "i0002")]


def bridged() -> tuple[Catalog, Split]:
    made = catalog([["a"]] * 3)
    parts = (("i0000", "train", None), ("i0001", "test", None), ("i0002", None, BRIDGES))
    return made, Split.of(
        {"image_id": name, "part": part, "group": name, "cause": cause}
        for name, part, cause in parts
    )


def test_copies_that_only_an_image_in_no_part_connects_are_counted_across() -> None:
    made, dealt = bridged()
    found = leakage(made, dealt, settings=SplitSettings(), copies=BRIDGE)
    assert (found.n_copies_across, found.n_found_across) == (1, 1)
    assert leakage(made, dealt, settings=SplitSettings(), copies=BRIDGE[:1]).n_copies_across == 0


def test_a_bridge_enters_a_part_once_what_it_connects_is_left_out_and_all_may_come_back() -> None:
    made, before = bridged()
    out = without(made, "i0000", "i0001")
    dealt = split(out, settings=SplitSettings(), before=before, copies=BRIDGE)
    assert row_of(dealt, "i0002")["part"] == "train"
    assert leakage(out, dealt, settings=SplitSettings(), copies=BRIDGE).n_copies_across == 0
    back = split(made, settings=SplitSettings(), before=dealt, copies=BRIDGE)
    assert back.table["part"].to_list() == ["train", "test", "train"]
    assert leakage(made, back, settings=SplitSettings(), copies=BRIDGE).n_copies_across == 2


def test_what_people_call_different_is_no_copy_however_alike() -> None:
    code = likeness_of(pixels(0))
    made = catalog([["a"]] * 2, likenesses=[code, code])
    apart = [("i0000", "i0001")]
    dealt = split(made, settings=SplitSettings(), copies=apart, apart=apart)
    assert dealt.table["group"].to_list() == ["i0000", "i0001"]
    assert sorted(dealt.table["part"]) == ["test", "train"]
    found = leakage(made, dealt, settings=SplitSettings(), copies=apart, apart=apart)
    assert (found.n_copies_across, found.n_alike_across) == (0, 0)


def test_a_catalog_whose_images_are_all_excluded_is_told() -> None:
    with pytest.raises(InputError, match="labelled and in use"):
        split(without(of_landmarks({"a": 1}), "i0000"), settings=SplitSettings())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_excluded_and_found_old_images_stay_and_no_new_copy_is_torn(
    data: st.DataObject,
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    made = of_landmarks({f"l{i}": n for i, n in enumerate(sizes)})
    ids = made.table["image_id"].to_list()
    some = st.lists(st.sampled_from(ids), unique=True, max_size=len(ids) - 1)
    pairs = st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=5)
    wanted = SplitSettings(ratio=data.draw(st.sampled_from(["80/10/10", "50/0/50"])))
    before: Split | None = None
    stood: dict[str, str] = {}
    known: list[tuple[str, str]] = []
    for _ in range(3):
        gone = data.draw(some)
        new = [pair for pair in data.draw(pairs) if pair[0] != pair[1]]
        known = sorted({*known, *((min(pair), max(pair)) for pair in new)})
        before = split(without(made, *gone), settings=wanted, before=before, copies=known)
        part_of = dict(before.table.select("image_id", "part").iter_rows())
        assert not {one for one in gone if part_of[one] is not None}
        for image_id, part in stood.items():
            assert part_of[image_id] in ({None} if image_id in gone else {part})
        for a, b in known:
            if part_of[a] and part_of[b] and part_of[a] != part_of[b]:
                assert a in stood
                assert b in stood
        stood |= {image_id: part for image_id, part in part_of.items() if part is not None}
