"""The page of an exploration: its numbers, photos and map, and that no name in it can do harm."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from cairn.records.catalog import CATALOG_SCHEMA
from cairn.records.image_map import IMAGE_MAP_SCHEMA, ImageMap
from cairn.records.landmarks import Landmarks
from cairn.records.split import SPLIT_SCHEMA
from cairn.reports.explore import ExploreContents, render_explore_report, write_explore_report
from cairn.reports.explore_map import FINENESS, NONE, TILES_A_SIDE, UNKNOWN, map_data, tiled_ids
from cairn.reports.pages import script
from cairn.stages.explore import explore, images_of
from cairn.stages.explore_sheets import sheet_images
from tests.make import jpeg

HOSTILE = "</script><script>alert(1)</script>\"'><img src=//evil.example/x onerror=alert(1)> {{ 7*7 }} <!--"
SMALL = jpeg(3)
N = 40


def rows(name: str = "tower") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "list": f"/x/{name}", "row": i, "image_id": f"i{i:02}", "source": f"https://{name}/{i}.jpg",
                "landmark_ids": None if i >= 38 else [] if i >= 30 else [name] if i < 20 else ["gate"],
                "status": "kept" if i != 35 else "failed", "cause": None if i != 35 else "not found",
                "path": f"{i}.jpg", "width_px": 400, "height_px": 300, "size_bytes": 10,
                "licence": name, "author": name,
            }
            for i in range(N)
        ],
        schema=CATALOG_SCHEMA,
    )  # fmt: skip


def image_map(name: str = "tower") -> ImageMap:
    table = rows(name).filter(pl.col("status") == "kept")
    places = table.select(
        "image_id",
        pl.col("landmark_ids").list.first().alias("landmark_id"),
        pl.col("landmark_ids").is_not_null().alias("is_labelled"),
        (pl.int_range(pl.len()) / 20 - 1).cast(pl.Float32).alias("x"),
        pl.lit(0.5, pl.Float32).alias("y"),
        pl.col("image_id").shift(-1, fill_value="i00").alias("nearest_id"),
    )
    return ImageMap(places.select(list(IMAGE_MAP_SCHEMA)), name, len(places))


def contents(
    name: str = "tower", *, is_split: bool = True, has_map: bool = True
) -> ExploreContents:
    table = rows(name)
    parts = ("train", "train", "val", "test")
    split = pl.DataFrame(
        [{"image_id": f"i{i:02}", "part": parts[i % 4], "group": f"i{i:02}"} for i in range(36)],
        schema=SPLIT_SCHEMA,
    )
    dealt = split.lazy() if is_split else None
    landmarks = Landmarks.of(
        [
            {"landmark_id": name, "name": name, "country": name},
            {"landmark_id": "gate", "name": "故宫"},
        ]
    )
    return ExploreContents(
        dataset=name,
        exploration=explore(table.lazy(), landmarks=landmarks, split=dealt),
        sheet_images=sheet_images(images_of(table.lazy(), dealt), [name, "gate"], n=4, with_none=True),
        thumbnail=lambda image_id: SMALL if image_id != "i00" else None,
        image_map=image_map(name) if has_map else None,
        map_command="cairn explore w --map",
        facts={"Cairn": name},
        next_command="cairn scrub w",
    )  # fmt: skip


class Page(HTMLParser):
    """The tags of a page with their attributes, its words, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data
        else:
            self.words += data


@pytest.mark.parametrize("name", ["tower", HOSTILE])
def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(name: str) -> None:
    page = Page(render_explore_report(contents(name)))
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == 2
    assert not set(names) & {"link", "iframe", "object", "embed", "base", "form", "use"}
    attributes = [(key, value) for _, attrs in page.tags for key, value in attrs.items()]
    assert not [key for key, _ in attributes if key.startswith("on")]
    links = [value for key, value in attributes if key in {"src", "href", "srcset", "action"}]
    assert all(link.startswith(("data:image/jpeg;base64,", "#")) for link in links)
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def test_hostile_names_stay_words_also_on_the_map() -> None:
    page = Page(render_explore_report(contents(HOSTILE)))
    assert HOSTILE in page.words
    data = json.loads(page.scripts[0])
    assert HOSTILE in data["names"]
    assert "<" not in page.scripts[0]


