import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cairn.stages.download.twins import clashes, repeats

TEXTS = st.lists(st.sampled_from(["a", "A", "b", "B", "c"]), max_size=10)


@given(texts=TEXTS, n_hashes=st.integers(1, 4), data=st.data())
def test_repeats_are_exact_also_where_hashes_collide(
    texts: list[str], n_hashes: int, data: st.DataObject
) -> None:
    among = np.array([data.draw(st.booleans()) for _ in texts], np.bool_)
    hashes = np.array([ord(text) % n_hashes for text in texts], np.int64)
    later, first = repeats(hashes, among, lambda position: texts[position])
    expected = []
    for place, text in enumerate(texts):
        earlier = [i for i in range(place) if among[i] and texts[i] == text]
        if among[place] and earlier:
            expected.append((place, earlier[0]))
    assert list(zip(later.tolist(), first.tolist(), strict=True)) == expected


@given(texts=TEXTS, n_hashes=st.integers(1, 4))
def test_clashes_are_the_texts_that_others_meet_only_when_folded(
    texts: list[str], n_hashes: int
) -> None:
    hashes = np.array([ord(text.lower()) % n_hashes for text in texts], np.int64)
    found = clashes(hashes, np.ones(len(texts), np.bool_), texts.__getitem__, str.lower)
    assert found.tolist() == [i for i, text in enumerate(texts) if text.swapcase() in texts]
