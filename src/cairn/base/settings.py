"""Every setting of every stage, with its default, range and meaning, written here and nowhere else."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

DEFAULT_BACKBONE = "vit_small_patch14_dinov2.lvd142m"
EMBEDDED_BACKBONE = "embedded"
# The embedded backbone was trained on small scenes, and sees no more in larger ones.
EMBEDDED_SIDES_PX = (192, 256)


def _words(value: object) -> object:
    """`a,b` as the command line gives it, as a list."""
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _ratio(value: object) -> object:
    """`80/10/10` as the command line gives it, as three shares that add up to 1."""
    parts = value.split("/") if isinstance(value, str) else value
    if not isinstance(parts, (list, tuple)) or len(parts) != 3:
        raise ValueError("three numbers for train/val/test were expected, such as 80/10/10")
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        raise ValueError(
            "three numbers for train/val/test were expected, such as 80/10/10"
        ) from None
    total = sum(numbers)
    if not 0 < total < float("inf") or min(numbers) < 0:
        raise ValueError("shares of 0 or more that are not all 0 were expected, such as 80/10/10")
    return tuple(number / total for number in numbers)


Ratio = Annotated[tuple[float, float, float], BeforeValidator(_ratio)]
Pooling = Literal["avg", "gem", "cls"]
SidePx = Annotated[int, Field(ge=64, le=4096)]


class Settings(BaseModel):
    """The parent of all settings: frozen, every key known, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def as_json(self) -> dict[str, JsonValue]:
        """Every setting by name, in the form a card keeps."""
        return self.model_dump(mode="json")


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
    sides_px: Annotated[tuple[SidePx, ...], BeforeValidator(_words)] = Field(
        (224, 320, 448), min_length=1, max_length=5,
        description="the image is seen at these sizes (side of a square of equal area), then averaged; for embedded 192,256",
    )  # fmt: skip
    keep_shape: bool = Field(
        True, description="keep the image's shape instead of squashing it to a square"
    )
    interpolation: Literal["network", "bilinear", "bicubic", "lanczos"] = Field(
        "bicubic", description="how images are resized; network: as its config.json says"
    )
    pooling: Annotated[tuple[Pooling, ...], BeforeValidator(_words)] = Field(
        ("avg", "gem"),
        min_length=1,
        max_length=3,
        description="avg, gem, cls: joined in this order",
    )
    gem_power: float = Field(3.0, ge=1, le=20, description="power of the generalised mean")
    runtime: Literal["auto", "openvino", "onnx", "torch"] = Field(
        "auto", description="what runs the network; auto is torch on a GPU, else OpenVINO"
    )
    batch_size: int = Field(16, ge=1, le=1024, description="images of one shape that run together")


class TrainSettings(Settings):
    """How a recogniser is fitted on the descriptors of train and val."""

    recipe: Literal["frozen"] = Field(
        "frozen", description="what is trained; frozen: head, whitening, fusion and calibration"
    )
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
    seed: int = Field(0, ge=0, description="deals the folds")


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


class ServeSettings(Settings):
    """Where the service listens and what it accepts."""

    host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address to listen on; the default is this machine only",
    )
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    max_pixels: int = Field(
        50_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_upload_bytes: int = Field(20_000_000, ge=1_000, description="a larger upload is refused")


class RecognizeSettings(Settings):
    """What an answer holds."""

    n_candidates: int = Field(5, ge=1, le=1000, description="candidates listed for each image")
    n_evidence: int = Field(3, ge=0, le=20, description="gallery images listed for each candidate")
    max_pixels: int = Field(
        200_000_000, ge=10_000, description="a photo with more pixels is refused before decoding"
    )
    max_bytes: int = Field(200_000_000, ge=1_000, description="a file with more bytes is refused")


class PartsSettings(Settings):
    """Over which splits the parts of the recogniser are compared."""

    seeds: Annotated[tuple[int, ...], BeforeValidator(_words)] = Field(
        (10, 11, 12, 13, 14), min_length=1, description="seeds of the splits"
    )
    ratio: Ratio = Field(
        (0.5, 0.0, 0.5), description="shares of train/val/test in each", validate_default=True
    )


class BenchSettings(Settings):
    """How long a measurement takes."""

    rounds: int = Field(5, ge=1, le=100, description="times that each contender runs, in turn")
    n_images: int = Field(64, ge=1, description="images in one round")


SECTIONS: dict[str, type[Settings]] = {
    "import": ImportSettings,
    "split": SplitSettings,
    "describe": DescribeSettings,
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "demo": DemoSettings,
    "recognize": RecognizeSettings,
    "serve": ServeSettings,
    "bench": BenchSettings,
    "parts": PartsSettings,
}


def settings_folder(name: str) -> Path | None:
    """The folder that a backbone or weights setting names, or None where it is a model's name."""
    path = Path(name)
    return path if path.is_dir() or path.is_absolute() or name.startswith((".", "~")) else None
