"""The report as a person meets it: opened from the disk in a real browser, with no network at all."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]


def browse(profile: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [str(BROWSER), *QUIET, f"--user-data-dir={profile}", *arguments],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return ran.stdout


@pytest.mark.parametrize("width_px", [1200, 500])
def test_the_report_fits_its_window_and_shows_photos(
    finished: Path, tmp_path: Path, width_px: int
) -> None:
    report, picture = finished / "work/reports/default/report.html", tmp_path / "report.png"
    browse(
        tmp_path / "p", f"--window-size={width_px},1600", f"--screenshot={picture}", report.as_uri()
    )
    seen = np.asarray(Image.open(picture).convert("RGB"))
    assert seen.shape[1] == width_px
    assert len(np.unique(seen.reshape(-1, 3), axis=0)) > 500
    right_edge = seen[:, -4:].reshape(-1, 3)
    assert len(np.unique(right_edge, axis=0)) == 1


def test_the_browser_finds_headings_scores_and_inline_pictures(
    finished: Path, tmp_path: Path
) -> None:
    page = browse(
        tmp_path / "p", "--dump-dom", (finished / "work/reports/default/report.html").as_uri()
    )
    assert "GAP with distractors" in page
    assert "The most confident mistakes" in page
    assert page.count('src="data:image/jpeg;base64,') > 10
