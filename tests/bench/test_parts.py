from pathlib import Path

import numpy as np
import pytest

from cairn.algorithms.verifying import NO_MATCH, PointMatch
from cairn.base.settings import DescribeSettings, TrainSettings
from cairn.base.watching import Silent
from cairn.bench.parts import BASELINE, SHIPPED, Deal, Images, bench_parts, describe_variants
from cairn.cli.main import main


def clusters(*, spread: float) -> tuple[np.ndarray, Images]:
    """Descriptors of 6 landmarks with 12 images each around their own direction, and 24 distractors."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 16))
    mains = np.array([*np.repeat(np.arange(6), 12), *[-1] * 24])
    vectors = rng.normal(size=(96, 16)) * spread
    vectors[:72] += centres[mains[:72]]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), Images(mains[:, None], np.arange(96), 6)


def nothing_matches(pairs: np.ndarray) -> list[PointMatch]:
    return [NO_MATCH] * len(pairs)


def test_each_way_is_scored_on_each_split_and_better_descriptors_score_higher() -> None:
    clear, images = clusters(spread=0.2)
    noisy, _ = clusters(spread=1.2)
    rows = np.random.default_rng(1).permutation(96)
    deals = [Deal(0, rows[:48], rows[48:]), Deal(1, rows[48:], rows[:48])]
    variants = {"squashed": noisy, "shape kept": noisy, "pooled": noisy, "shipped": clear}
    found = {
        row.name: row
        for row in bench_parts(
            variants, images, deals, training=TrainSettings(), match=nothing_matches, watch=Silent()
        )
    }
    assert {len(row.gaps) for row in found.values()} == {2}
    assert found["+ shape kept"].gaps == found[BASELINE].gaps
    assert min(found[SHIPPED].gaps) > 0.95 > max(found[BASELINE].gaps)


def test_the_variants_differ_in_one_thing_each_and_end_in_what_is_shipped() -> None:
    shipped = DescribeSettings(backbone="x")
    made = describe_variants(shipped)
    assert made["squashed"].sides_px == (320,)
    assert not made["squashed"].keep_shape
    assert made["shape kept"] == made["squashed"].model_copy(update={"keep_shape": True})
    assert made["pooled"] == made["shape kept"].model_copy(update={"pooling": shipped.pooling})
    assert made["shipped"] is shipped


@pytest.mark.slow
def test_the_command_prints_a_row_for_each_way(
    finished: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "bench",
        "parts",
        "--folder",
        str(finished / "photos"),
        "--backbone",
        str(tiny_backbone),
    ]
    assert main([*arguments, "--seeds", "1,2", "--sides-px", "64"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("52 images, seeds 1, 2\n")
    assert "Cairn as shipped" in said
    assert "of 2" in said
