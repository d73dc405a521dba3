"""How long a key takes until its frame is drawn, with a thousand findings and with a hundred thousand, in one run."""

import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cairn.records.findings import Findings
from tests.browsing import IN_BROWSER, PATIENCE_MS, pressed, ready, says
from tests.reviews import ReviewServer, image_id, review_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = IN_BROWSER

FEW, MANY = 1_000, 100_000
ROUNDS, KEYS = 5, ("k", "b", "ArrowDown", "z", "u", "ArrowUp", "x", "n")
# From the key to the first task after its frame was drawn.
WATCH = """() => {
  window.frames_ms = [];
  addEventListener("keydown", () => {
    const pressed = performance.now();
    requestAnimationFrame(() => {
      const drawn = new MessageChannel();
      drawn.port1.onmessage = () => window.frames_ms.push(performance.now() - pressed);
      drawn.port2.postMessage(0);
    });
  }, true);
}"""


def of_findings(root: Path, n: int) -> Path:
    """A work folder with `n` findings about a dozen photos."""
    work = review_work(root)
    photos = [image_id("belfry", number) for number in range(12)]
    Findings.of(
        {"finding_id": f"f{number}", "kind": "dark", "image_id": photos[number % 12], "score": 0.5, "is_sure": False}
        for number in range(n)
    ).write(work / "findings.parquet")  # fmt: skip
    return work


def opened(browser: "Browser", server: ReviewServer, n: int) -> "Page":
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(server.url)
    ready(page)
    says(page, "#view-count", f"1 of {n:,}")
    page.evaluate(WATCH)
    return page


def frames_ms(page: "Page") -> list[float]:
    """What the keys took since it was last asked."""
    for key in KEYS:
        pressed(page, key)
        page.wait_for_function("n => window.frames_ms.length >= n", arg=1)
        page.wait_for_timeout(20)
    found = page.evaluate("() => window.frames_ms.splice(0)")
    assert len(found) == len(KEYS)
    return [float(one) for one in found]


def test_a_hundred_times_as_many_findings_slow_no_key(
    browser: "Browser", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, many = (of_findings(tmp_path / str(n), n) for n in (FEW, MANY))
    with (
        ReviewServer(few, "--reviewer", "A") as one,
        ReviewServer(many, "--reviewer", "A") as other,
    ):
        pages = opened(browser, one, FEW), opened(browser, other, MANY)
        took: tuple[list[float], list[float]] = [], []
        # In turns, so that whatever else the machine does slows both alike; the first turn warms both.
        for turn in range(1 + ROUNDS):
            for page, times in zip(pages, took, strict=True):
                found = frames_ms(page)
                times.extend(found if turn else ())
        for page in pages:
            page.close()
    medians = [statistics.median(times) for times in took]
    worst = [max(times) for times in took]
    with capsys.disabled():
        sys.stdout.write(
            f"\nkey to frame, median (longest) of {len(took[0])} keys: {medians[0]:.1f} ({worst[0]:.1f}) ms at {FEW:,} findings, "
            f"{medians[1]:.1f} ({worst[1]:.1f}) ms at {MANY:,}: {medians[1] / medians[0]:.2f} ×\n"
        )
    assert medians[1] < 4 * medians[0]
