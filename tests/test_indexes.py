from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import BundleError, InputError
from cairn.indexes import read_index, write_index


def test_an_index_gives_back_the_very_vectors(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).random((50, 16), dtype=np.float32)
    write_index(vectors, tmp_path / "i.faiss")
    index = read_index(tmp_path / "i.faiss", n_images=50)
    np.testing.assert_array_equal(index.vectors, vectors)


def test_an_index_of_another_size_or_no_index_is_refused(tmp_path: Path) -> None:
    write_index(np.zeros((5, 4), dtype=np.float32), tmp_path / "i.faiss")
    with pytest.raises(BundleError, match="holds 5 vectors"):
        read_index(tmp_path / "i.faiss", n_images=6)
    (tmp_path / "bad.faiss").write_bytes(b"not an index")
    with pytest.raises(BundleError, match="cannot be read as a FAISS index"):
        read_index(tmp_path / "bad.faiss", n_images=6)


def test_vectors_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not finite in 1 of 2 rows"):
        write_index(np.array([[0.0], [np.nan]], dtype=np.float32), tmp_path / "i.faiss")
