from dataclasses import replace

from cairn.base.settings import ScrubSettings
from cairn.base.watching import Silent
from cairn.engines.local import LocalEngine
from cairn.records.findings import Findings
from cairn.stages.scrub.support import support_findings
from tests.stages.scrub.drawn import ALL, GONE, N_LANDMARKS, N_NONE, N_PHOTOS, Drawn, drawn

Row = dict[str, object]

FIRST_NONE = N_LANDMARKS * N_PHOTOS


def rows_of(given: Drawn, *, max_candidates: int = ALL, n_threads: int = 1) -> list[Row]:
    return support_findings(
        given.known,
        looks=given.looks(),
        max_candidates=max_candidates,
        engine=LocalEngine(n_threads),
        watch=Silent(),
    )


def found_in(given: Drawn, kind: str, *, max_candidates: int = ALL) -> list[Row]:
    """The findings of a kind, the likeliest first."""
    rows = rows_of(given, max_candidates=max_candidates)
    return Findings.of(rows).of_kinds(kind).table.to_dicts()


def test_a_photo_under_another_landmark_heads_its_queue_with_the_right_one_suggested() -> None:
    found = found_in(drawn(moved={3: 2}), "wrong landmark")
    assert found[0]["image_id"] == "i003"
    assert found[0]["suggested"] == ["landmark_0"]
    evidence = found[0]["evidence"]
    assert isinstance(evidence, list)
    assert set(evidence) <= {f"i{row:03}" for row in range(N_PHOTOS)}
    assert "Landmark 0" in str(found[0]["reason"])
    assert "point by point" in str(found[0]["reason"])


def test_a_scene_of_nothing_under_a_landmark_heads_the_queue_of_those() -> None:
    found = found_in(drawn(moved={FIRST_NONE: 1, FIRST_NONE + 1: 4}), "no landmark")
    assert {row["image_id"] for row in found[:2]} == {f"i{FIRST_NONE:03}", f"i{FIRST_NONE + 1:03}"}
    assert found[0]["suggested"] == []
    evidence = found[0]["evidence"]
    assert isinstance(evidence, list)
    assert all(int(one[1:]) > FIRST_NONE + 1 for one in evidence)
    assert len(evidence) == 5


def test_distractors_are_in_neither_queue() -> None:
    rows = rows_of(drawn(moved={3: 2}))
    none = {f"i{FIRST_NONE + number:03}" for number in range(N_NONE)}
    assert not none & {row["image_id"] for row in rows}


def test_without_pixels_the_scores_come_from_descriptors_alone() -> None:
    found = found_in(drawn(moved={3: 2}), "wrong landmark", max_candidates=0)
    assert found[0]["image_id"] == "i003"
    assert "point by point" not in str(found[0]["reason"])
    assert not found[0]["is_sure"]


def test_the_rows_do_not_depend_on_the_number_of_threads() -> None:
    given = drawn(moved={3: 2, FIRST_NONE: 1})
    found = [rows_of(given, max_candidates=4, n_threads=n) for n in (1, 5)]
    assert found[0] == found[1]
    assert found[0]


def test_only_so_many_candidates_are_looked_at() -> None:
    given = drawn(moved={3: 2})
    seen: list[int] = []
    looks = given.looks()
    plain = looks.keypoints
    looks.keypoints = lambda row: (seen.append(row), plain(row))[1]  # type: ignore[method-assign,func-returns-value]  # counts
    support_findings(
        given.known, looks=looks, max_candidates=1, engine=LocalEngine(1), watch=Silent()
    )
    # Each of at most two images is tried with 8 of its own and 4 of two other landmarks.
    assert 0 < len(seen) <= 2 * 2 * 16


def test_images_that_cannot_be_read_are_judged_by_their_descriptors() -> None:
    given = drawn(moved={3: 2})
    blind = Drawn(given.known, [GONE] * len(given.pixels))
    assert found_in(blind, "wrong landmark")[0]["image_id"] == "i003"


def test_scores_are_shares_and_sure_ones_are_high() -> None:
    given = drawn(moved={3: 2, 9: 0, FIRST_NONE: 1})
    for row in rows_of(given):
        score = row["score"]
        assert isinstance(score, float)
        assert 0 < score <= 1
        assert not row["is_sure"] or score > 0.9


def test_images_without_any_landmark_are_not_doubted() -> None:
    given = drawn()
    bare = replace(given, known=replace(given.known, truths=((),) * len(given.known)))
    assert not found_in(bare, "wrong landmark")
    assert not found_in(bare, "no landmark")


def test_of_many_images_a_share_is_tried_and_of_few_as_many_as_ever() -> None:
    settings = ScrubSettings()
    assert [settings.n_candidates(n) for n in (50, 10_000, 1_000_000)] == [300, 300, 30_000]
    none = ScrubSettings(least_candidates=0, candidates_share=0)
    assert none.n_candidates(1_000_000) == 0
