"""The page of an exploration in a real browser, from the disk and without a network: the map is drawn, names stay words."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cairn.reports.explore import write_explore_report
from tests.reports.test_explore import HOSTILE, contents
from tests.reports.test_in_browser import BROWSER, browse

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]
WAIT = "--virtual-time-budget=4000"


def opened(tmp_path: Path, name: str = "tower") -> str:
    """The page's elements after its script has run."""
    write_explore_report(tmp_path / "report.html", contents(name))
    return browse(tmp_path / "p", "--dump-dom", WAIT, (tmp_path / "report.html").as_uri())


def test_the_script_draws_every_image_and_lists_the_landmarks(tmp_path: Path) -> None:
    page = opened(tmp_path)
    assert 'data-drawn="39"' in page
    legend = page[page.index('id="map-legend"') :]
    assert "<b>tower</b><span>20</span>" in legend
    assert "<b>no landmark</b>" in legend


def test_hostile_names_run_nothing(tmp_path: Path) -> None:
    page = opened(tmp_path, HOSTILE)
    assert 'data-drawn="39"' in page
    # The browser writes out what it understood: a tag that came of a name would stand here unescaped.
    assert "<script>alert" not in page
    assert "<img src=//evil" not in page.replace('"', "")
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("width_px", [1200, 500])
def test_the_page_fits_its_window_and_the_map_has_its_colours(
    tmp_path: Path, width_px: int
) -> None:
    picture = tmp_path / "page.png"
    write_explore_report(tmp_path / "report.html", contents())
    browse(
        tmp_path / "p", f"--window-size={width_px},4200", f"--screenshot={picture}", WAIT,
        (tmp_path / "report.html").as_uri(),
    )  # fmt: skip
    seen = np.asarray(Image.open(picture).convert("RGB"))
    assert seen.shape[1] == width_px
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 200
    # On a phone the map goes from edge to edge: its frame and lines are all that may stand there.
    assert len(np.unique(seen[:, -2:].reshape(-1, 3), axis=0)) < 20
