from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from cairn.base.watching import Silent
from cairn.engines.local import LocalEngine
from cairn.records.findings import Findings
from cairn.stages.scrub.several import several_findings
from tests.stages.scrub.drawn import ALL, GONE, N_LANDMARKS, N_NONE, N_PHOTOS, Drawn, drawn, photo

Pixels = npt.NDArray[np.uint8]
FIRST_ADDED = N_LANDMARKS * N_PHOTOS + N_NONE


def side_by_side(one: Pixels, other: Pixels) -> Pixels:
    return np.hstack([one, other])


def found_in(given: Drawn, *, most: int = ALL, n_threads: int = 2) -> list[dict[str, object]]:
    rows = several_findings(
        given.known,
        looks=given.looks(),
        search=given.search,
        seams_clear=given.seams_clear(),
        max_candidates=most,
        engine=LocalEngine(n_threads),
        watch=Silent(),
    )
    return Findings.of(rows).table.to_dicts()


def test_two_photos_side_by_side_show_both_landmarks_each_in_its_half() -> None:
    joined = side_by_side(photo(0, 20), photo(3, 21))
    found = found_in(drawn(added=[(joined, 0)]))
    assert found[0]["image_id"] == f"i{FIRST_ADDED:03}"
    assert found[0]["suggested"] == ["landmark_0", "landmark_3"]
    regions = found[0]["regions"]
    assert isinstance(regions, list)
    (left, _, right, _), (other_left, _, other_right, bottom) = regions
    middle = joined.shape[1] // 2
    assert 0 <= left < right <= middle + 20
    assert middle - 20 <= other_left < other_right <= joined.shape[1]
    assert bottom <= joined.shape[0]
    assert "Landmark 3" in str(found[0]["reason"])


def test_a_photo_in_the_corner_of_another_is_seen_and_told_where_it_lies() -> None:
    joined = photo(0, 20).copy()
    small = np.asarray(Image.fromarray(photo(3, 21)).resize((144, 108)))
    joined[: len(small), : small.shape[1]] = small
    found = found_in(drawn(added=[(joined, 0)]))
    assert [row["image_id"] for row in found] == [f"i{FIRST_ADDED:03}"]
    assert found[0]["suggested"] == ["landmark_0", "landmark_3"]
    regions = found[0]["regions"]
    assert isinstance(regions, list)
    _, (left, top, right, bottom) = regions
    assert 0 <= left < right <= 150
    assert 0 <= top < bottom <= 114


def test_a_photo_whose_copy_lies_under_another_landmark_is_asked_in_another_way() -> None:
    joined = side_by_side(photo(0, 20), photo(3, 21))
    given = drawn(added=[(joined, 0), (joined, 3)])
    told = replace(given.known, copies=np.array([[FIRST_ADDED, FIRST_ADDED + 1]]))
    assert not found_in(replace(given, known=told))


def test_photos_of_one_landmark_are_not_said_to_show_two() -> None:
    assert not found_in(drawn())


def test_a_photo_under_a_wrong_landmark_does_not_show_both() -> None:
    found = found_in(drawn(moved={3: 2}))
    assert "i003" not in {row["image_id"] for row in found}


def test_an_image_that_cannot_be_read_is_passed_over() -> None:
    given = drawn(added=[(side_by_side(photo(0, 20), photo(3, 21)), 0)])
    assert not found_in(replace(given, pixels=[*given.pixels[:-1], GONE]))


def test_where_no_image_can_be_read_nothing_is_found() -> None:
    given = drawn()
    assert not found_in(replace(given, pixels=[GONE] * len(given.pixels)))


def test_no_candidates_are_no_findings() -> None:
    given = drawn(added=[(side_by_side(photo(0, 20), photo(3, 21)), 0)])
    assert found_in(given)
    assert not found_in(given, most=0)


def test_the_rows_do_not_depend_on_the_number_of_threads() -> None:
    given = drawn(added=[(side_by_side(photo(0, 20), photo(3, 21)), 0)])
    assert found_in(given, n_threads=1) == found_in(given, n_threads=5)


def test_images_without_any_landmark_show_no_several() -> None:
    given = drawn()
    bare = replace(given.known, truths=((),) * len(given.known))
    assert not found_in(replace(given, known=bare))
