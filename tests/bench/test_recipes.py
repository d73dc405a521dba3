"""The ways of training that are compared: each old one differs in one thing, and gains are told with their interval."""

import math
from pathlib import Path

import pytest

from cairn.bench.parts import Row
from cairn.bench.recipes import OLD, WAYS, gain_over, rows_of
from cairn.cli.main import main


def test_each_mended_way_differs_from_the_old_one_in_one_section_and_no_more() -> None:
    old = WAYS[0].settings(epochs=3)
    for way in WAYS[1:8]:
        mended = way.settings(epochs=3)
        changed = [name for name in ("augment", "top", "finetune") if getattr(mended, name) != getattr(old, name)]  # fmt: skip
        assert len(changed) == 1, way.name
    assert {way.settings(epochs=3).finetune.epochs for way in WAYS if way.answers == "head"} == {3}
    assert WAYS[-1].settings(epochs=3).finetune.epochs == 4


def test_a_gain_is_the_mean_of_paired_differences_with_students_interval() -> None:
    rows = rows_of([{OLD: (0.5, 0.4), "new": (0.6, 0.5)}, {OLD: (0.6, 0.5), "new": (0.74, 0.6)}])
    gain = gain_over(rows[1], rows[0])
    half = 12.706 * (0.02 * math.sqrt(2)) / math.sqrt(2)
    assert gain.mean == pytest.approx(0.12)
    assert (gain.low, gain.high) == pytest.approx((0.12 - half, 0.12 + half), abs=1e-3)
    assert math.isnan(gain_over(Row("new", (0.6,), (0.5,)), Row(OLD, (0.5,), (0.4,))).low)


@pytest.mark.slow
def test_the_command_prints_a_row_for_each_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("timm")
    from tests.training.small_training import backbone_folder, landmark_photos

    photos, backbone = landmark_photos(tmp_path / "photos"), backbone_folder(tmp_path / "backbone")
    words = ["bench", "recipes", "--folder", str(photos), "--backbone", str(backbone)]
    assert main([*words, "--seeds", "1", "--old-epochs", "1", "--sides-px", "64", "--work", str(tmp_path / "work")]) == 0  # fmt: skip
    said = capsys.readouterr().out
    assert all(way.name in said for way in WAYS)
