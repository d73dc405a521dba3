"""The page of a training in a real browser, from the disk: it fits a phone and a desk, and nothing goes wrong in it."""

from pathlib import Path

import pytest

from cairn.base.settings.recipes import ALL_EPOCHS
from cairn.reports.training import write_training_page
from cairn.reports.training_words import RUNNING
from tests.browsing import ARGUMENTS, BROWSER, DESKTOP_PX, IN_BROWSER, PHONE_PX, playwright
from tests.reports.test_training import contents

pytestmark = IN_BROWSER
# An error with a path that no window is wide enough for.
TORN = f"/{'work' * 40}/last.safetensors could not be written"
# The widest thing that goes over the right edge of the window, and is not cut off or scrolled inside of another.
SPILLS = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 0.5)
    .filter((one) => {
        for (let around = one.parentElement; around; around = around.parentElement)
            if (getComputedStyle(around).overflowX !== "visible") return false;
        return true;
    })
    .map((one) => one.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("because", [ALL_EPOCHS, RUNNING, TORN])
@pytest.mark.parametrize("size_px", [PHONE_PX, DESKTOP_PX])
def test_nothing_is_wider_than_the_window_and_nothing_goes_wrong(
    tmp_path: Path, size_px: tuple[int, int], because: str
) -> None:
    path = tmp_path / "training.html"
    wrong: list[str] = []
    told = contents(
        because=because, next_command="cairn train " + "work/" * 40, next_says="and more"
    )
    write_training_page(path, told)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": size_px[0], "height": size_px[1]})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)  # fmt: skip
        page.on("requestfailed", lambda request: wrong.append(request.url))
        page.goto(path.as_uri())
        page.eval_on_selector_all("details", "all => all.forEach((one) => { one.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == size_px[0]
        assert page.evaluate(SPILLS) == []
        # It has been drawn, and not an empty window.
        assert page.locator("#curves svg").count() >= 3
        assert page.locator("#seen img").count() == 8
        browser.close()
    assert wrong == []
