"""The report is one inert file that shows what it was given, whatever the names are and whatever is missing."""

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from cairn.base.settings import EvaluateSettings
from cairn.records.catalog import Catalog
from cairn.records.landmarks import Landmarks
from cairn.records.recognitions import BELOW_THRESHOLD, Candidate, Evidence, Recognition
from cairn.records.split import Split
from cairn.reports import charts, sheets
from cairn.reports.contents import ReportContents
from cairn.reports.html import render_report, write_report
from cairn.stages.evaluate import TRUTH_SCHEMA, evaluate

HOSTILE = "<script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(1)> {{ 7*7 }}"
SHOWN = {
    "t1": ["tower"], "t2": ["tower"], "t3": ["tower"], "g1": ["gate"], "g2": ["gate"], "g3": ["gate"],
    "u1": ["unseen"], "n1": [], "n2": [], "n3": [],
}  # fmt: skip
PARTS = dict.fromkeys(["t1", "t2", "g1", "g2", "n1"], "train") | dict.fromkeys(
    ["t3", "g3", "u1", "n2", "n3"], "test"
)


def jpeg(width_px: int, height_px: int) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width_px, height_px)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


THUMBNAIL = jpeg(320, 200)


def answer(
    image: str, best: str, probability: float, *others: str, evidence: str | None = None
) -> Recognition:
    found = (Evidence(evidence, 0.8),) if evidence else ()
    candidates = [Candidate(best, best, probability, probability, evidence=found)]
    candidates += [Candidate(other, other, 0.0, 0.01) for other in others]
    answers = (best,) if probability > 0.5 else ()
    return Recognition(
        image, answers, tuple(candidates), none_because=None if answers else BELOW_THRESHOLD
    )


ANSWERS = (
    answer("t3", "gate", 0.9, "tower", evidence="g2"),
    answer("g3", "gate", 0.95),
    answer("u1", "tower", 0.6),
    answer("n2", "tower", 0.7),
    answer("n3", "gate", 0.2),
)


def contents(
    answers: tuple[Recognition, ...] = ANSWERS, name: str = "Tower", parts: dict[str, str] = PARTS
) -> ReportContents:  # fmt: skip
    tested = [(image, shown, image) for image, shown in SHOWN.items() if parts[image] == "test"]
    truth = pl.DataFrame(tested, schema=TRUTH_SCHEMA, orient="row")
    rows: list[dict[str, object]] = [
        {
            "list": "folder",
            "row": row,
            "image_id": image,
            "landmark_ids": shown,
            "status": "kept",
            "author": name,
        }
        for row, (image, shown) in enumerate(SHOWN.items())
    ]
    rows.append({"list": "folder", "row": 99, "status": "failed", "cause": "truncated"})
    names = {"tower": name, "gate": "故宫", "unseen": "قلعہ لاہور"}
    return ReportContents(
        dataset=name,
        bundle="models/default",
        scores=evaluate(
            answers, truth, gallery_counts={"tower": 2, "gate": 2}, out_of_fold=None,
            settings=EvaluateSettings(n_bootstrap=20),
        ),
        catalog=Catalog.of(rows),
        split=Split.of({"image_id": image, "part": part, "group": image} for image, part in parts.items()),
        landmarks=Landmarks.of({"landmark_id": i, "name": called} for i, called in names.items()),
        recognitions=answers,
        truth=truth,
        thumbnail=lambda image_id: THUMBNAIL if image_id in SHOWN else None,
        about={"Backbone": name},
        next_command=f"cairn recognize {name}",
    )  # fmt: skip


