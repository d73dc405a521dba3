"""Formats are compared on the same images, in rounds that take turns."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np

from cairn.base.settings import DescribeSettings
from cairn.base.watching import Silent
from cairn.models.embedder import Embedder, open_embedder
from cairn.models.runtimes.contract import Outputs, Pixels
from cairn.records.parity import AnswerChange, FormatParity, ParityReport
from cairn.stages.export import Written, compare_formats, cosines
from tests.make import pixels
from tests.models.nets import net

DESCRIBE = DescribeSettings(sides_px=(64,), pooling=("avg",), runtime="openvino")


class Doubting:
    """A runtime that adds a little to what another gives, and counts how often it is asked."""

    def __init__(self, embedder: Embedder) -> None:
        self.inner, self.n_asked = embedder.runtime, 0

    def run(self, pixels: Pixels) -> Outputs:
        self.n_asked += 1
        found = self.inner.run(pixels)
        return {name: value + np.float32(0.1) for name, value in found.items()}


def test_each_format_is_compared_with_the_reference_and_timed_by_the_clock(tmp_path: Path) -> None:
    plain = open_embedder(net(tmp_path), DESCRIBE)
    odd = Doubting(plain)
    formats = {
        "onnx": Written(plain, ("a",), 5),
        "int8": Written(replace(plain, runtime=odd), ("b", "c"), 7),
    }
    images = [pixels(seed) for seed in range(5)]
    reference = np.concatenate(list(plain.describe(images)))
    ticks = itertools.count(0, 2)
    found = compare_formats(
        formats, images, reference=reference, rounds=2, clock=lambda: float(next(ticks)), watch=Silent()
    )  # fmt: skip
    assert [(one.name, one.files, one.size_bytes) for one in found] == [
        ("onnx", ("a",), 5),
        ("int8", ("b", "c"), 7),
    ]
    assert (
        found[0].cosine_least
        > 0.99999
        > found[1].cosine_median
        >= found[1].cosine_low
        >= found[1].cosine_least
    )
    assert found[0].images_per_s == found[1].images_per_s == (2.5, 2.5)
    assert odd.n_asked > 0


def test_cosines_are_those_of_the_loop() -> None:
    rng = np.random.default_rng(0)
    a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.standard_normal((2, 7, 5)))
    slow = [
        sum(x * y for x, y in zip(one, two, strict=True)) for one, two in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(cosines(a.astype(np.float32), b.astype(np.float32)), slow, atol=1e-6)


def report(*formats: FormatParity) -> ParityReport:
    return ParityReport("net", "0" * 64, "torch in fp32", (64,), ("avg",), 5, 9, "a processor", True, formats, None)  # fmt: skip


def parity(name: str, cosine: float, rates: tuple[float, ...]) -> FormatParity:
    return FormatParity(
        name, ("f",), 1, cosine, cosine, cosine, rates, AnswerChange(4, 0.75, -0.01)
    )


def test_what_falls_short_is_told_with_what_to_do() -> None:
    found = report(
        parity("onnx", 0.99995, (1,)), parity("bf16", 0.9985, (1,)), parity("int8", 0.98, (1,))
    )
    assert found.warnings == [
        "bf16: descriptors have a median cosine of 0.99850 to the reference; 0.999 or more was expected; use "
        "--describe-in fp32, or int8 where it comes nearer",
        "int8: descriptors have a median cosine of 0.98000 to the reference; 0.99 or more was expected; give more and "
        "other --photos and a larger --n-calibration, or use --describe-in bf16 or fp32",
    ]


def test_speed_is_the_median_of_ratios_of_the_same_round() -> None:
    found = report(parity("onnx", 1, (10, 20, 40)), parity("bf16", 1, (20, 20, 120)))
    assert found.times_as_quick("bf16") == 2
    told = found.to_json()["formats"]
    assert isinstance(told, list)
    assert isinstance(told[1], dict)
    assert told[1]["answers"] == {"n_queries": 4, "same_top_share": 0.75, "gap_change": -0.01}
