import pytest
from pydantic import ValidationError

from cairn.base.settings import AugmentSettings


def test_ranges_can_be_typed_as_on_a_command_line() -> None:
    settings = AugmentSettings.model_validate({"area": "0.3, 0.9", "jpeg_quality": "50,60"})
    assert (settings.area, settings.jpeg_quality) == ((0.3, 0.9), (50, 60))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("area", (0.9, 0.3)), ("area", (0.0, 1.0)), ("area", "0.5"), ("aspect", (0.01, 1.0)),
        ("rotation_deg", 46), ("zoom", 1.0), ("brightness", 1.1), ("blur_px", (0.0, 1.0)),
        ("jpeg_quality", (0, 50)), ("erase_area", (0.1, 0.6)), ("side_px", 15), ("flip", True),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=name):
        AugmentSettings.model_validate({name: value})
