"""The page of a scrub: the surest findings of each kind, names that can do no harm, nothing asked from outside."""

import polars as pl
import pytest

from cairn.records.findings import KINDS, NEAR_COPY, SEVERAL_LANDMARKS, TOO_SMALL, Findings
from cairn.reports.scrub import (
    N_SHOWN,
    WORDS,
    ScrubContents,
    findings_lead,
    render_scrub_report,
    shown_images,
)
from tests.make import jpeg

EVIL = "<script>alert(1)</script>"


def row(kind: str, image_id: str, score: float = 0.9, **more: object) -> dict[str, object]:
    return {
        "kind": kind, "image_id": image_id, "score": score, "is_sure": score > 0.8, "reason": f"because of {image_id}",
        "evidence": [],
    } | more  # fmt: skip


def contents(rows: list[dict[str, object]], *, has_thumbnails: bool = True) -> ScrubContents:
    findings = Findings.of(rows)
    ids = shown_images(findings)
    images = pl.DataFrame(
        [
            {
                "image_id": image_id, "landmark_ids": ["tower"], "width_px": 200, "height_px": 100, "author": EVIL,
                "licence": "CC0",
            }
            for image_id in ids
        ],
        schema={
            "image_id": pl.String, "landmark_ids": pl.List(pl.String), "width_px": pl.Int32, "height_px": pl.Int32,
            "author": pl.String, "licence": pl.String,
        },
    )  # fmt: skip
    return ScrubContents(
        dataset=EVIL, findings=findings, images=images, n_images=50, n_duplicates=0, names={"tower": f"Tower {EVIL}"},
        thumbnail=lambda image_id: jpeg(1) if has_thumbnails else None, about={"Cairn": "1"},
        next_commands=("cairn review work",),
    )  # fmt: skip


def test_each_kind_has_its_words() -> None:
    assert set(WORDS) == set(KINDS)


def test_a_photo_stands_beside_its_evidence_with_the_reason_below() -> None:
    page = render_scrub_report(
        contents([row(NEAR_COPY, "i1", evidence=["i0"], reason="the same photo")])
    )
    assert page.count("data:image/jpeg") == 2
    assert "the same photo" in page
    assert "1 finding about 1 of them (2.0%)" in page or "1 finding about 1 of them (2" in page
    assert "cairn review work" in page


def test_the_surest_of_a_kind_are_shown_and_all_are_counted() -> None:
    rows = [row(TOO_SMALL, f"i{n:02}", score=n / 40) for n in range(40)]
    page = render_scrub_report(contents(rows))
    assert page.count("because of") == N_SHOWN
    assert "because of i39" in page
    assert "because of i00" not in page
    assert "40 findings" in page


def test_regions_are_framed_where_they_lie() -> None:
    page = render_scrub_report(
        contents(
            [
                row(
                    SEVERAL_LANDMARKS, "i1", evidence=["i0"], suggested=["tower", "bridge"],
                    regions=[[0, 0, 100, 50], [100, 50, 200, 100]],
                )
            ]
        )
    )  # fmt: skip
    assert "left: 50.0%; top: 50.0%; width: 50.0%; height: 50.0%" in page
    assert "bridge" in page


@pytest.mark.parametrize("has_thumbnails", [True, False])
def test_names_do_no_harm_and_nothing_is_asked_from_outside(has_thumbnails: bool) -> None:
    rows = [row(kind, f"i{n}", evidence=["gone"]) for n, kind in enumerate(KINDS)]
    page = render_scrub_report(contents(rows, has_thumbnails=has_thumbnails))
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_nothing_found_is_said() -> None:
    page = render_scrub_report(contents([]))
    assert "nothing is doubtful about any of them" in page


def test_duplicates_are_counted_beside_the_images() -> None:
    findings = Findings.of([row(TOO_SMALL, "i1"), row(NEAR_COPY, "i2"), row(NEAR_COPY, "d1")])
    told = findings_lead(findings, 10, 1).split()
    wanted = "10 images: 3 findings about 2 of them (20 %), and about 1 duplicate beside them"
    assert told == wanted.split()


def test_the_page_knows_the_shape_of_each_photo_before_it_is_drawn() -> None:
    assert 'style="aspect-ratio: 2.0"' in render_scrub_report(contents([row(TOO_SMALL, "i1")]))
