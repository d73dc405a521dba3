"""The review page as persons meet it: in a real browser, by keys, mouse and finger, with a server that is killed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cairn.records.findings import Findings
from cairn.records.verdicts import read_verdicts
from tests.browsing import (
    IN_BROWSER,
    PATIENCE_MS,
    PHONE_PX,
    box_of,
    held,
    is_saved,
    playwright,
    pressed,
    ready,
    says,
    tells,
    waits_for,
)
from tests.reviews import ReviewServer, image_id, review_work

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = IN_BROWSER


def test_every_verdict_has_its_key(visit: Callable[..., "Page"], work: Path) -> None:
    page = visit()
    pressed(page, "k", "n", "c", "b", "u")
    waits_for(page, "5 of 15")
    is_saved(page)
    assert held(work) == ["keep", "no landmark", "copy", "bad", "unsure"]


def test_the_right_landmark_is_searched_by_name(visit: Callable[..., "Page"], work: Path) -> None:
    page = visit(of="#queue=wrong+landmark")
    pressed(page, "w")
    page.keyboard.type("brunn")
    # Nobody waits for the list: keys count for what comes after it.
    pressed(page, "Enter", "w")
    page.wait_for_selector("#chooser-list li:first-child:has-text('Aqueduct')")
    pressed(page, "Enter")
    waits_for(page, "2 of 3")
    is_saved(page)
    given = [v.landmark_ids for v in read_verdicts(work / "verdicts").by_reviewer["Anna"].values()]
    assert sorted(map(str, given)) == ["('aqueduct',)", "('belfry',)"]


def test_several_takes_what_is_suggested_and_shows_the_regions(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=several+landmarks")
    page.wait_for_selector(".region >> nth=1")
    pressed(page, "s")
    is_saved(page)
    (verdict,) = read_verdicts(work / "verdicts").by_reviewer["Anna"].values()
    assert verdict.landmark_ids == ("aqueduct", "belfry")


def test_shift_and_arrows_select_and_one_key_decides_about_all(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit()
    pressed(page, "Shift+ArrowRight", "Shift+ArrowRight", "b")
    waits_for(page, "3 of 15")
    is_saved(page)
    assert held(work) == ["bad"] * 3
    assert page.locator(".tile.is-decided").count() == 3
    assert page.locator(".tile.is-focused.is-decided").count() == 0


def test_a_frame_drawn_with_the_mouse_selects_what_it_touches(
    visit: Callable[..., "Page"],
) -> None:
    page = visit()
    left, top, _, _ = box_of(page, "#tile-0")
    right, _, _, _ = box_of(page, "#tile-2")
    page.mouse.move(left + 20, top + 20)
    page.mouse.down()
    page.mouse.move(right + 60, top + 40, steps=5)
    page.mouse.up()
    says(page, "#selection-count", "3 selected")
    pressed(page, "Escape")
    page.locator(".tile.is-selected").first.wait_for(state="detached")


def test_one_key_selects_the_whole_group(visit: Callable[..., "Page"], work: Path) -> None:
    page = visit(of="#queue=no+landmark")
    pressed(page, "g", "k")
    is_saved(page)
    assert held(work) == ["keep"]
    pressed(page, "Control+a", "b")
    is_saved(page)
    assert held(work) == ["bad"] * 3


def test_undo_and_redo_go_back_and_forth_without_end(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit()
    pressed(page, *"knbcu")
    waits_for(page, "5 of")
    pressed(page, *"zzzzz")
    waits_for(page, "0 of")
    pressed(page, *"yyy")
    waits_for(page, "3 of")
    is_saved(page)
    assert held(work) == ["keep", "no landmark", "bad"]


def test_undo_goes_on_after_a_reload_in_the_middle(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit()
    pressed(page, *"knb")
    is_saved(page)
    page.reload()
    ready(page)
    waits_for(page, "3 of")
    pressed(page, *"zz")
    waits_for(page, "1 of")
    is_saved(page)
    page.reload()
    ready(page)
    pressed(page, "y")
    waits_for(page, "2 of")
    is_saved(page)
    assert held(work) == ["keep", "no landmark"]


def test_the_page_goes_on_while_the_server_is_dead_and_saves_when_it_is_back(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    page = visit()
    pressed(page, "k")
    is_saved(page)
    server.kill()
    pressed(page, "n", "b", "z", "c")
    waits_for(page, "3 of")
    page.wait_for_selector("#saved[data-state=unsaved]")
    tells(page, "#saved", "not saved")
    server.start()
    is_saved(page)
    assert held(work) == ["keep", "no landmark", "copy"]


def test_what_was_not_saved_outlives_closing_the_page(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    page = visit()
    server.kill()
    pressed(page, "k", "n")
    page.wait_for_selector("#saved[data-state=unsaved]")
    context = page.context
    page.close()
    server.start()
    again = context.new_page()
    again.goto(server.url)
    ready(again)
    waits_for(again, "2 of")
    is_saved(again)
    assert held(work) == ["keep", "no landmark"]


def test_two_reviewers_have_journals_of_their_own_and_see_where_they_differ(
    visit: Callable[..., "Page"], work: Path
) -> None:
    anna, ben = visit("Anna"), visit("Ben")
    pressed(anna, "k", "k")
    pressed(ben, "k")
    is_saved(anna)
    is_saved(ben)
    assert ben.locator(".opinions").count() == 0
    pressed(ben, "b")
    is_saved(ben)
    pressed(ben, "ArrowLeft")
    ben.wait_for_selector(".opinions li:has-text('Anna keep')")
    assert (held(work, "Anna"), held(work, "Ben")) == (["keep", "keep"], ["keep", "bad"])
    ben.reload()
    ready(ben)
    ben.wait_for_selector("[data-queue=disputed]:has-text('1')")
    tells(ben, "#reviewers", "50 % alike")


def test_two_windows_of_one_reviewer_learn_from_each_other(
    visit: Callable[..., "Page"], work: Path
) -> None:
    one = visit("Anna")
    other = one.context.new_page()
    other.goto(one.url)
    ready(other)
    pressed(one, "k")
    is_saved(one)
    pressed(other, "ArrowRight", "b")
    is_saved(other)
    waits_for(other, "2 of")
    pressed(other, "z", "z")
    is_saved(other)
    assert held(work) == []


def test_the_audit_tells_an_error_rate_with_its_interval(
    visit: Callable[..., "Page"],
) -> None:
    page = visit(of="#queue=audit-clear")
    pressed(page, *"kkkb")
    page.wait_for_selector("#audits .value:has-text('25 %')")
    tells(page, "#audits", "4.6 % to 70 %")


def test_filters_stay_in_the_address(visit: Callable[..., "Page"]) -> None:
    page = visit()
    pressed(page, "/")
    page.keyboard.type("citadel")
    page.wait_for_selector("#chooser-list li:first-child:has-text('Citadel')")
    pressed(page, "Enter")
    page.wait_for_selector("#view-title:has-text('The Citadel')")
    assert page.locator(".tile").count() == 5
    pressed(page, "k")
    page.check("input[value=decided]", force=True)
    page.reload()
    ready(page)
    assert page.locator(".tile").count() == 1


def test_a_finger_taps_holds_and_decides_on_a_phone(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(on_phone=True)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_PX[0]
    page.tap("[data-verdict=keep]")
    waits_for(page, "1 of")
    left, top, width, _ = box_of(page, "#tile-1")
    fingers = page.context.new_cdp_session(page)

    def touch(what: str, *points: tuple[float, float]) -> None:
        told = [{"x": x, "y": y} for x, y in points]
        fingers.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": told})

    touch("touchStart", (left + 30, top + 30))
    says(page, "#selection-count", "1 selected")
    touch("touchMove", (left + 30 + width, top + 30))
    touch("touchEnd")
    says(page, "#selection-count", "2 selected")
    page.tap("#tile-3")
    says(page, "#selection-count", "3 selected")
    page.tap("[data-verdict=bad]")
    is_saved(page)
    assert held(work) == ["keep", "bad", "bad", "bad"]
    for verdict in ("keep", "wrong", "unsure"):
        assert box_of(page, f"[data-verdict={verdict}]")[3] >= 44


def test_a_screen_reader_hears_what_is_where_and_what_was_done(
    visit: Callable[..., "Page"],
) -> None:
    page = visit()
    grid = page.get_by_role("listbox", name="Images to decide about")
    active = page.locator(f"#{grid.get_attribute('aria-activedescendant')}")
    label = "near copy, Old Aqueduct, undecided"
    playwright.expect(active).to_have_attribute("aria-label", label, timeout=PATIENCE_MS)
    assert active.get_attribute("aria-setsize") == "15"
    playwright.expect(page.locator("[data-queue=all]")).to_have_attribute("aria-current", "true")
    pressed(page, "n")
    tells(page, "[role=log]", "no landmark")
    assert page.get_by_role("toolbar", name="Verdicts").get_by_role("button").count() == 8


def test_the_keys_are_told_and_the_page_asks_for_nothing_from_outside(
    visit: Callable[..., "Page"], server: ReviewServer
) -> None:
    page = visit()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    ready(page)
    pressed(page, "?")
    page.wait_for_selector("#help-dialog[open]")
    tells(page, "#help-keys", "Shift+S")
    assert asked
    assert all(url.startswith(server.url) for url in asked)


def test_a_hundred_thousand_findings_need_a_few_tiles(browser: "Browser", tmp_path: Path) -> None:
    work = review_work(tmp_path / "work")
    photos = [image_id("belfry", number) for number in range(12)]
    Findings.of(
        {"finding_id": f"f{number}", "kind": "dark", "image_id": photos[number % 12], "score": 0.5, "is_sure": False}
        for number in range(100_000)
    ).write(work / "findings.parquet")  # fmt: skip
    with ReviewServer(work, "--reviewer", "Anna") as server:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(server.url)
        ready(page)
        pressed(page, "End")
        says(page, "#view-count", "100,000 of 100,000")
        page.wait_for_selector("#tile-99999 img[src]")
        assert page.locator(".tile").count() < 150
        pressed(page, "Control+a", "b")
        waits_for(page, "100,000 of 100,000")
        is_saved(page)
        page.close()
    assert held(work) == ["bad"] * 100_000
