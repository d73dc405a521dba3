import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cairn.algorithms.duplicates import groups_of, likeness, near_pairs
from cairn.base.settings import SplitSettings
from tests.make import pixels

COPY_BITS = SplitSettings().copy_bits


def n_bits(a: bytes, b: bytes) -> int:
    return int(np.unpackbits(np.frombuffer(a, np.uint8) ^ np.frombuffer(b, np.uint8)).sum())


def test_a_smaller_recompressed_brighter_copy_is_near_and_another_image_is_not() -> None:
    original = pixels(1, height=300, width=400)
    buffer = io.BytesIO()
    smaller = Image.fromarray(original).resize((133, 100))
    smaller.point(lambda value: min(255, int(value * 1.1))).save(buffer, "JPEG", quality=50)
    copy = np.asarray(Image.open(buffer))
    assert n_bits(likeness(original), likeness(copy)) <= COPY_BITS
    assert n_bits(likeness(original), likeness(pixels(2, height=300, width=400))) > COPY_BITS


def test_near_pairs_are_those_a_loop_finds() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (60, 64), dtype=np.uint8)
    wanted = [
        (a, b)
        for a in range(60)
        for b in range(a + 1, 60)
        if n_bits(codes[a].tobytes(), codes[b].tobytes()) <= 60
    ]
    assert len(wanted) > 10
    assert near_pairs(codes, max_bits=60).tolist() == [list(pair) for pair in wanted]


def test_one_row_or_none_has_no_pairs() -> None:
    assert near_pairs(np.zeros((1, 64), np.uint8), max_bits=9).shape == (0, 2)
    assert near_pairs(np.zeros((0, 64), np.uint8), max_bits=9).shape == (0, 2)


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=30))
def test_groups_are_the_connected_rows(pairs: list[tuple[int, int]]) -> None:
    label = list(range(15))
    for _ in range(15):
        for a, b in pairs:
            label[a] = label[b] = min(label[a], label[b])
    assert groups_of(15, np.array(pairs, dtype=np.int64).reshape(-1, 2)).tolist() == label
