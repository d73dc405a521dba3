import math
from collections import Counter
from hashlib import blake2b
from itertools import islice
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.training.keys import key_of
from cairn.training.order import SAMPLINGS, Batch, LastBatch, Order, Sampling

MASK = (1 << 64) - 1
SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=6)
SAMPLING = st.sampled_from(list(SAMPLINGS))
SEEDS, EPOCHS, BATCH_SIZES = st.integers(0, 99), st.integers(0, 20), st.integers(1, 12)
LAST: st.SearchStrategy[LastBatch] = st.sampled_from(["short", "filled"])


def ids_of(sizes: list[int]) -> tuple[list[str], list[int]]:
    """So many images of each landmark, in an order that has nothing to do with landmarks."""
    pairs = [(f"image {c}.{i}", c) for c, size in enumerate(sizes) for i in range(size)]
    pairs.sort(key=lambda pair: pair[0][::-1])
    return [name for name, _ in pairs], [landmark for _, landmark in pairs]


def order_of(sizes: list[int], sampling: Sampling = "as they are", seed: int = 0) -> Order:
    names, landmarks = ids_of(sizes)
    return Order(names, np.array(landmarks), sampling, seed)


def slow_scattered(state: int) -> int:
    mixed = (state + 0x9E3779B97F4A7C15) & MASK
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
    return mixed ^ (mixed >> 31)


def slow_hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def slow_visits(size: int, sizes: list[int], sampling: Sampling) -> int:
    if sampling == "as they are":
        return size
    if sampling == "balanced":
        return math.ceil(sum(sizes) / len(sizes))
    return round(math.sqrt(size) * (sum(sizes) / math.fsum(map(math.sqrt, sizes))))


def slow_epoch(
    sizes: list[int], sampling: Sampling, seed: int, epoch: int
) -> list[tuple[str, int]]:
    """Each image of an epoch with its key, one after the other."""
    seen = []
    purpose = slow_hash(f"order\0{seed}\0{epoch}")
    for landmark, size in enumerate(sizes):
        own = [f"image {landmark}.{i}" for i in range(size)]
        own.sort(key=lambda name: slow_scattered(slow_hash(name) ^ slow_hash(f"turn\0{seed}")))
        visits = slow_visits(size, sizes, sampling)
        for i in range(visits):
            name, again = own[(epoch * visits + i) % size], i // size
            lot = slow_scattered((slow_hash(name) ^ purpose) + again * 0x9E3779B97F4A7C15)
            key = key_of(name, seed=seed, epoch=epoch, again=again)
            seen.append((i if sampling == "balanced" else 0, lot, name, key))
    return [(name, key) for _, _, name, key in sorted(seen)]


def joined(batches: list[Batch]) -> tuple[list[int], list[int]]:
    rows = [row for batch in batches for row in batch.rows.tolist()]
    return rows, [key for batch in batches for key in batch.keys.tolist()]


def test_every_named_sampling_is_in_the_table() -> None:
    assert tuple(SAMPLINGS) == get_args(Sampling)


@given(SIZES, SAMPLING, SEEDS, EPOCHS)
def test_the_order_equals_the_slow_version(
    sizes: list[int], sampling: Sampling, seed: int, epoch: int
) -> None:
    names, _ = ids_of(sizes)
    order = order_of(sizes, sampling, seed)
    rows, keys = joined(list(order.batches(epoch, 5)))
    assert [(names[row], key) for row, key in zip(rows, keys, strict=True)] == slow_epoch(
        sizes, sampling, seed, epoch
    )
    assert order.epoch(epoch).tolist() == rows


@given(SIZES, SEEDS, EPOCHS)
def test_as_they_are_shows_every_image_once(sizes: list[int], seed: int, epoch: int) -> None:
    order = order_of(sizes, "as they are", seed)
    assert sorted(order.epoch(epoch).tolist()) == list(range(sum(sizes)))
    assert order.epoch_length == sum(sizes)


@given(SIZES, SEEDS, EPOCHS)
def test_balanced_shows_landmarks_equally_often_at_every_moment(
    sizes: list[int], seed: int, epoch: int
) -> None:
    order = order_of(sizes, "balanced", seed)
    landmarks = np.array(ids_of(sizes)[1])[order.epoch(epoch)]
    so_far = np.cumsum(landmarks[:, None] == np.arange(len(sizes)), axis=0)
    assert np.ptp(so_far, axis=1).max() <= 1
    assert so_far[-1].tolist() == [math.ceil(sum(sizes) / len(sizes))] * len(sizes)


