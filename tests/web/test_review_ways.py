"""Whole ways through the review page in a real browser: by keys alone, to the end of a queue, with a full disk."""

import re
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cairn.base.settings import ReviewSettings
from cairn.pipeline.deciding import apply
from cairn.pipeline.reviewing import open_desk
from cairn.records.findings import TWO_LANDMARKS, Findings
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
    says,
    tells,
    waits_for,
)
from tests.cleaning import finding
from tests.reviews import ReviewServer, image_id

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = IN_BROWSER

MOST_TABS = 80
# Over when all that was under way before has come.
ROUND_TRIP = "fetch('/api/session').then((answer) => answer.text())"
# Where the focus is, and whether it can be seen: by an outline of the element, or of what stands for it.
WHERE_FOCUS_IS = """() => {
  const at = document.activeElement;
  if (at === document.body) return ["body", true, false];
  const shows = [at, at.nextElementSibling, document.querySelector(".tile.is-focused")];
  const seen = shows[at.id === "grid" ? 2 : at.type === "radio" ? 1 : 0];
  const style = getComputedStyle(seen);
  const wasHere = "wasHere" in at.dataset;
  at.dataset.wasHere = "yes";
  const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [at.id || at.dataset.queue || at.dataset.verdict || at.value || at.className, isSeen, wasHere];
}"""


def is_here(page: "Page", selector: str) -> None:
    playwright.expect(page.locator(selector)).to_be_focused(timeout=PATIENCE_MS)


def test_everything_is_reached_by_keys_and_the_focus_is_always_seen(
    visit: Callable[..., "Page"],
) -> None:
    page = visit()
    pressed(page, *"knz")
    waits_for(page, "1 of")
    is_here(page, "#grid")
    reached: dict[str, bool] = {}
    for _ in range(MOST_TABS):
        pressed(page, "Tab")
        name, is_seen, was_here = page.evaluate(WHERE_FOCUS_IS)
        if was_here:
            break
        reached[name] = is_seen and reached.get(name, True)
    assert {name for name, is_seen in reached.items() if not is_seen} == set()
    wanted = {"undo", "redo", "who", "help", "pick-landmark", "select-group", "all", "audit-clear", "grid", "keep", "agree"}  # fmt: skip
    assert wanted <= reached.keys()


