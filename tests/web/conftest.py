"""What tests of the review page in a real browser are given: the browser, a server, and a way to visit it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reviews import ReviewServer, review_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    # Not of the whole session: while it is open, no other test can begin an event loop.
    from tests.browsing import ARGUMENTS, BROWSER, playwright

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return review_work(tmp_path / "work", n_photos=30)


@pytest.fixture
def server(work: Path) -> Iterator[ReviewServer]:
    with ReviewServer(work, "--audit", "20") as server:
        yield server


@pytest.fixture
def visit(browser: "Browser", server: ReviewServer) -> Iterator[Callable[..., "Page"]]:
    """A call that opens the page for a reviewer in a browser of its own; whatever goes wrong in it fails the test."""
    from tests.browsing import DESKTOP_PX, PATIENCE_MS, PHONE_PX, ready

    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def visited(name: str = "Anna", *, of: str = "", on_phone: bool = False) -> "Page":
        width, height = PHONE_PX if on_phone else DESKTOP_PX
        size: ViewportSize = {"width": width, "height": height}
        context = browser.new_context(viewport=size, has_touch=on_phone, is_mobile=on_phone)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(server.url + of)
        page.fill("#name-input", name)
        page.keyboard.press("Enter")
        ready(page)
        return page

    yield visited
    for context in contexts:
        context.close()
    assert wrong == []
