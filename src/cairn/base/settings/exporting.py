"""Settings of export: what is written, and on how many photos it is calibrated and compared."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from cairn.base.settings.forms import Settings, words

Format = Literal["onnx", "bf16", "int8"]


class ExportSettings(Settings):
    """What a network is written as, and how its parity is measured."""

    formats: Annotated[tuple[Format, ...], BeforeValidator(words)] = Field(
        ("onnx", "bf16", "int8"), min_length=1, max_length=3,
        description="onnx, bf16, int8; onnx is always written, as the others are made of it",
    )  # fmt: skip
    n_calibration: int = Field(
        300, ge=4, le=10_000, description="photos that int8 is calibrated on, at most"
    )
    n_compared: int = Field(
        64, ge=4, le=10_000,
        description="other photos, on which the formats are compared; at most a third of all photos",
    )  # fmt: skip
    rounds: int = Field(3, ge=1, le=100, description="times that each format runs, in turn")
    seed: int = Field(0, ge=0, description="draws the photos")
