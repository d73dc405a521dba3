"""Settings of what makes a recogniser: import, split, describe, train, evaluate, demo."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from cairn.base.checks import nearest_name
from cairn.base.settings.forms import Ratio, Settings, SidePx, words
from cairn.base.settings.recipes import recipe_names

DEFAULT_BACKBONE = "vit_small_patch14_dinov2.lvd142m"
EMBEDDED_BACKBONE = "embedded"
# The embedded backbone was trained on small scenes, and sees no more in larger ones.
EMBEDDED_SIDES_PX = (192, 256)

Pooling = Literal["avg", "gem", "cls"]


class ImportSettings(Settings):
    """How photos enter the work folder."""

    max_side_px: int = Field(
        1024,
        ge=64,
        le=16384,
        description="longest side that is kept; smaller photos stay untouched",
    )
    quality: int = Field(
        92, ge=50, le=100, description="JPEG quality of photos that are made smaller"
    )
    max_pixels: int = Field(
        200_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_bytes: int = Field(
        200_000_000, ge=1_000, description="a file with more bytes is refused before reading"
    )


class SplitSettings(Settings):
    """How images are dealt to train, val and test."""

    ratio: Ratio = Field(
        (0.8, 0.1, 0.1),
        description="shares of train/val/test, such as 80/10/10",
        validate_default=True,
    )
    seed: int = Field(
        0, ge=0, description="another seed deals otherwise; the same seed deals the same"
    )
    copy_bits: int = Field(
        136, ge=0, le=180,
        description="images whose 512-bit likeness differs in at most so many bits count as copies",
    )  # fmt: skip

    @model_validator(mode="after")
    def _train_has_a_share(self) -> Self:
        if self.ratio[0] == 0:
            raise ValueError("ratio: train needs a share above 0, such as 80/10/10")
        return self


class DescribeSettings(Settings):
    """How an image becomes one vector."""

    backbone: str = Field(
        DEFAULT_BACKBONE, min_length=1,
        description="a backbone folder, the name of a timm model, or 'embedded'",
    )  # fmt: skip
    weights: str = Field(
        "hub",
        min_length=1,
        description="for a timm name: 'hub', 'none', or a folder with model.safetensors",
    )
    sides_px: Annotated[tuple[SidePx, ...], BeforeValidator(words)] = Field(
        (224, 320, 448), min_length=1, max_length=5,
        description="the image is seen at these sizes (side of a square of equal area), then averaged; for embedded 192,256",
    )  # fmt: skip
    keep_shape: bool = Field(
        True, description="keep the image's shape instead of squashing it to a square"
    )
    interpolation: Literal["network", "bilinear", "bicubic", "lanczos"] = Field(
        "bicubic", description="how images are resized; network: as its config.json says"
    )
    pooling: Annotated[tuple[Pooling, ...], BeforeValidator(words)] = Field(
        ("avg", "gem"),
        min_length=1,
        max_length=3,
        description="avg, gem, cls: joined in this order",
    )
    gem_power: float = Field(3.0, ge=1, le=20, description="power of the generalised mean")
    runtime: Literal["auto", "openvino", "onnx", "torch"] = Field(
        "auto", description="what runs the network; auto is torch on a GPU, else OpenVINO"
    )
    describe_in: Literal["fp32", "bf16", "int8"] = Field(
        "fp32", description="what the network computes in: fp32 is the same on every machine, bf16 and int8 are quicker; see cairn export",
    )  # fmt: skip
    batch_size: int = Field(16, ge=1, le=1024, description="images of one shape that run together")


class TrainSettings(Settings):
    """How a recogniser is fitted on the descriptors of train and val."""

    recipe: str = Field(
        "frozen", description="what is trained, see cairn recipes; frozen: head, whitening, fusion and calibration"
    )  # fmt: skip
    precision: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="answers are given where at least this share of them is expected to be right",
    )
    whitening_power: float = Field(
        0.5,
        ge=0,
        le=1,
        description="variances of the descriptors are divided by this power of them: 0 is none",
    )
    verify: bool = Field(
        True,
        description="match photos of the best candidates point by point where the answer is not sure",
    )
    points_a_landmark: int = Field(
        100, ge=1, description="photos of each landmark whose points the bundle keeps, at most"
    )
    seed: int = Field(0, ge=0, description="deals the folds")

    @field_validator("recipe")
    @classmethod
    def _is_there(cls, value: str) -> str:
        if value not in recipe_names():
            raise ValueError(
                f"one of {', '.join(recipe_names())}{nearest_name(value, recipe_names())}"
            )
        return value


class EvaluateSettings(Settings):
    """How a recogniser is scored."""

    precision: float = Field(
        0.95,
        gt=0,
        lt=1,
        description="how many images can be answered is told at this share of right answers",
    )
    n_bootstrap: int = Field(1000, ge=0, le=100_000, description="resamplings behind each interval")
    seed: int = Field(0, ge=0, description="draws the resamplings")


class DemoSettings(Settings):
    """What the demo renders."""

    seed: int = Field(7, ge=0, description="another seed invents other landmarks")
