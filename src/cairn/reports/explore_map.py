"""The map of images as a page's own script draws it: places, landmarks, names, and small pictures on large sheets."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence

import polars as pl
from PIL import Image, ImageOps

from cairn.records.image_map import ImageMap

# A place is kept as a whole number up to this, which is finer than any screen.
FINENESS = 10_000
NONE, UNKNOWN = -1, -2
N_LEGEND = 14
TILE_PX, TILES_A_SIDE, MOST_TILES = 80, 16, 1500

Thumbnail = Callable[[str], bytes | None]


def tiled_ids(image_map: ImageMap) -> list[str]:
    """The images of the map that get a small picture: as many of each landmark in turn, so that no landmark lacks one."""
    rows = image_map.table.with_columns(
        turn=pl.int_range(pl.len()).over(pl.col("landmark_id").fill_null(""))
    )
    return rows.sort("turn", maintain_order=True)["image_id"].head(MOST_TILES).to_list()


def map_data(
    image_map: ImageMap, names: Mapping[str, str], thumbnail: Thumbnail
) -> dict[str, object]:
    """What the script needs of `image_map`, as it goes into the page.

    x, y: whole numbers from -FINENESS to FINENESS. landmark: the place of each image's landmark in `names`, those of most
    images first, or NONE or UNKNOWN. tile: the place of its picture on the sheets, or -1; a sheet holds
    TILES_A_SIDE² of TILE_PX, row by row.
    """
    table = image_map.table
    counts = table.drop_nulls("landmark_id").group_by("landmark_id").len()
    ranked = counts.sort("len", "landmark_id", descending=[True, False])
    place = {landmark_id: i for i, landmark_id in enumerate(ranked["landmark_id"])}
    pictures = {
        image_id: jpeg for image_id in tiled_ids(image_map) if (jpeg := thumbnail(image_id))
    }
    tiles = {image_id: number for number, image_id in enumerate(pictures)}
    return {
        "x": _whole(table["x"]),
        "y": _whole(table["y"]),
        "landmark": [
            place[landmark_id] if landmark_id is not None else NONE if is_labelled else UNKNOWN
            for landmark_id, is_labelled in table.select("landmark_id", "is_labelled").iter_rows()
        ],
        "ids": table["image_id"].to_list(),
        "names": [names.get(landmark_id, landmark_id) for landmark_id in place],
        "counts": ranked["len"].to_list(),
        "nLegend": N_LEGEND,
        "tile": [tiles.get(image_id, -1) for image_id in table["image_id"]],
        "tilePx": TILE_PX,
        "tilesASide": TILES_A_SIDE,
        "sheets": _sheets(list(pictures.values())),
    }  # fmt: skip


def _whole(numbers: pl.Series) -> list[int]:
    whole: list[int] = (numbers.cast(pl.Float64) * FINENESS).round().cast(pl.Int64).to_list()
    return whole


def _sheets(pictures: Sequence[bytes]) -> list[str]:
    """`data:` addresses of JPEGs with a square picture of each, in order; one that cannot be read stays empty."""
    a_sheet = TILES_A_SIDE**2
    return [_sheet(pictures[i : i + a_sheet]) for i in range(0, len(pictures), a_sheet)]


def _sheet(pictures: Sequence[bytes]) -> str:
    n_rows = -(-len(pictures) // TILES_A_SIDE)
    sheet = Image.new("RGB", (TILES_A_SIDE * TILE_PX, n_rows * TILE_PX), (128, 128, 128))
    for number, jpeg in enumerate(pictures):
        row, column = divmod(number, TILES_A_SIDE)
        try:
            with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
                square = ImageOps.fit(
                    image.convert("RGB"), (TILE_PX, TILE_PX), Image.Resampling.LANCZOS
                )
        except (OSError, Image.DecompressionBombError):
            continue
        sheet.paste(square, (column * TILE_PX, row * TILE_PX))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=66, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
