"""How near a network's formats come to the network itself: cosines of descriptors, size, speed, answers."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from cairn.base.files import write_json

# What is promised of each format: the least median cosine of its descriptors to those of the reference.
BARS: Mapping[str, float] = {"onnx": 0.9999, "bf16": 0.999, "int8": 0.99, "int8 openvino": 0.99}
_OF_INT8 = (
    "give more and other --photos and a larger --n-calibration, or use --describe-in bf16 or fp32"
)
WHAT_TO_DO: Mapping[str, str] = {
    "onnx": "export it again, with other versions of torch and timm",
    "bf16": "use --describe-in fp32, or int8 where it comes nearer",
    "int8": _OF_INT8,
    "int8 openvino": _OF_INT8,
}


@dataclass(frozen=True)
class AnswerChange:
    """What a format does to the answers of a bundle whose gallery stays as it is.

    same_top_share: queries whose best candidate is the one that the network itself gives. gap_change: None where the
    truth of none is known.
    """

    n_queries: int
    same_top_share: float
    gap_change: float | None


@dataclass(frozen=True)
class FormatParity:
    """One format: its descriptors' cosines to the reference over the photos, its size, images a second by round.

    cosine_low: what one photo in a hundred falls below.
    """

    name: str
    files: tuple[str, ...]
    size_bytes: int
    cosine_median: float
    cosine_low: float
    cosine_least: float
    images_per_s: tuple[float, ...]
    answers: AnswerChange | None = None

    @property
    def is_below(self) -> bool:
        """Whether its descriptors are further from the reference than promised."""
        return self.cosine_median < BARS[self.name]

    @property
    def warning(self) -> str | None:
        """What falls short, and what to do about it, or None."""
        if not self.is_below:
            return None
        return (
            f"{self.name}: descriptors have a median cosine of {self.cosine_median:.5f} to the reference; "
            f"{BARS[self.name]} or more was expected; {WHAT_TO_DO[self.name]}"
        )


@dataclass(frozen=True)
class ParityReport:
    """The formats of one network, compared on photos; `reference` is what they are compared with."""

    backbone: str
    digest: str
    reference: str
    sides_px: tuple[int, ...]
    pooling: tuple[str, ...]
    n_photos: int
    n_calibration: int
    processor: str
    has_bf16: bool
    formats: tuple[FormatParity, ...]
    answers_left_out: str | None

    def times_as_quick(self, name: str) -> float:
        """Images a second over those of the ONNX network in fp32: the median over rounds that took turns."""
        rounds = {one.name: one.images_per_s for one in self.formats}
        pairs = zip(rounds[name], rounds["onnx"], strict=True)
        return statistics.median(fast / slow for fast, slow in pairs)

    @property
    def remark(self) -> str | None:
        """What to know of this processor before bf16 is judged by its speed, or None."""
        if self.has_bf16 or all(one.name != "bf16" for one in self.formats):
            return None
        return "This processor does not compute in bf16: OpenVINO runs it in fp32 or imitates it, so bf16 is no quicker here."

    @property
    def warnings(self) -> list[str]:
        """What falls short of what is promised."""
        return [warning for one in self.formats if (warning := one.warning)]

    def to_json(self) -> dict[str, JsonValue]:
        """The report in the form of `parity.json`."""
        return {
            "backbone": self.backbone, "digest": self.digest, "reference": self.reference,
            "sides_px": list(self.sides_px), "pooling": list(self.pooling), "n_photos": self.n_photos,
            "n_calibration": self.n_calibration, "processor": self.processor, "has_bf16": self.has_bf16,
            "formats": [self._format(one) for one in self.formats],
            "answers_left_out": self.answers_left_out,
        }  # fmt: skip

    def _format(self, one: FormatParity) -> dict[str, JsonValue]:
        answers: JsonValue = None
        if one.answers is not None:
            answers = {
                "n_queries": one.answers.n_queries, "same_top_share": one.answers.same_top_share,
                "gap_change": one.answers.gap_change,
            }  # fmt: skip
        return {
            "name": one.name, "files": list(one.files), "size_bytes": one.size_bytes,
            "cosine_median": one.cosine_median, "cosine_low": one.cosine_low,
            "cosine_least": one.cosine_least, "bar": BARS[one.name],
            "images_per_s": list(one.images_per_s), "times_as_quick": self.times_as_quick(one.name),
            "answers": answers,
        }  # fmt: skip

    def write(self, path: Path) -> None:
        """`path` holds the report as JSON."""
        write_json(path, self.to_json())
