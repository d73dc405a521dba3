import numpy as np
import numpy.typing as npt
import pytest

from cairn.algorithms.typical import nearest_to_mean


def slowly(vectors: npt.NDArray[np.float32]) -> list[int]:
    """The same by loops."""
    units = [[float(x) / float(np.linalg.norm(v.astype(float))) for x in v] for v in vectors]
    mean = [sum(column) for column in zip(*units, strict=True)]
    closeness = [sum(a * b for a, b in zip(unit, mean, strict=True)) for unit in units]
    return sorted(range(len(units)), key=lambda i: (-closeness[i], i))


def test_it_is_the_order_that_loops_find() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 9, 40):
        vectors = rng.normal(size=(n, 5)).astype(np.float32)
        assert nearest_to_mean(vectors).tolist() == slowly(vectors)


def test_what_is_unlike_the_others_comes_last_however_long_it_is() -> None:
    vectors = np.array([[-900, 0.0], [1, 0.1], [1, 0], [5, 0.2]], np.float32)
    assert nearest_to_mean(vectors)[-1] == 0


@pytest.mark.parametrize("n", [0, 1, 3])
def test_equal_ones_stay_in_their_order(n: int) -> None:
    assert nearest_to_mean(np.ones((n, 4), np.float32)).tolist() == list(range(n))


def test_a_vector_of_length_nothing_comes_last() -> None:
    vectors = np.array([[0, 0], [1, 0], [-1, 0.5]], np.float32)
    assert nearest_to_mean(vectors)[-1] == 0
    assert nearest_to_mean(np.zeros((2, 3), np.float32)).tolist() == [0, 1]