def test_the_script_is_the_file_and_its_digest_is_in_the_policy() -> None:
    found = script("explore.js")
    assert "</script" not in found.text
    assert found.allowed.startswith("'sha256-")


def test_the_numbers_are_told_and_add_up() -> None:
    text = render_explore_report(contents())
    words = Page(text).words
    assert "40 rows of 1 list hold 39 images of 2 landmarks. The largest is tower, with 20 images." in words  # fmt: skip
    assert "30 distractors" not in words
    assert re.findall(r'<p class="value">([\d,]+)</p>', text) == ["39", "2", "7", "2"]
    assert "1 failed" not in words
    assert "not found" in words
    assert "4 not dealt yet" in words
    assert "cairn scrub w" in words


def test_every_landmark_leads_to_its_sheet() -> None:
    tags = Page(render_explore_report(contents())).tags
    places = {attrs["id"] for _, attrs in tags if "id" in attrs}
    links = {attrs["href"][1:] for tag, attrs in tags if tag == "a"}
    assert {"sheet-1", "sheet-2"} <= links
    assert links <= places


def test_headings_go_down_one_level_at_a_time() -> None:
    tags = Page(render_explore_report(contents())).tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_a_picture_that_is_not_there_leaves_a_labelled_gap() -> None:
    tags = Page(render_explore_report(contents())).tags
    assert [attrs["aria-label"] for _, attrs in tags if attrs.get("class") == "missing"] == [
        "image of tower: no thumbnail"
    ]
    assert all(attrs["alt"] for tag, attrs in tags if tag == "img")


def test_without_descriptors_the_page_says_which_command_makes_a_map() -> None:
    page = Page(render_explore_report(contents(has_map=False)))
    assert "cairn explore w --map" in page.words
    assert "canvas" not in [tag for tag, _ in page.tags]
    assert not page.scripts


def test_before_a_split_the_page_has_no_parts() -> None:
    words = Page(render_explore_report(contents(is_split=False))).words
    assert "There is none yet" in words
    assert "in no part" not in words


def test_a_page_of_nothing_says_so() -> None:
    empty = pl.DataFrame(schema=CATALOG_SCHEMA).lazy()
    images = sheet_images(images_of(empty, None), [], n=4, with_none=True)
    nothing = ExploreContents(
        "nothing", explore(empty, landmarks=None, split=None), images, lambda _: None, None,
        "cairn explore w --map", {}, "cairn scrub w",
    )  # fmt: skip
    words = Page(render_explore_report(nothing)).words
    assert "No image shows a landmark yet" in words
    assert "0 rows" in words


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    write_explore_report(tmp_path / "r/report.html", contents())
    assert (tmp_path / "r/report.html").read_text() == render_explore_report(contents())


def test_the_map_holds_places_landmarks_and_pictures_in_one_order() -> None:
    given = image_map()
    data = map_data(
        given, {"tower": "Tower"}, lambda image_id: SMALL if image_id != "i03" else None
    )
    assert data["names"] == ["Tower", "gate"]
    assert data["counts"] == [20, 10]
    x, landmarks, tiles = data["x"], data["landmark"], data["tile"]
    assert isinstance(x, list)
    assert isinstance(landmarks, list)
    assert isinstance(tiles, list)
    assert x[:2] == [-FINENESS, round(-0.95 * FINENESS)]
    assert [landmarks[0], landmarks[25], landmarks[31], landmarks[-1]] == [0, 1, NONE, UNKNOWN]
    assert tiles[3] == -1
    assert sorted(tile for tile in tiles if tile >= 0) == list(range(38))
    assert len(str(data["sheets"])) > 1000
    assert TILES_A_SIDE**2 > 38


def test_each_landmark_gets_a_picture_before_any_gets_two() -> None:
    ids = tiled_ids(image_map())
    assert ids[:3] == ["i00", "i20", "i30"]
    assert len(set(ids)) == len(ids) == 39


def test_the_nearest_images_that_show_the_same_are_counted() -> None:
    # Of 37 labelled ones, those at the ends of tower, gate and none are followed by another kind; i37 by an unlabelled one.
    assert image_map().nearest_same == pytest.approx(34 / 36)
    assert ImageMap(pl.DataFrame(schema=IMAGE_MAP_SCHEMA), "way", 0).nearest_same is None
