"""Findings about pixels: which measures make them, how sure they are, and what a person reads."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.files import digest_bytes
from cairn.base.settings import ScrubSettings
from cairn.engines.local import LocalEngine
from cairn.images.store import FolderStore
from cairn.records.findings import BLANK, BLURRED, DARK, DRAWING, KINDS, ODD_SHAPE, TOO_SMALL
from cairn.records.image_checks import IMAGE_CHECKS_SCHEMA, ImageChecks
from cairn.stages.describe import KeptImage
from cairn.stages.scrub.pixels import check_images, pixel_findings
from tests.make import encoded, jpeg

GOOD: dict[str, object] = {
    "image_id": "i0", "width_px": 640, "height_px": 480, "sharpness": 0.6, "bright_grey": 200.0, "relief_grey": 40.0,
    "flat_share": 0.2, "edge_share": 0.2, "colours_share": 0.3, "least_flat_share": 0.05, "frame_flat_share": 0.2,
    "frame_spread_grey": 90.0,
}  # fmt: skip


PLAIN = ScrubSettings()


def found(settings: ScrubSettings = PLAIN, /, **measures: object) -> list[dict[str, object]]:
    checks = pl.DataFrame([GOOD | measures], schema=IMAGE_CHECKS_SCHEMA)
    return pixel_findings(checks, settings=settings)


@pytest.mark.parametrize(
    ("measures", "kind", "words"),
    [
        ({"width_px": 90, "height_px": 120}, TOO_SMALL, "90 × 120 px; its shorter side is under 128"),
        ({"width_px": 2000, "height_px": 400}, ODD_SHAPE, "5.0 times as wide as high"),
        ({"width_px": 200, "height_px": 800}, ODD_SHAPE, "4.0 times as high as wide"),
        ({"sharpness": 0.12}, BLURRED, "takes away 12 of 100 of its fine differences"),
        ({"bright_grey": 12.0}, DARK, "19 of 20 pixels are no brighter than 12 of 255"),
        ({"relief_grey": 1.0}, BLANK, "differ by no more than 1 of 255"),
        (
            {"flat_share": 0.9, "edge_share": 0.7, "colours_share": 0.95, "least_flat_share": 0.4, "frame_flat_share": 1.0,
             "frame_spread_grey": 0.0},
            DRAWING, "its borders are of one colour",
        ),
        ({"flat_share": 0.8, "edge_share": 0.3, "least_flat_share": 0.6}, DRAWING, "in nearly every part of it"),
    ],
)  # fmt: skip
def test_a_bad_measure_makes_a_finding_with_a_reason(
    measures: dict[str, object], kind: str, words: str
) -> None:
    (row,) = found(**measures)
    assert (row["kind"], row["image_id"], row["evidence"]) == (kind, "i0", [])
    assert words in str(row["reason"])
    assert row["is_sure"]
    assert row["kind"] in KINDS


def test_a_good_photo_has_none() -> None:
    assert found() == []


def test_settings_say_what_is_too_small_and_of_odd_shape() -> None:
    settings = ScrubSettings(min_side_px=500, max_aspect=1.2)
    assert [row["kind"] for row in found(settings)] == [TOO_SMALL, ODD_SHAPE]


def test_what_is_dark_is_not_called_blank_and_blurred_as_well() -> None:
    rows = found(bright_grey=3.0, relief_grey=0.5, sharpness=0.0)
    assert [row["kind"] for row in rows] == [DARK]


def test_a_tower_before_a_clear_sky_is_no_drawing() -> None:
    tower: dict[str, object] = {
        "flat_share": 0.88, "edge_share": 0.42, "colours_share": 0.51, "least_flat_share": 0.38, "frame_flat_share": 0.9,
    }  # fmt: skip
    assert found(**tower, frame_spread_grey=120.0) == []


def test_what_is_blurred_is_not_called_a_drawing() -> None:
    rows = found(sharpness=0.3, flat_share=0.9, edge_share=0.2, least_flat_share=0.8)
    assert [row["kind"] for row in rows] == [BLURRED]


def test_a_worse_measure_has_a_higher_score() -> None:
    scores = [float(str(found(bright_grey=grey)[0]["score"])) for grey in (44.0, 30.0, 10.0, 0.0)]
    assert scores == sorted(scores)
    assert 0.5 <= scores[0] < scores[-1] <= 1
    assert not found(bright_grey=44.0)[0]["is_sure"]


def kept(folder: Path, name: str, content: bytes) -> KeptImage:
    (folder / name).write_bytes(content)
    return KeptImage(name.split(".")[0], name, digest_bytes(content))


def test_every_image_gets_a_row_in_order_also_one_of_one_pixel(tmp_path: Path) -> None:
    dot = encoded(np.zeros((1, 1, 3), np.uint8), "PNG")
    grey = encoded(np.full((40, 30), 90, np.uint8), "PNG")
    images = [
        kept(tmp_path, "a.jpg", jpeg(1)), kept(tmp_path, "b.png", dot), kept(tmp_path, "c.png", grey),
    ]  # fmt: skip
    told: list[int] = []
    rows = check_images(
        images, store=FolderStore(tmp_path), engine=LocalEngine(), advance=told.append
    )
    checks = ImageChecks.of(rows).table
    assert checks["image_id"].to_list() == ["a", "b", "c"]
    assert checks.select("width_px", "height_px").rows() == [(128, 96), (1, 1), (30, 40)]
    assert checks.null_count().sum_horizontal().item() == 0
    assert sum(told) == 3


def test_an_image_that_was_changed_behind_our_back_is_refused(tmp_path: Path) -> None:
    image = kept(tmp_path, "a.jpg", jpeg(1))
    (tmp_path / "a.jpg").write_bytes(jpeg(2))
    with pytest.raises(InputError, match="is not what was imported"):
        check_images(
            [image], store=FolderStore(tmp_path), engine=LocalEngine(), advance=lambda n: None
        )