@given(SIZES, SEEDS, EPOCHS)
def test_square_root_shows_landmarks_by_the_root_of_their_size(
    sizes: list[int], seed: int, epoch: int
) -> None:
    order = order_of(sizes, "square root", seed)
    seen = np.bincount(np.array(ids_of(sizes)[1])[order.epoch(epoch)], minlength=len(sizes))
    roots = np.sqrt(sizes)
    assert np.abs(seen - sum(sizes) * roots / roots.sum()).max() <= 0.5 + 1e-9
    assert seen.min() >= 1
    assert abs(order.epoch_length - sum(sizes)) <= len(sizes) / 2


def test_square_root_by_a_worked_example() -> None:
    order = order_of([1, 4, 16, 49], "square root")
    seen = np.bincount(np.array(ids_of([1, 4, 16, 49])[1])[order.epoch(0)])
    assert seen.tolist() == [5, 10, 20, 35]


@given(SIZES, SAMPLING, SEEDS, st.integers(1, 12))
def test_images_of_a_landmark_are_seen_in_turn_over_all_epochs(
    sizes: list[int], sampling: Sampling, seed: int, n_epochs: int
) -> None:
    order = order_of(sizes, sampling, seed)
    rows = np.concatenate([order.epoch(epoch) for epoch in range(n_epochs)])
    seen, landmarks = np.bincount(rows, minlength=sum(sizes)), np.array(ids_of(sizes)[1])
    assert max(np.ptp(seen[landmarks == landmark]) for landmark in range(len(sizes))) <= 1


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_no_two_epochs_and_no_two_seeds_are_alike(sampling: Sampling) -> None:
    orders = [
        tuple(order_of([9, 5, 12], sampling, seed).epoch(epoch).tolist())
        for seed in range(5)
        for epoch in range(20)
    ]
    assert len(set(orders)) == 100


@given(SIZES, SAMPLING, SEEDS, EPOCHS)
def test_no_key_comes_twice_in_two_epochs(
    sizes: list[int], sampling: Sampling, seed: int, epoch: int
) -> None:
    order = order_of(sizes, sampling, seed)
    batches = [*order.batches(epoch, 7, last="filled"), *order.batches(epoch + 1, 7, last="filled")]
    assert max(Counter(joined(batches)[1]).values()) == 1


def test_the_first_place_falls_to_every_image_about_equally_often() -> None:
    order = order_of([4, 4])
    firsts = Counter(int(order.epoch(epoch)[0]) for epoch in range(1600))
    # 200 are expected of each; 70 are more than five standard deviations.
    assert max(abs(firsts[row] - 200) for row in range(8)) < 70


@given(SIZES, SAMPLING, SEEDS)
def test_the_place_in_the_list_and_the_names_of_landmarks_change_nothing(
    sizes: list[int], sampling: Sampling, shuffle: int
) -> None:
    names, landmarks = ids_of(sizes)
    mixed = np.random.default_rng(shuffle).permutation(len(names))
    other = Order([names[i] for i in mixed], 40 - 3 * np.array(landmarks)[mixed], sampling, 3)
    ours, theirs = order_of(sizes, sampling, 3).epoch(2), mixed[other.epoch(2)]
    assert ours.tolist() == theirs.tolist()


@given(SIZES, SEEDS, EPOCHS)
def test_another_image_changes_neither_the_keys_nor_the_order_of_the_others(
    sizes: list[int], seed: int, epoch: int
) -> None:
    names, landmarks = ids_of(sizes)
    more = Order(["new", *names], np.array([99, *landmarks]), "as they are", seed)
    rows, keys = joined(list(more.batches(epoch, 4)))
    left = [(row - 1, key) for row, key in zip(rows, keys, strict=True) if row]
    before = joined(list(order_of(sizes, "as they are", seed).batches(epoch, 4)))
    assert left == list(zip(*before, strict=True))


@given(SIZES, SAMPLING, BATCH_SIZES, st.integers(1, 5), LAST)
def test_the_ranks_together_see_the_batches_of_one_process(
    sizes: list[int], sampling: Sampling, batch_size: int, world: int, last: LastBatch
) -> None:
    order = order_of(sizes, sampling)
    shares = [list(order.batches(1, batch_size, rank, world, last=last)) for rank in range(world)]
    whole = list(order.batches(1, batch_size, last=last))
    assert len(whole) == order.n_batches(batch_size)
    for step, batch in enumerate(whole):
        parts = [share[step] for share in shares]
        assert joined(parts) == joined([batch])
        assert {part.n_together for part in parts} == {len(batch.rows)}
        assert np.ptp([len(part.rows) for part in parts]) <= 1


@given(SIZES, SAMPLING, BATCH_SIZES, EPOCHS)
def test_a_short_last_batch_has_what_is_left(
    sizes: list[int], sampling: Sampling, batch_size: int, epoch: int
) -> None:
    order = order_of(sizes, sampling)
    batches = list(order.batches(epoch, batch_size))
    assert joined(batches)[0] == order.epoch(epoch).tolist()
    assert {len(batch.rows) for batch in batches[:-1]} <= {batch_size}
    assert len(batches[-1].rows) == (order.epoch_length - 1) % batch_size + 1