class Page(HTMLParser):
    """The tags of a page with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.mark.parametrize("name", ["Tower", HOSTILE])
def test_the_page_asks_for_nothing_and_runs_nothing_whatever_the_names(name: str) -> None:
    page = Page(render_report(contents(name=name)))
    names = {tag for tag, _ in page.tags}
    attributes = [(key, value) for _, attrs in page.tags for key, value in attrs.items()]
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form", "use"}
    assert not [key for key, _ in attributes if key.startswith("on")]
    links = [
        value for key, value in attributes if key in {"src", "href", "srcset", "data", "action"}
    ]
    assert all(value.startswith(("data:image/jpeg;base64,", "#")) for value in links)
    assert not re.search(r"url\(|@import|https?:", page.words)
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert policy.startswith("default-src 'none'")


def test_a_hostile_name_is_shown_as_it_is_written() -> None:
    assert HOSTILE in Page(render_report(contents(name=HOSTILE))).words


def test_names_of_any_script_are_text() -> None:
    words = Page(render_report(contents())).words
    assert "故宫" in words
    assert "قلعہ لاہور" in words


def test_every_picture_has_words_in_its_place() -> None:
    tags = Page(render_report(contents())).tags
    pictures = [attrs.get("alt") for tag, attrs in tags if tag == "img"]
    drawings = [attrs.get("aria-label") for tag, attrs in tags if attrs.get("class") == "chart"]
    assert len(pictures) > 10
    assert len(drawings) == 3
    assert all(pictures + drawings)


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [
        int(tag[1])
        for tag, _ in Page(render_report(contents())).tags
        if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_same_contents_make_the_same_file(tmp_path: Path) -> None:
    write_report(tmp_path / "reports" / "report.html", contents())
    assert (tmp_path / "reports" / "report.html").read_text("utf-8") == render_report(contents())


def test_the_numbers_and_the_next_command_are_told() -> None:
    given = contents()
    words = Page(render_report(given)).words
    assert f"{given.scores.gap.value:.3f}" in words
    assert (
        "5 test images: 2 of known landmarks, 1 of unseen ones, 2 that show none (40 %)"
        in words.replace("\xa0", " ")
    )
    assert "1 failed: truncated" in words
    assert "cairn recognize Tower" in words
    assert "all test images" in words


def test_the_surest_mistake_comes_first_beside_its_evidence_and_the_right_landmark() -> None:
    first, *others = sheets.mistakes(contents())
    assert (first.query.image_id, first.probability, first.is_answered) == ("t3", 0.9, True)
    assert first.mistaken
    assert first.right
    assert (first.mistaken.image_id, first.right.image_id) == ("g2", "t1")
    assert [mistake.query.image_id for mistake in others] == ["n2", "u1", "n3"]


def test_a_mistake_without_a_right_photo_says_why() -> None:
    because = {
        m.query.image_id: m.right_because for m in sheets.mistakes(contents()) if m.right is None
    }
    assert because["n2"] == "shows no landmark"
    assert because["u1"] == "unseen: the gallery holds no image of it"


def test_only_refused_distractors_and_right_answers_are_praised() -> None:
    assert [photo.image_id for photo in sheets.refused_distractors(contents())] == ["n3"]
    assert [photo.image_id for photo in sheets.surest_right(contents())] == ["g3"]


@pytest.mark.parametrize("thumbnail", [None, b"", b"\xff\xd8 no photo", THUMBNAIL[:300]])
def test_a_missing_or_broken_thumbnail_leaves_a_labelled_gap(thumbnail: bytes | None) -> None:
    text = render_report(replace(contents(), thumbnail=lambda _image_id: thumbnail))
    assert "<img" not in text
    assert "no thumbnail" in text


def test_photos_are_shrunk_before_they_enter_the_file() -> None:
    assert sheets.data_address(jpeg(1000, 500), side_px=64) == sheets.data_address(
        jpeg(1000, 500), side_px=64
    )
    assert len(sheets.data_address(jpeg(1000, 500), side_px=64) or "") < 4000


def test_authors_of_the_photos_shown_are_named() -> None:
    given = contents(name="A. Author")
    shown = [
        sheets.Photo("t1", None, ""),
        sheets.Photo("t1", None, ""),
        sheets.Photo("n3", None, ""),
    ]
    assert sheets.credits_of(shown, given) == [("t1", "A. Author"), ("n3", "A. Author")]


def test_a_report_of_nothing_asked_says_so() -> None:
    words = Page(render_report(contents((), parts=dict.fromkeys(SHOWN, "train")))).words
    assert "the test part is empty" in words
    assert "0 test images" in words


def test_curves_hold_the_threshold_and_the_wanted_precision() -> None:
    chart = charts.risk_coverage_chart(contents().scores)
    assert chart.points[0].label == "threshold"
    assert chart.lines[0].label == "5\N{NO-BREAK SPACE}% wrong"
    assert [tick.label for tick in chart.x_ticks][-1] == "100\N{NO-BREAK SPACE}%"


@pytest.mark.parametrize("counts", [[1], [5], [3, 1], list(range(90_000, 0, -9))])
def test_the_tail_fits_its_frame_and_stays_small(counts: list[int]) -> None:
    chart = charts.tail_chart(counts)
    heights = [float(y) for y in re.findall(r" ([\d.]+)(?: |$)", chart.path)]
    assert all(charts.TOP <= y <= charts.BOTTOM for y in heights)
    assert all(charts.TOP <= tick.at <= charts.BOTTOM for tick in chart.y_ticks)
    assert len(chart.path) < 20_000
    assert 2 <= len(chart.x_ticks) <= 8


@pytest.mark.parametrize(
    ("share", "words"), [(0.9312, "93.1"), (1.0, "100"), (0, "0"), (0.99999, "100")]
)
def test_shares_read_as_percent(share: float, words: str) -> None:
    assert charts.percent(share) == f"{words}\N{NO-BREAK SPACE}%"
