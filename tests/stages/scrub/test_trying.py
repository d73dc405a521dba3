import io
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from cairn.algorithms.surprise import SURE_MATCH
from cairn.base.watching import Silent
from cairn.engines.local import LocalEngine
from cairn.models.keypoints import SiftDetector
from cairn.records.findings import Findings
from cairn.stages.scrub import support
from cairn.stages.scrub.looks import Looks
from cairn.stages.scrub.support import support_findings
from cairn.stages.scrub.trying import Album, Tried, try_photos
from tests.make import views
from tests.stages.scrub.drawn import Drawn, known

Pixels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

N_WALLS, N_VIEWS = 4, 4
ASKED = 0


@cache
def wall(number: int, view: int) -> Pixels:
    """A photo of a wall; wall 99 is that of the photo that is asked about."""
    return np.asarray(Image.open(io.BytesIO(views(number, view + 1)[view])).convert("RGB"))


def looks_at(given: Drawn) -> Looks:
    """Few points of small views, which are quickly found."""
    return Looks(given.decoded, None, detector=SiftDetector(max_points=200, side_px=256))


def walls(added: Sequence[Pixels], *, copies: Ints | None = None) -> Drawn:
    """A photo of nothing else under wall 0, `added` under wall 1, and views of each wall.

    By its descriptor the first photo is like those of wall 1, and the most like `added`.
    """
    pixels = [wall(99, 0), *added]
    said = [0, *[1] * len(added)]
    for number in range(N_WALLS):
        pixels += [wall(number, view) for view in range(N_VIEWS)]
        said += [number] * N_VIEWS
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(N_WALLS, 16))
    vectors = centres[[1, *said[1:]]] + 0.3 * rng.normal(size=(len(said), 16))
    vectors[1 : 1 + len(added)] = vectors[ASKED] + 0.1 * rng.normal(size=(len(added), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Drawn(known(vectors.astype(np.float32), said, copies), pixels)


def beside_another(pixels: Pixels) -> Pixels:
    """The photo put together with one of wall 1."""
    return np.hstack([pixels, wall(1, 8)])


def elsewhere(n: int) -> list[Pixels]:
    """Further views of what the first photo shows, none its copy."""
    return [wall(99, view) for view in range(1, n + 1)]


def tried(given: Drawn) -> Tried:
    shown = given.known.shown()
    album = Album(given.known.vectors, shown.copy_groups, shown.images_of())
    return try_photos(ASKED, [0], [1, 2], album=album, looks=looks_at(given), seed=0)


def finding(given: Drawn) -> dict[str, object]:
    """The finding that the first photo has a wrong landmark."""
    rows = support_findings(
        given.known,
        looks=looks_at(given),
        max_candidates=len(given.pixels),
        engine=LocalEngine(2),
        watch=Silent(),
    )
    of_kind = Findings.of(rows).of_kinds("wrong landmark").table.to_dicts()
    return next(row for row in of_kind if row["image_id"] == "i000")


def test_one_photo_that_holds_the_image_itself_is_worth_no_more_than_just_enough() -> None:
    given = walls([beside_another(wall(99, 0))])
    found = tried(given)
    assert found.others[1].proof.best > 3 * SURE_MATCH
    assert found.others[1].n_apart == 1
    assert found.others_surprise == SURE_MATCH


def test_two_photos_are_worth_as_much_as_they_surprise() -> None:
    found = tried(walls(elsewhere(2)))
    assert found.others[1].n_apart == 2
    assert found.others_surprise == found.others[1].proof.best > 3 * SURE_MATCH
    assert found.own.best < SURE_MATCH
    assert found.others[2].n_apart == 0


def test_two_copies_of_one_photo_are_one_witness() -> None:
    found = tried(walls(elsewhere(2), copies=np.array([[1, 2]])))
    assert len(found.others[1].proof.matching) == 2
    assert found.others[1].n_apart == 1
    assert found.others_surprise == SURE_MATCH


def test_where_nothing_can_be_tried_nothing_is_said() -> None:
    given = walls([])
    blind = Drawn(given.known, [np.zeros((9, 9, 3), np.uint8), *given.pixels[1:]])
    found = tried(blind)
    assert not found.was_possible
    assert (found.own_says, found.others_say, found.others_surprise) == (0.0, 0.0, 0.0)


def test_copies_of_the_image_are_not_tried() -> None:
    given = walls([wall(99, 0)], copies=np.array([[0, 1]]))
    assert 1 not in tried(given).others[1].proof.rows


@pytest.mark.parametrize(("n_witnesses", "is_sure"), [(1, False), (2, True)])
def test_a_wrong_landmark_is_sure_with_two_photos_of_the_other_and_never_with_one(
    n_witnesses: int, is_sure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever the score, so that the witnesses alone decide.
    monkeypatch.setattr(support, "SURE_SCORE", 0.0)
    found = finding(walls(elsewhere(n_witnesses)))
    assert found["is_sure"] == is_sure
    assert found["suggested"] == ["landmark_1"]
    assert f"{n_witnesses} photo" in str(found["reason"])
    assert isinstance(found["evidence"], list)
    assert set(found["evidence"][:n_witnesses]) == {
        f"i{row:03}" for row in range(1, n_witnesses + 1)
    }


def test_a_photo_put_together_of_the_image_and_another_does_not_make_a_finding_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(support, "SURE_SCORE", 0.0)
    assert not finding(walls([beside_another(wall(99, 0))]))["is_sure"]


def test_more_witnesses_make_a_wrong_landmark_likelier() -> None:
    one, two = (finding(walls(elsewhere(n)))["score"] for n in (1, 2))
    assert isinstance(one, float)
    assert isinstance(two, float)
    assert one < two