@given(SIZES, SAMPLING, BATCH_SIZES, EPOCHS)
def test_a_filled_last_batch_goes_on_from_the_start_under_other_keys(
    sizes: list[int], sampling: Sampling, batch_size: int, epoch: int
) -> None:
    order = order_of(sizes, sampling)
    batches = list(order.batches(epoch, batch_size, last="filled"))
    rows, keys = joined(batches)
    short = joined(list(order.batches(epoch, batch_size)))
    assert {len(batch.rows) for batch in batches} == {batch_size}
    assert rows == [short[0][i % order.epoch_length] for i in range(len(rows))]
    assert keys[: order.epoch_length] == short[1]
    assert len(set(keys)) == len(keys)


@given(SIZES, SAMPLING, BATCH_SIZES, st.integers(0, 40), LAST)
def test_a_run_taken_up_at_any_step_sees_what_the_undisturbed_one_sees(
    sizes: list[int], sampling: Sampling, batch_size: int, step: int, last: LastBatch
) -> None:
    undisturbed = list(
        islice(order_of(sizes, sampling).from_step(0, batch_size, last=last), step + 6)
    )
    taken_up = list(islice(order_of(sizes, sampling).from_step(step, batch_size, last=last), 6))
    assert [batch.step for batch in undisturbed] == list(range(step + 6))
    for ours, theirs in zip(taken_up, undisturbed[step:], strict=True):
        assert (ours.epoch, ours.step) == (theirs.epoch, theirs.step)
        assert joined([ours]) == joined([theirs])


def test_steps_go_on_through_the_epochs() -> None:
    order = order_of([7])
    stream = list(islice(order.from_step(0, 3), 6))
    epochs = [*order.batches(0, 3), *order.batches(1, 3)]
    assert [(batch.epoch, batch.step) for batch in stream] == [
        (0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5),
    ]  # fmt: skip
    assert joined(stream) == joined(epochs)
    assert [batch.step for batch in epochs] == list(range(6))


def test_one_image_makes_an_epoch() -> None:
    batch = next(order_of([1], "balanced").batches(4, 8, last="filled"))
    assert batch.rows.tolist() == [0] * 8
    assert len(set(batch.keys.tolist())) == 8


def test_ten_thousand_landmarks_of_any_size_are_put_in_order_as_the_small_ones_are() -> None:
    sizes = np.random.default_rng(0).zipf(1.5, 10_000).clip(max=300)
    landmarks = np.repeat(np.arange(10_000), sizes)
    order = Order([f"{i:016x}" for i in range(len(landmarks))], landmarks, "balanced", 1)
    seen = np.bincount(landmarks[order.epoch(5)], minlength=10_000)
    assert seen.min() == seen.max() == -(-len(landmarks) // 10_000)


def made(sampling: str = "balanced", seed: int = 0, ids: tuple[str, ...] = ("a", "b")) -> Order:
    # The sampling is a plain word here, as one read from a file is.
    return Order(ids, np.zeros(2, dtype=np.int64), sampling, seed)  # type: ignore[arg-type]


def test_what_cannot_be_put_in_order_is_told_at_once() -> None:
    with pytest.raises(InputError, match=r"'balancd' is unknown \(did you mean balanced\?\)"):
        made("balancd")
    with pytest.raises(InputError, match="3 image ids and landmarks of the shape"):
        made(ids=("a", "b", "c"))
    with pytest.raises(InputError, match="'a' stands 2 times among 2 images"):
        made(ids=("a", "a"))
    with pytest.raises(InputError, match="seed is -1; 0 or more was expected"):
        made(seed=-1)
    with pytest.raises(InputError, match="0 image ids"):
        Order([], np.zeros(0, dtype=np.int64), "balanced", 0)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((-1, 1, 0, 1), "is -1; 0 or more"),
        ((0, 0, 0, 1), "batch_size is 0; 1 or more"),
        ((0, 1, 2, 2), "rank is 2 of 2"),
        ((0, 1, -1, 2), "rank is -1 of 2"),
        ((0, 1, 0, 0), "rank is 0 of 0"),
    ],
)
def test_numbers_out_of_range_are_told_before_the_first_batch(
    numbers: tuple[int, int, int, int], told: str
) -> None:
    for ask in (made().batches, made().from_step):
        with pytest.raises(InputError, match=told):
            ask(*numbers)


def test_an_unknown_rule_for_the_last_batch_is_told() -> None:
    with pytest.raises(InputError, match="'dropped'; 'short' or 'filled' was expected"):
        made().batches(0, 1, last="dropped")  # type: ignore[arg-type] # such as a file may hold
    with pytest.raises(InputError, match="epoch is -2; 0 or more"):
        made().epoch(-2)
