"""Scores: what an evaluation found, each number with its interval and with what it means in words."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cairn.base.errors import InputError
from cairn.base.files import write_text

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
# Landmarks by their images: name, fewest, most (None: no limit).
SIZES = (("head", 20, None), ("middle", 5, 19), ("tail", 2, 4), ("singleton", 1, 1))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Estimate(_Part):
    """A share or score, 0 to 1, over `n` images, with the ends of its 95 % interval.

    `value` is None where it is undefined, and `because` says why; the ends are None without resamplings.
    """

    value: Share | None
    low: Share | None = None
    high: Share | None = None
    n: Count
    because: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        ends = (self.low, self.value, self.high)
        has_interval = self.low is not None and self.high is not None
        if (
            (self.value is None) != bool(self.because)
            or (self.low is None) != (self.high is None)
            or (self.value is None and has_interval)
            or (has_interval and list(ends) != sorted(end for end in ends if end is not None))
        ):
            raise InputError(
                f"an estimate has the value {self.value}, the interval {self.low} to {self.high} and "
                f"the reason {self.because!r}; a value inside its interval, or none and the reason, was "
                "expected; evaluate again with: cairn evaluate WORK"
            )
        return self


class QueryCounts(_Part):
    """How many test images were asked about, by what they show; every test image counts once."""

    known: Count = Field(description="show a landmark that the gallery holds")
    unseen: Count = Field(description="show only landmarks that the gallery does not hold")
    distractors: Count = Field(description="show no landmark")
    unlabelled: Count = Field(0, description="nobody has said what they show; they are not scored")

    @property
    def scored(self) -> int:
        """The number of images that the scores are about."""
        return self.known + self.unseen + self.distractors

    @property
    def distractor_share(self) -> float:
        """The share of distractors among the images that the scores are about; 0 where there are none."""
        return self.distractors / self.scored if self.scored else 0.0


class RiskPoint(_Part):
    """At one threshold: the share of the images that is answered, and the share of answers that is wrong."""

    coverage: Share
    risk: Share


class CalibrationBin(_Part):
    """Images of about the same probability: its mean, the share of them that is right, how many."""

    probability: Share
    right: Share
    n: Count


class SizeScore(_Part):
    """The scores over landmarks with `smallest` to `largest` gallery images (None: no upper end)."""

    name: str
    smallest: Count
    largest: Count | None
    n_landmarks: Count
    top1: Estimate
    recall: Estimate


class LandmarkScore(_Part):
    """One landmark of the gallery: how many test images show it as their main one, how many were right."""

    landmark_id: str
    n_gallery: Count
    n_images: Count
    n_right: Count


class Scores(_Part):
    """What an evaluation found; the title and the description of each field are its words for people.

    An answer is the best candidate of an image, also where it lies under the threshold, except where a
    description speaks of the threshold. `{wanted}` in one stands for `wanted_precision`.
    """

    counts: QueryCounts
    wanted_precision: float = Field(gt=0, lt=1)
    gap: Estimate = Field(
        title="GAP with distractors",
        description="The contest's score: high where right answers rank above all wrong ones, distractors included.",
    )
    gap_without_distractors: Estimate = Field(
        title="GAP without distractors",
        description="The same, leaving out the images that show no landmark: easier, and less like life.",
    )
    top1: Estimate = Field(
        title="Top-1",
        description="Of the images of known landmarks, the share whose best candidate is right.",
    )
    top5: Estimate = Field(
        title="Top-5",
        description="Of the images of known landmarks, the share with a right one among the first five.",
    )
    mean_recall: Estimate = Field(
        title="Mean recall per landmark",
        description="Top-1 of each landmark by itself, then the mean: a rare landmark counts like a large one.",
    )
    answered_at_precision: Estimate = Field(
        title="Answered at {wanted} precision",
        description="The largest share of all test images that a threshold set on them could answer, "
        "with {wanted} of the answers right.",
    )
    precision_when_sure: Estimate = Field(
        title="Precision where {wanted} sure",
        description="Of the images with a probability of {wanted} or more, the share that is right.",
    )
    answered: Estimate = Field(
        title="Answered",
        description="The share of all test images that the recogniser's own threshold answers.",
    )
    answered_precision: Estimate = Field(
        title="Precision of the answers",
        description="Of the images over the recogniser's own threshold, the share answered rightly.",
    )
    known_answered_rightly: Estimate = Field(
        title="Known landmarks found",
        description="Of the images of known landmarks, the share over the threshold and right.",
    )
    distractors_refused: Estimate = Field(
        title="Distractors refused",
        description="Of the images that show no landmark, the share answered “none”.",
    )
    unseen_refused: Estimate = Field(
        title="Unseen refused (test)",
        description="Of the test images whose landmarks the gallery does not hold, the share answered “none”.",
    )
    unseen_refused_out_of_fold: Estimate = Field(
        title="Unseen refused (out of fold)",
        description="The same for landmarks held back on purpose while fitting, within train and val.",
    )
    calibration_error: Estimate = Field(
        title="Calibration error",
        description="How far the stated probability is from the share that is right, on average.",
    )
    risk_coverage: tuple[RiskPoint, ...]
    calibration: tuple[CalibrationBin, ...]
    by_size: tuple[SizeScore, ...]
    by_landmark: tuple[LandmarkScore, ...]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        counts = {
            "by landmark": sum(row.n_images for row in self.by_landmark),
            "by size": sum(row.top1.n for row in self.by_size),
        }
        for table, n_images in counts.items():
            if n_images != self.counts.known:
                raise InputError(
                    f"the scores {table} count {n_images} images of known landmarks; {self.counts.known} "
                    "were expected, each once; evaluate again with: cairn evaluate WORK"
                )
        coverage = [point.coverage for point in self.risk_coverage]
        if coverage != sorted(coverage):
            raise InputError(
                "the risk-coverage curve goes back and forth; ascending coverage was expected; "
                "evaluate again with: cairn evaluate WORK"
            )
        return self

    def words(self, field: str) -> tuple[str, str]:
        """The name of one estimate and a sentence that explains it."""
        info = type(self).model_fields[field]
        wanted = f"{100 * self.wanted_precision:g}\N{NO-BREAK SPACE}%"
        title, description = info.title or field, info.description or ""
        return title.replace("{wanted}", wanted), description.replace("{wanted}", wanted)

    def estimates(self) -> dict[str, Estimate]:
        """Every estimate by the name of its field, in the order of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if isinstance(value, Estimate)}

    def write(self, path: Path) -> None:
        """`path` holds the scores as JSON."""
        write_text(path, self.model_dump_json(indent=2) + "\n")

    @staticmethod
    def read(path: Path) -> "Scores":
        """The scores that `path` holds.

        Raises InputError where there are none or they cannot be read.
        """
        try:
            return Scores.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InputError(
                f"{path} does not exist; scores were expected there; run: cairn evaluate WORK"
            ) from error
        except (ValidationError, OSError) as error:
            raise InputError(
                f"{path} cannot be read as scores; it is damaged or of another version; "
                "remove it and run: cairn evaluate WORK"
            ) from error
