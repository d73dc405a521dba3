"""What all settings share: their parent, and the forms in which the command line gives some of them."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue


def words(value: object) -> object:
    """`a,b` as the command line gives it, as a list."""
    if not isinstance(value, str):
        return value
    return [word.strip() for word in value.split(",")] if value.strip() else []


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
LEAST_SIDE_PX = 64
SidePx = Annotated[int, Field(ge=LEAST_SIDE_PX, le=4096)]


class Settings(BaseModel):
    """The parent of all settings: frozen, every key known, finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def as_json(self) -> dict[str, JsonValue]:
        """Every setting by name, in the form a card keeps."""
        return self.model_dump(mode="json")


def settings_folder(name: str) -> Path | None:
    """The folder that a backbone or weights setting names, or None where it is a model's name."""
    path = Path(name)
    return path if path.is_dir() or path.is_absolute() or name.startswith((".", "~")) else None
