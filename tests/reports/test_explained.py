"""The picture of an answer: the photo, its region, the evidence, and lines between points that agree."""

import io

import numpy as np
from PIL import Image

from cairn.records.recognitions import Candidate, Evidence, Recognition, Region
from cairn.reports.explained import explained
from tests.make import encoded


def photo(colour: int, wide: int = 400, high: int = 300) -> np.ndarray:
    return np.full((high, wide, 3), colour, np.uint8)


def answer(*evidence: Evidence, region: Region | None = None) -> Recognition:
    best = Candidate("tower", "Old Tower", 3.0, 0.9, region=region, evidence=evidence)
    return Recognition("a.jpg", ("tower",), (best,))


def drawn(found: Recognition, seen: np.ndarray) -> np.ndarray:
    png = explained(found, seen, lambda _: encoded(photo(40, 200, 150), "JPEG"))
    return np.asarray(Image.open(io.BytesIO(png)))


def coloured(picture: np.ndarray) -> int:
    """How many pixels are neither grey nor paper."""
    spread = picture.max(axis=2).astype(int) - picture.min(axis=2)
    return int((spread > 60).sum())


def test_points_that_agree_are_joined_by_lines_and_the_region_is_drawn() -> None:
    points = tuple((50.0 + 30 * i, 100.0, 40.0 + 40 * i, 200.0) for i in range(8))
    plain = Evidence("a1", 0.7, 0, (), (800, 600))
    matched = Evidence("a1", 0.7, 8, points, (800, 600))
    without = coloured(drawn(answer(plain), photo(128)))
    assert without == 0
    lines = coloured(drawn(answer(matched), photo(128)))
    assert lines > 8 * 300
    both = coloured(drawn(answer(matched, region=Region(40, 90, 300, 120)), photo(128)))
    assert both > lines + 1000


def test_lines_end_at_the_matched_places_whatever_the_sizes() -> None:
    points = ((200.0, 150.0, 400.0, 300.0),)
    found = drawn(answer(Evidence("a1", 0.7, 1, points, (800, 600))), photo(128))
    # The middle of the photo, which is drawn 760 px wide from 28 on, and of the gallery photo, 250 px wide.
    top = found.shape[0] - 28 - 570
    for x, y in ((28 + 380, top + 285), (28 * 3 + 760 + 125, top + 94)):
        around = found[y - 3 : y + 4, x - 3 : x + 4]
        assert coloured(around) > 8


def test_whatever_an_answer_lacks_there_is_a_picture() -> None:
    nothing = Recognition("a.jpg", (), (), "below_threshold")
    for found in (nothing, answer(), answer(Evidence("a1", 0.2))):
        assert drawn(found, photo(200, 10, 900)).ndim == 3
    png = explained(answer(Evidence("gone", 0.2)), photo(90), lambda _: None)
    assert Image.open(io.BytesIO(png)).format == "PNG"


def test_names_in_other_letters_and_long_rights_do_not_stop_it() -> None:
    one = Evidence("a" * 80, 0.5, 3, (), (100, 100), "CC BY-SA 4.0", "Ünï Çødé 東京 " * 9)
    best = Candidate("x", "東京タワー", 1.0, 0.4, evidence=(one,))
    assert drawn(Recognition("a.jpg", (), (best,), "below_threshold"), photo(90)).size