def test_dialogs_are_left_by_keys_and_the_page_goes_on_where_it_was(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=wrong+landmark")
    for opening, dialog in (("w", "#chooser"), ("?", "#help-dialog"), ("e", "#large"), ("/", "#chooser")):  # fmt: skip
        pressed(page, opening)
        page.wait_for_selector(f"{dialog}[open]")
        pressed(page, "Escape")
        page.locator(f"{dialog}[open]").wait_for(state="detached")
        is_here(page, "#grid")
    page.locator("[data-queue=blurred]").focus()
    pressed(page, "Enter", "k")
    is_saved(page)
    assert held(work) == ["keep"]
    page.locator("input[value=undecided]").focus()
    pressed(page, "ArrowRight")
    playwright.expect(page.locator(".tile")).to_have_count(1, timeout=PATIENCE_MS)


def test_the_end_of_a_queue_leads_to_the_next_and_undo_comes_back(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=no+landmark")
    pressed(page, *"nnn")
    tells(page, "#empty", "All decided here")
    says(page, "#next-queue", "Next: several landmarks")
    pressed(page, "z")
    playwright.expect(page.locator(".tile")).to_have_count(1, timeout=PATIENCE_MS)
    pressed(page, "k")
    tells(page, "#empty", "All decided here")
    page.locator("#next-queue").focus()
    pressed(page, "Enter")
    says(page, "#view-title", "several landmarks")
    is_saved(page)
    assert held(work) == ["no landmark", "no landmark", "keep"]


def test_what_was_passed_over_comes_again_at_the_end(visit: Callable[..., "Page"]) -> None:
    page = visit(of="#queue=no+landmark")
    pressed(page, "ArrowRight", "n", "n")
    says(page, "#view-count", "1 of 3")
    tells(page, "#toast", "Back at the first one that is left")


def test_verdicts_and_steps_work_while_an_image_is_seen_large(
    visit: Callable[..., "Page"], work: Path
) -> None:
    page = visit(of="#queue=near+copy")
    page.wait_for_selector(".two-photos")
    pressed(page, "e")
    tells(page, "#large-words", "near copy, Old Aqueduct, undecided")
    pressed(page, "c")
    tells(page, "#large-words", "near copy, Belfry of Brünn, undecided")
    pressed(page, "ArrowLeft")
    tells(page, "#large-words", "near copy, Old Aqueduct, copy")
    pressed(page, "Escape")
    is_here(page, "#grid")
    is_saved(page)
    assert held(work) == ["copy"]


def test_the_rate_and_the_time_left_are_told(
    visit: Callable[..., "Page"], work: Path, server: ReviewServer
) -> None:
    desk = open_desk(work, ReviewSettings())
    # The first three are accepted automatically.
    begun = datetime(2026, 1, 1, tzinfo=UTC)
    for number, name in enumerate(desk.rows.finding_ids[3:15]):
        at = begun + timedelta(seconds=10 * number)
        event, _ = desk.decided([name], "keep", None, event_id=f"e{number}", at=at)
        assert event is not None
        desk.record("Anna", [event])
    desk.close()
    page = visit("Anna")
    says(page, "#progress-words", "12 of 15 decided · 6 a minute · about 30 s left")


def test_typical_photos_of_the_landmarks_stand_beside_once_however_late_they_come(
    visit: Callable[..., "Page"],
) -> None:
    page = visit(of="#queue=wrong+landmark")
    tells(page, "#panel", "Old Aqueduct: typical photos")
    waiting: list[Route] = []
    asked = re.compile("typical.landmark_id=citadel")
    page.route(asked, lambda route: waiting.append(route))
    with page.expect_request(asked):
        pressed(page, "End")
    # Away and back before the answer has come: it is drawn anew meanwhile.
    with page.expect_request(asked):
        pressed(page, "ArrowLeft", "ArrowRight")
    page.evaluate(ROUND_TRIP)
    early, late = waiting
    titles = page.locator(".strip-title", has_text="typical photos")
    wanted = ["The Citadel: typical photos", "Old Aqueduct: typical photos"]
    late.continue_()
    playwright.expect(titles).to_have_text(wanted, timeout=PATIENCE_MS)
    with page.expect_response(asked):
        early.continue_()
    page.evaluate(ROUND_TRIP)
    assert titles.all_text_contents() == wanted


def test_what_a_policy_left_out_is_told_with_its_reason(
    visit: Callable[..., "Page"], work: Path
) -> None:
    apply(work, policy="careful")
    page = visit(of="#queue=accepted")
    says(page, ".decided-now", "Left out now (exact copy), policy careful: The same bytes.")
    says(page, ".panel-title", "Old Aqueduct")


def test_a_disk_that_refuses_is_told_until_it_takes_what_waits(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    page = visit()
    pressed(page, "k")
    is_saved(page)
    n_bytes = (work / "verdicts/Anna.jsonl").stat().st_size
    _, most = resource.prlimit(server.process_id, resource.RLIMIT_FSIZE)
    # No file can grow any more: what a full disk does, without filling one.
    resource.prlimit(server.process_id, resource.RLIMIT_FSIZE, (n_bytes, most))
    pressed(page, "n")
    tells(page, "#trouble", "Anna.jsonl could not be written")
    says(page, "#saved", "not saved: 1")
    assert held(work) == ["keep"]
    resource.prlimit(server.process_id, resource.RLIMIT_FSIZE, (most, most))
    is_saved(page)
    page.locator("#trouble").wait_for(state="hidden")
    assert held(work) == ["keep", "no landmark"]


def test_without_findings_the_page_says_so(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    server.kill()
    Findings.of([]).write(work / "findings.parquet")
    server.start()
    page = visit(of="#queue=audit-clear")
    assert page.locator(".tile").count() == 20
    page.evaluate("location.hash = '#queue=all'")
    page.reload()
    tells(page, "#empty", "Nothing of this kind waits for anybody")
    says(page, "#next-queue", "Next: audit of no finding")


def test_other_landmarks_are_named_with_a_finger(visit: Callable[..., "Page"], work: Path) -> None:
    page = visit(of="#queue=several+landmarks", on_phone=True)
    page.tap("text=Name others…")
    page.wait_for_selector("#chooser-list li:nth-child(3)")
    page.tap("#chooser-list li:has-text('Citadel')")
    page.tap("#chooser-list li:has-text('Belfry')")
    page.wait_for_selector(".chips button:nth-child(2)")
    page.tap(".chips button:has-text('Citadel')")
    page.tap("#chooser-list li:has-text('Aqueduct')")
    page.wait_for_selector(".chips button:nth-child(2)")
    page.tap("#chooser-done")
    is_saved(page)
    (verdict,) = read_verdicts(work / "verdicts").by_reviewer["Anna"].values()
    assert verdict.landmark_ids == ("belfry", "aqueduct")


def test_on_a_phone_nothing_is_wider_than_it_and_buttons_are_large_enough(
    visit: Callable[..., "Page"],
) -> None:
    page = visit(on_phone=True)
    for name in ("#undo", "#help", "#select-group", "[data-verdict=keep]", "#agree"):
        assert box_of(page, name)[3] >= 44, name
    page.tap("#open-queues")
    page.wait_for_selector("#queues.is-open")
    assert box_of(page, "[data-queue=blurred]")[3] >= 40
    page.tap("[data-queue=blurred]")
    says(page, "#view-title", "blurred")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE_PX[0]


def test_of_a_photo_under_two_landmarks_the_other_one_is_offered(
    visit: Callable[..., "Page"], server: ReviewServer, work: Path
) -> None:
    server.kill()
    stray, stays = image_id("aqueduct", 3), image_id("citadel", 4)
    Findings.of([
        finding(TWO_LANDMARKS, stray, stays, is_sure=False) | {"reason": "the same photo twice"}
    ]).write(work / "findings.parquet")  # fmt: skip
    server.start()
    page = visit()
    says(page, ".two-photos figure:last-child figcaption", "its copy: The Citadel")
    tells(page, ".reason", "The same photo twice.")
    pressed(page, "a")
    tells(page, "#toast", "Of these say which")
    pressed(page, "w")
    page.wait_for_selector("#chooser-list li:first-child:has-text('The Citadel')")
    pressed(page, "Enter")
    is_saved(page)
    (verdict,) = read_verdicts(work / "verdicts").by_reviewer["Anna"].values()
    assert (verdict.verdict, verdict.landmark_ids) == ("wrong", ("citadel",))


def test_another_queue_begins_at_its_most_doubtful_and_a_reload_stays_where_it_was(
    visit: Callable[..., "Page"],
) -> None:
    page = visit(of="#queue=no+landmark")
    page.click("[data-queue=all]")
    says(page, "#view-count", "1 of 15")
    pressed(page, "End")
    says(page, "#view-count", "15 of 15")
    page.reload()
    says(page, "#view-count", "15 of 15")


def test_enter_takes_what_was_typed_however_fast(visit: Callable[..., "Page"], work: Path) -> None:
    page = visit(of="#queue=wrong+landmark")
    pressed(page, "w")
    page.keyboard.type("brunn")
    page.keyboard.press("Enter")
    waits_for(page, "1 of 3")
    is_saved(page)
    given = read_verdicts(work / "verdicts").by_reviewer["Anna"].values()
    assert [v.landmark_ids for v in given] == [("belfry",)]
