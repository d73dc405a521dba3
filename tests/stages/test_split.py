from collections import Counter

import numpy as np
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
    assert dealt.table.row(2)[1:] == (None, "i0002", BRIDGES)


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
