"""The review page where something comes late, comes twice or is refused, in a real browser."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cairn.records.findings import Findings
from cairn.records.verdicts import read_verdicts
from tests.browsing import (
    IN_BROWSER,
    PATIENCE_MS,
    held,
    is_saved,
    playwright,
    pressed,
    ready,
    says,
    tells,
    waits_for,
)
from tests.reviews import ReviewServer, review_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = IN_BROWSER

DETAILS, NEW_EVENTS = re.compile("api/details"), re.compile("api/events.after")
OPEN = "dialog[open]"
# A browser that keeps nothing and says so by an error, as with cookies forbidden.
NO_STORE = """for (const name of ["localStorage", "sessionStorage"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("forbidden", "SecurityError"); } });
}"""


@contextmanager
def held_back(page: "Page", what: re.Pattern[str]) -> Iterator[list["Route"]]:
    """Answers to these requests wait, the last asked comes first, until the end of the block."""
    waiting: list[Route] = []
    is_over = False

    def asked(route: "Route") -> None:
        if is_over:
            route.continue_()
        else:
            waiting.append(route)

    page.route(what, asked)
    yield waiting
    is_over = True
    for route in reversed(waiting):
        route.continue_()


def shown_large(page: "Page", words: str) -> None:
    tells(page, "#large-words", words)
    playwright.expect(page.locator("#large-photo img.whole")).to_be_visible(timeout=PATIENCE_MS)


def landmarks_given(work: Path) -> list[tuple[str, ...] | None]:
    given = read_verdicts(work / "verdicts").by_reviewer["Anna"].values()
    return [verdict.landmark_ids for verdict in sorted(given, key=lambda verdict: verdict.at)]


def begins_at_the_top(page: "Page") -> None:
    """Shows the wrong landmarks as a page that knows nothing of them yet."""
    page.evaluate("location.hash = '#queue=wrong+landmark'")
    page.reload()
    ready(page)


def test_what_is_suggested_stands_on_top_however_late_it_comes(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit()
    with held_back(page, DETAILS):
        begins_at_the_top(page)
        pressed(page, "w")
        page.wait_for_selector("#chooser[open]")
        # Enter waits with the list.
        pressed(page, "Enter")
        assert page.locator("#chooser-list li").count() == 0
    waits_for(page, "1 of 3")
    is_saved(page)
    assert landmarks_given(work) == [("belfry",)]


def test_several_takes_what_is_suggested_before_it_is_seen(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit()
    with held_back(page, DETAILS):
        page.click("[data-queue='several landmarks']")
        pressed(page, "s")
        waits_for(page, "1 of 3")
    is_saved(page)
    assert landmarks_given(work) == [("aqueduct", "belfry")]


def test_an_image_seen_large_says_that_it_is_loading(visit: Callable[..., "Page"]) -> None:
    page = visit()
    with held_back(page, DETAILS):
        begins_at_the_top(page)
        pressed(page, "e")
        says(page, "#large-photo", "Loading…")
        pressed(page, "ArrowRight")
        says(page, "#large-photo", "Loading…")
    shown_large(page, "wrong landmark, Belfry of Brünn, undecided")


def test_what_was_seen_large_is_large_again_after_a_landmark_was_named(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=wrong+landmark")
    pressed(page, "e")
    shown_large(page, "wrong landmark, Old Aqueduct, undecided")
    pressed(page, "w")
    page.wait_for_selector("#chooser[open]")
    pressed(page, "Enter")
    shown_large(page, "wrong landmark, Belfry of Brünn, undecided")
    pressed(page, "w")
    page.wait_for_selector("#chooser[open]")
    pressed(page, "Escape")
    shown_large(page, "wrong landmark, Belfry of Brünn, undecided")
    is_saved(page)
    assert landmarks_given(work) == [("belfry",)]


def test_escape_leaves_the_search_at_once_whatever_was_typed(visit: Callable[..., "Page"]) -> None:
    page = visit(of="#queue=wrong+landmark")
    pressed(page, "w")
    page.keyboard.type("bel")
    pressed(page, "Escape", "k")
    page.locator("#chooser[open]").wait_for(state="detached")
    waits_for(page, "1 of 3")


def test_the_queues_in_turn_are_those_that_wait_for_somebody(visit: Callable[..., "Page"]) -> None:
    page = visit()
    page.wait_for_selector("[data-queue=accepted]")
    pressed(page, "Q")
    says(page, "#view-title", "audit of no finding")
    pressed(page, "q")
    says(page, "#view-title", "all doubts")


def test_agreeing_about_several_takes_what_is_suggested_for_each(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=wrong+landmark")
    pressed(page, "Control+a", "a")
    says(page, "#toast", "3 images: wrong")
    is_saved(page)
    assert sorted(map(str, landmarks_given(work))) == ["('aqueduct',)"] * 2 + ["('belfry',)"]


def test_the_focus_is_never_lost_when_what_had_it_is_gone(visit: Callable[..., "Page"]) -> None:
    page = visit(of="#queue=no+landmark")
    page.wait_for_selector("#panel button.photo")
    page.focus("#panel button.photo")
    pressed(page, "ArrowRight")
    says(page, "#view-count", "2 of 3")
    assert page.evaluate("document.activeElement !== document.body")
    pressed(page, *"nnn")
    page.focus("#next-queue")
    pressed(page, "Enter")
    says(page, "#view-title", "several landmarks")
    playwright.expect(page.locator("#grid")).to_be_focused(timeout=PATIENCE_MS)


def test_news_that_come_twice_and_the_later_first_count_once(
    visit: Callable[..., "Page"], work: Path
) -> None:
    one = visit("Anna")
    other = one.context.new_page()
    other.goto(one.url)
    ready(other)
    pressed(one, "k")
    is_saved(one)
    with held_back(other, NEW_EVENTS) as waiting:
        with other.expect_request(NEW_EVENTS):
            pressed(other, "ArrowRight", "b")
        with other.expect_request(NEW_EVENTS):
            pressed(other, "n")
        is_saved(other)
        assert len(waiting) == 2
    waits_for(other, "3 of")
    pressed(other, *"zzz")
    waits_for(other, "0 of")
    is_saved(other)
    assert held(work) == []


def test_what_waits_while_scrub_runs_again_is_saved_once(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    page = visit()
    server.kill()
    pressed(page, "k")
    page.wait_for_selector("#saved[data-state=unsaved]")
    findings = Findings.read(work / "findings.parquet").table.to_dicts()
    Findings.of(findings[:-1]).write(work / "findings.parquet")
    server.start()
    # The page begins anew with the new findings.
    page.wait_for_event("load")
    ready(page)
    waits_for(page, "1 of 14")
    is_saved(page)
    journal = (work / "verdicts/Anna.jsonl").read_text(encoding="utf-8")
    assert journal.count('"decide"') == 1


def test_a_browser_that_keeps_nothing_reviews_all_the_same(
    browser: "Browser", tmp_path: Path
) -> None:
    work = review_work(tmp_path / "kept")
    with ReviewServer(work) as server:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(NO_STORE)
        page.goto(server.url)
        page.fill("#name-input", "Anna")
        pressed(page, "Enter")
        ready(page)
        pressed(page, "k", "n", "z")
        waits_for(page, "1 of")
        is_saved(page)
        page.close()
    assert held(work) == ["keep"]
