"""The colours of the review page, read from its style: whether every text stands out from what is behind it."""

import re
from importlib import resources

import pytest

STYLE = (resources.files("cairn") / "web/review/page/review.css").read_text("utf-8")
LEAST_OF_TEXT, LEAST_OF_FRAMES = 4.5, 3.0
VERDICTS = ("keep", "none", "several", "wrong", "copy", "bad", "unsure")
TEXTS = [
    ("ink", "paper"), ("ink", "card"), ("ink", "tile"), ("ink", "tint"), ("soft", "paper"), ("soft", "card"),
    ("soft", "tint"), ("accent", "card"), ("accent-ink", "accent"), ("alarm", "card"), ("alarm", "tint"),
    ("alarm", "alarm-tint"), ("paper", "ink"),
    *[(verdict, "card") for verdict in VERDICTS], *[("paper", verdict) for verdict in VERDICTS],
    *[("card", verdict) for verdict in VERDICTS],
]  # fmt: skip


def colours(*, dark: bool) -> dict[str, str]:
    """The named colours of one of the two schemes."""
    light, of_dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    named: dict[str, str] = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return named | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", of_dark)) if dark else {})


def luminance(colour: str) -> float:
    """How light a colour is, 0 to 1, as WCAG 2.2 has it."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(dark: bool) -> None:
    named = colours(dark=dark)
    faint = {
        pair: round(contrast(named[pair[0]], named[pair[1]]), 2)
        for pair in TEXTS
        if contrast(named[pair[0]], named[pair[1]]) < LEAST_OF_TEXT
    }
    assert faint == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_focus_and_the_selection_stand_out_from_what_is_beside_them(dark: bool) -> None:
    named = colours(dark=dark)
    for frame in ("focus", "accent"):
        for behind in ("paper", "card", "tile"):
            assert contrast(named[frame], named[behind]) >= LEAST_OF_FRAMES, (frame, behind)


def test_black_on_white_is_the_most() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
