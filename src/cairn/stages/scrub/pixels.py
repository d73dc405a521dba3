"""Images that are good for little by their pixels alone: measured while decoding, judged by thresholds.

The thresholds were set after a look at a thousand photos, all of them; docs/scrub.md tells what these measure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import polars as pl

from cairn.base.settings import ScrubSettings
from cairn.base.watching import Advance
from cairn.engines.local import Engine
from cairn.images.checks import CHECKS_WAY, check_pixels
from cairn.images.store import ImageStore
from cairn.records.findings import BLANK, BLURRED, DARK, DRAWING, ODD_SHAPE, TOO_SMALL
from cairn.stages.describe import KeptImage, checked_image

Row = dict[str, object]
Checked = dict[str, object]

# Larger than import keeps by default: only photos that were kept as they came are seen smaller than they are.
ENOUGH_PX = 1024
# Where a measure makes a finding (score 0.5), where it is sure enough for policies, and where the score is 1.
SHARPNESS = (0.59, 0.52, 0.15)
BRIGHT_GREY = (45.0, 36.0, 8.0)
RELIEF_GREY = (6.0, 4.5, 0.0)
FRAMED_SHARE = (0.50, 0.56, 0.9)
ALL_FLAT_SHARE = (0.44, 0.50, 0.9)


def check_images(
    images: Sequence[KeptImage], *, store: ImageStore, engine: Engine, advance: Advance
) -> list[Checked]:
    """A row of the table of image checks for each of `images`, in their order.

    Raises InputError where an image has gone, has changed or no longer decodes.
    """

    def checked(image: KeptImage) -> Checked:
        seen = checked_image(image, store, enough_px=ENOUGH_PX)
        width, height = seen.full_size_px
        known = {"image_id": image.image_id, "kept_digest": image.digest, "way": CHECKS_WAY}
        return known | {"width_px": width, "height_px": height} | asdict(check_pixels(seen.pixels))

    rows = []
    for row in engine.map(checked, images):
        rows.append(row)
        advance(1)
    return rows


def pixel_findings(checks: pl.DataFrame, *, settings: ScrubSettings) -> list[Row]:
    """The findings of every kind of bad pixels in the table of image checks, in no order; an image may have several."""
    rows = []
    for check in checks.iter_rows(named=True):
        for kind, doubt in _doubts(check, settings):
            rows.append(
                {
                    "kind": kind,
                    "image_id": check["image_id"],
                    "score": doubt.score,
                    "is_sure": doubt.is_sure,
                    "reason": doubt.reason,
                    "evidence": [],
                }
            )
    return rows


@dataclass(frozen=True)
class _Doubt:
    score: float
    is_sure: bool
    reason: str


def _doubts(check: Row, settings: ScrubSettings) -> Iterator[tuple[str, _Doubt]]:
    """What is wrong with one image, by kind."""
    too_small = _too_small(check, settings)
    if too_small:
        yield TOO_SMALL, too_small
    odd = _odd_shape(check, settings)
    if odd:
        yield ODD_SHAPE, odd
    # What shows nothing is not called blurred as well: the first that holds says the most.
    for kind, judge in _ABOUT_CONTENT:
        doubt = judge(check)
        if doubt:
            yield kind, doubt
            return


def _too_small(check: Row, settings: ScrubSettings) -> _Doubt | None:
    width, height = _number(check, "width_px"), _number(check, "height_px")
    shorter, least = min(width, height), settings.min_side_px
    if shorter >= least:
        return None
    said = f"it has {width:.0f} × {height:.0f} px; its shorter side is under {least}"
    return _Doubt(1 - shorter / (2 * least), True, said)


def _odd_shape(check: Row, settings: ScrubSettings) -> _Doubt | None:
    width, height = _number(check, "width_px"), _number(check, "height_px")
    ratio, most = max(width, height) / min(width, height), settings.max_aspect
    if ratio <= most:
        return None
    how = "wide as high" if width > height else "high as wide"
    return _Doubt(1 - most / (2 * ratio), True, f"it is {ratio:.1f} times as {how}")


def _dark(check: Row) -> _Doubt | None:
    bright = _number(check, "bright_grey")
    said = f"19 of 20 pixels are no brighter than {bright:.0f} of 255"
    return _falls(bright, BRIGHT_GREY, said)


def _blank(check: Row) -> _Doubt | None:
    relief = _number(check, "relief_grey")
    said = f"nothing stands out: neighbouring parts differ by no more than {relief:.0f} of 255"
    return _falls(relief, RELIEF_GREY, said)


def _blurred(check: Row) -> _Doubt | None:
    sharpness = _number(check, "sharpness")
    said = (
        f"even its sharpest part is soft: softening it more takes away {100 * sharpness:.0f} of 100 of its fine "
        "differences, of a sharp photo 70 or more"
    )
    return _falls(sharpness, SHARPNESS, said)


def _drawing(check: Row) -> _Doubt | None:
    flat, edged = _number(check, "flat_share"), _number(check, "edge_share")
    colours, least_flat = _number(check, "colours_share"), _number(check, "least_flat_share")
    said = (
        f"{100 * flat:.0f} of 100 pixels lie in areas of one colour, and {100 * edged:.0f} of 100 of the others on hard "
        f"edges; ten colours make up {100 * colours:.0f} of 100 pixels"
    )
    frame, spread = _number(check, "frame_flat_share"), _number(check, "frame_spread_grey")
    framed = framed_share(least_flat, edged, colours, frame, spread)
    all_flat = all_flat_share(least_flat, edged)
    doubts = [
        _rises(framed, FRAMED_SHARE, f"{said}; its borders are of one colour"),
        _rises(all_flat, ALL_FLAT_SHARE, f"{said}, in nearly every part of it"),
    ]
    return max((one for one in doubts if one), key=lambda one: one.score, default=None)


def framed_share(
    least_flat: float, edged: float, colours: float, frame_flat: float, frame_spread: float
) -> float:
    """How much an image looks drawn on paper, 0 to 1: hard edges, few colours, flat areas everywhere, and borders of one colour.

    A tower before a clear sky has all but the last: it stands on the lower border, and the sky is not of one colour.
    """
    drawn = (least_flat * min(1.0, 2 * edged) * colours * frame_flat) ** 0.25
    return float(drawn * (1 - frame_spread / 255))


def all_flat_share(least_flat: float, edged: float) -> float:
    """How much of nearly every part of an image lies in areas of one colour with hard edges, 0 to 1."""
    return least_flat * min(1.0, 8 * edged)


def _falls(value: float, marks: tuple[float, float, float], said: str) -> _Doubt | None:
    """The doubt of a measure that is bad where it is low."""
    return _rises(-value, (-marks[0], -marks[1], -marks[2]), said)


def _rises(value: float, marks: tuple[float, float, float], said: str) -> _Doubt | None:
    """The doubt of a measure that is bad where it is high: from the first mark on, sure from the second."""
    first, sure, full = marks
    if value < first:
        return None
    score = 0.5 + 0.5 * min(1.0, (value - first) / (full - first))
    return _Doubt(score, value >= sure, said)


def _number(check: Row, name: str) -> float:
    return float(str(check[name]))


_ABOUT_CONTENT: tuple[tuple[str, Callable[[Row], _Doubt | None]], ...] = (
    (DARK, _dark),
    (BLANK, _blank),
    (BLURRED, _blurred),
    (DRAWING, _drawing),
)
