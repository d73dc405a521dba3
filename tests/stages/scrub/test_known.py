from dataclasses import replace

import numpy as np
import pytest

from cairn.algorithms.neighbors import Neighbors
from cairn.base.errors import InputError
from cairn.stages.scrub.known import KnownImages


def images() -> KnownImages:
    """Four images: of b, of a and b, of none, unknown; the first two are copies."""
    found = Neighbors(np.array([[1], [0], [0], [-1]]), np.ones((4, 1), np.float32))
    truths = (("b",), ("b", "a"), (), None)
    vectors = np.eye(4, dtype=np.float32)
    copies = np.array([[0, 1]])
    return KnownImages(("w", "x", "y", "z"), truths, vectors, found, copies, {"a": "Tower"})


def test_landmarks_are_numbered_in_the_order_of_their_names() -> None:
    given = images()
    assert given.landmark_ids() == ("a", "b")
    assert given.own_codes().tolist() == [[1, -1], [1, 0], [-1, -1], [-1, -1]]
    shown = given.shown()
    assert list(zip(shown.rows.tolist(), shown.codes.tolist(), strict=True)) == [
        (0, 1),
        (1, 1),
        (1, 0),
    ]
    assert [rows.tolist() for rows in shown.images_of()] == [[1], [0, 1]]
    assert shown.copy_groups.tolist() == [0, 0, 2, 3]


def test_only_images_that_are_said_to_show_none_are_distractors() -> None:
    assert images().distractors().tolist() == [2]


def test_a_landmark_without_a_name_goes_by_its_id() -> None:
    assert [images().name(one) for one in ("a", "b")] == ["Tower", "b"]


def test_lists_of_different_lengths_are_told() -> None:
    with pytest.raises(InputError, match="one each was expected"):
        replace(images(), truths=(None,))


def test_copies_of_another_form_are_told() -> None:
    with pytest.raises(InputError, match=r"\[0, 2\]"):
        replace(images(), copies=np.array([0, 1]))


def test_a_copy_that_is_no_image_is_told() -> None:
    with pytest.raises(InputError, match="row 9"):
        replace(images(), copies=np.array([[0, 9]]))
