"""The report of an exploration: what a catalog holds, to be looked at, as one HTML file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from cairn.base.checks import counted
from cairn.base.files import write_text
from cairn.records.exploration import Exploration, Named
from cairn.records.image_map import ImageMap
from cairn.records.tally import NO_HOST
from cairn.reports.charts import column_chart, percent, tail_chart
from cairn.reports.downloads import MOST_HOSTS, end_rows, host_rows
from cairn.reports.explore_map import map_data
from cairn.reports.explore_rows import (
    has_rest,
    landmark_bars,
    list_name,
    part_rows,
    shape_rows,
    share_rows,
    size_rows,
)
from cairn.reports.pages import render, script
from cairn.reports.sheets import TILE_PX, Photo, Sheet, data_address


@dataclass(frozen=True)
class ExploreContents:
    """What the report tells.

    sheet_images: as `stages.explore_sheets` gives them. thumbnail: a JPEG of an image_id, or None where there is none.
    image_map: None where there is none, and `map_command` then makes one. facts: how it was made, name and value.
    """

    dataset: str
    exploration: Exploration
    sheet_images: pl.DataFrame
    thumbnail: Callable[[str], bytes | None]
    image_map: ImageMap | None
    map_command: str
    facts: Mapping[str, str]
    next_command: str


def write_explore_report(path: Path, contents: ExploreContents) -> None:
    """`path` holds the report; it asks for nothing from outside, and its policy lets no script but its own run."""
    write_text(path, render_explore_report(contents))


def render_explore_report(contents: ExploreContents) -> str:
    """The report as the text of one HTML file."""
    counts = contents.exploration.counts
    sheets = _sheets(contents)
    values = {
        "contents": contents,
        "counts": counts,
        "totals": counts.totals,
        "lead": _lead(contents.exploration),
        "tail_words": _tail_words(contents.exploration),
        "bars": landmark_bars(counts),
        "with_rest": has_rest(counts),
        "sizes": size_rows(counts),
        "lists": [(list_name(entry.name), entry) for entry in counts.lists],
        "links": [_anchor(landmark.landmark_id, sheets) for landmark in counts.largest],
        "sheets": sheets,
        "credits": _credits(contents.sheet_images),
        "parts": part_rows(counts),
        "ends": end_rows(counts.rows),
        "hosts": host_rows(counts.rows),
        "n_hosts": sum(host.host != NO_HOST for host in counts.rows.hosts),
        "most_hosts": MOST_HOSTS,
        "shapes": shape_rows(counts),
        "licences": share_rows(counts.licences, counts.totals.n_images),
        "countries": share_rows(
            [Named(name=c.name, n_images=c.n_images) for c in counts.countries],
            counts.totals.n_labelled,
            [counted(c.n_landmarks, "landmark") for c in counts.countries],
        ),
        "script": script("explore.js"),
    }
    return render("explore.html.j2", values | _charts(contents.exploration) | _map(contents))


def _charts(exploration: Exploration) -> dict[str, object]:
    counts, landmarks = exploration.counts, exploration.landmarks
    mains = landmarks.filter(pl.col("n_images") > 0)["n_images"].to_list()
    sides = [
        (f"{side.largest:,}" if side.largest else f"{side.smallest:,}+", side.n_images)
        for side in counts.sides
    ]
    return {
        "tail": tail_chart(mains, counts.sizes) if mains else None,
        "sides": column_chart(sides, x_title="longest side, up to px", y_title="images")
        if sides
        else None,
    }


def _map(contents: ExploreContents) -> dict[str, object]:
    image_map, totals = contents.image_map, contents.exploration.counts.totals
    if image_map is None:
        return {"map": None, "map_words": ""}
    names = dict(contents.exploration.landmarks.select("landmark_id", "name").iter_rows())
    n_shown, n_described = len(image_map.table), image_map.n_described
    said = counted(n_shown, "image")
    if n_shown < n_described:
        said += f", drawn by lot from {n_described:,}"
    if n_described < totals.n_images:
        said += f" ({totals.n_images - n_described:,} others have no descriptor)"
    if image_map.nearest_same is not None:
        said += f"; for {percent(image_map.nearest_same)} of the labelled ones the image most like them shows the same"
    return {"map": map_data(image_map, names, contents.thumbnail), "map_words": said}


def _lead(exploration: Exploration) -> str:
    """What the catalog comes to, in a sentence or two."""
    totals = exploration.counts.totals
    said = [
        f"{counted(totals.n_rows, 'row')} of {counted(len(exploration.counts.lists), 'list')} hold "
        f"{counted(totals.n_images, 'image')} of {counted(totals.n_landmarks, 'landmark')}."
    ]
    if exploration.counts.largest and totals.n_landmarks > 1:
        first = exploration.counts.largest[0]
        said.append(f"The largest is {first.name}, with {counted(first.n_images, 'image')}.")
    return " ".join(said)


def _tail_words(exploration: Exploration) -> str:
    """How uneven the landmarks are, in a sentence or two; empty where there are too few to say so."""
    mains = exploration.landmarks.filter(pl.col("n_images") > 0)["n_images"]
    if len(mains) < 4:
        return ""
    total = int(mains.sum())
    n_half = int((mains.cum_sum() < total / 2).sum()) + 1
    n_tenth = max(1, round(len(mains) / 10))
    middle = mains.sort()[len(mains) // 2]
    return (
        f"Half of all these images lie in the {counted(n_half, 'largest landmark')}; the largest tenth of the landmarks has "
        f"{percent(int(mains.head(n_tenth).sum()) / total)} of the images. A landmark in the middle of the order has "
        f"{counted(int(middle), 'image')}."
    )


def _sheets(contents: ExploreContents) -> list[tuple[str, Sheet]]:
    """The sheets with the landmark of each, in the order of their images; the empty id is of no landmark."""
    landmarks = {row["landmark_id"]: row for row in contents.exploration.landmarks.iter_rows(named=True)}  # fmt: skip
    found = []
    for (landmark_id,), images in contents.sheet_images.partition_by("landmark", as_dict=True, maintain_order=True).items():  # fmt: skip
        row = landmarks.get(str(landmark_id))
        title = row["name"] if row else "No landmark"
        photos = [
            Photo(image_id, data_address(jpeg, side_px=TILE_PX) if jpeg else None, alt=f"image of {title}")
            for image_id in images["image_id"]
            for jpeg in [contents.thumbnail(image_id)]
        ]  # fmt: skip
        n = row["n_images"] if row else contents.exploration.counts.totals.n_distractors
        note = ", ".join(filter(None, [counted(n, "image"), row["country"] if row else ""]))
        found.append((str(landmark_id), Sheet(title, note, tuple(photos))))
    return found


def _anchor(landmark_id: str, sheets: Sequence[tuple[str, Sheet]]) -> str:
    """The name of the place in the page where the landmark's sheet is; of all sheets, where it has none."""
    places = [place for place, (found, _) in enumerate(sheets) if found == landmark_id]
    return f"sheet-{places[0] + 1}" if places else "sheets"


def _credits(images: pl.DataFrame) -> list[tuple[str, str]]:
    credited = images.filter(pl.col("credit") != "").unique("image_id", maintain_order=True)
    return credited.select("image_id", "credit").rows()
