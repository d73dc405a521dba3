"""What tests of pages in a real browser share: keys, patience, and what an element says."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cairn.records.verdicts import read_verdicts

if TYPE_CHECKING:
    from playwright.sync_api import Page

playwright = pytest.importorskip("playwright.sync_api")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
# Of all names only the loopback leads anywhere.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
DESKTOP_PX, PHONE_PX = (1360, 860), (390, 780)
PATIENCE_MS = 20_000
IN_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed"),
]


def ready(page: "Page") -> None:
    page.wait_for_selector("body[data-ready]")
    page.wait_for_selector(".tile.is-focused")


def pressed(page: "Page", *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def is_saved(page: "Page") -> None:
    says(page, "#saved", "saved")


def says(page: "Page", selector: str, words: str) -> None:
    """Waits until an element says exactly these words."""
    playwright.expect(page.locator(selector)).to_have_text(words, timeout=PATIENCE_MS)


def tells(page: "Page", selector: str, words: str) -> None:
    """Waits until these words stand somewhere in an element."""
    playwright.expect(page.locator(selector)).to_contain_text(words, timeout=PATIENCE_MS)


def box_of(page: "Page", selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of an element on the screen."""
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def waits_for(page: "Page", words: str) -> None:
    """Waits until so many are decided: `3 of 15`."""
    tells(page, "#progress-words", f"{words} decided" if words[-1].isdigit() else words)


def held(work: Path, reviewer: str = "Anna") -> list[str]:
    """The verdicts in the journal, in the order of decision."""
    found = read_verdicts(work / "verdicts").by_reviewer.get(reviewer, {})
    return [verdict.verdict for verdict in sorted(found.values(), key=lambda verdict: verdict.at)]
