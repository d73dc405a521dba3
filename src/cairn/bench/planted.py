"""The planted set: a copy of a folder of landmark folders with faults of every kind in it, and the truth of each."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image
from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import digest_json, require_folder, write_bytes, write_json
from cairn.base.settings import ScrubBenchSettings
from cairn.base.watching import Watch
from cairn.bench import drawn, edits, roles
from cairn.bench.edits import Edited
from cairn.bench.photo_notes import PhotoNotes
from cairn.bench.roles import NONE_FOLDER, Role, deal_roles, folder_of
from cairn.images.pixels import Limits, decode
from cairn.records.tables import Schema, read_table, require_schema, write_table
from cairn.version import __version__

PLANTED_SCHEMA: Schema = {
    "photo": pl.String,
    "kind": pl.String,
    "variant": pl.String,
    "strength": pl.Float64,
    "roots": pl.List(pl.String),
    "landmark_ids": pl.List(pl.String),
    "is_elsewhere": pl.Boolean,
}
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
MADE_BY = "cairn bench scrub --folder DIR"
# Their photos are no longer where they were.
_LEAVING = {roles.WRONG, roles.DISTRACTOR, roles.COMPOSITE}
_EDITS = {
    roles.RECOMPRESSED: edits.recompressed,
    roles.RESIZED: edits.resized,
    roles.MIRRORED: edits.mirrored,
    roles.CROPPED: edits.cropped,
    roles.WATERMARKED: edits.watermarked,
    roles.BLURRED: edits.blurred,
    roles.DARK: edits.dark,
    roles.BLANK: edits.blank,
    roles.SMALL: drawn.small,
    roles.STRIP: drawn.strip,
    roles.DRAWING: drawn.drawing,
}
# They take the place of the photo that they were made of.
_IN_PLACE = {roles.BLURRED, roles.DARK, *roles.ODD}


@dataclass(frozen=True)
class Planted:
    """What was planted, one row a photo, sorted by photo.

    photo: its path in the planted folder. variant, strength: how it was made, see edits.py.
    roots: paths in the original folder of what it was made of, main one first; copies and composites of kept photos
    have theirs beside them, at the same path. landmark_ids: what it shows, empty for nothing.
    is_elsewhere: a copy that lies in the folder of a landmark that it does not show.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        require_schema(self.table, PLANTED_SCHEMA, what="the planted set")

    def count(self, kind: str) -> int:
        """The number of planted photos of a kind."""
        return int((self.table["kind"] == kind).sum())

    def write(self, path: Path) -> None:
        """`path` holds the truth as Parquet."""
        write_table(self.table, path)

    @staticmethod
    def read(path: Path) -> "Planted":
        """The truth that `path` holds."""
        return Planted(read_table(path, what="the truth of a planted set", made_by=MADE_BY))


def photos_in(folder: Path) -> list[str]:
    """The photos in landmark folders, by their paths relative to `folder`, sorted.

    Raises InputError where there are none.
    """
    require_folder(folder, what="a folder of landmark folders", then="name one")
    found = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.glob("*/*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise InputError(
            f"{folder} holds no photo in a landmark's folder; files such as eiffel_tower/one.jpg were expected; "
            "name another folder"
        )
    return found


def plant(
    folder: Path, place: Path, notes: PhotoNotes, *, seed: int, settings: ScrubBenchSettings, watch: Watch
) -> Planted:  # fmt: skip
    """The truth of the planted set in `place`: photos in `place/photos`, the truth in `place/planted.parquet`.

    The same photos, seed and settings give the same set; one that lies there already is used again.
    The photos of `folder` stay as they are. Raises InputError where they are too few.
    """
    photos = photos_in(folder)
    told: dict[str, JsonValue] = {
        "version": __version__,
        "seed": seed,
        "settings": settings.model_dump(mode="json", exclude={"seeds"}),
        "photos": digest_json([[photo, (folder / photo).stat().st_size] for photo in photos]),
        "noted": digest_json([*sorted(notes.group_of), *sorted(notes.several)]),
    }
    card, truth = place / "planted.json", place / "planted.parquet"
    if truth.is_file() and card.is_file() and json.loads(card.read_text()) == told:
        return Planted.read(truth)
    dealt = deal_roles(photos, notes, seed=seed, settings=settings)
    shutil.rmtree(place, ignore_errors=True)
    with watch.phase("plant", len(dealt)) as advance:
        _copy_kept(folder, place / "photos", photos, dealt)
        rng = np.random.default_rng([seed, 1])
        rows = []
        for role in dealt:
            rows.append(_plant_one(folder, place / "photos", role, rng))
            advance(1)
    planted = Planted(pl.DataFrame(rows, schema=PLANTED_SCHEMA).sort("photo"))
    planted.write(truth)
    write_json(card, told)
    return planted


def _copy_kept(folder: Path, target: Path, photos: Sequence[str], dealt: Sequence[Role]) -> None:
    gone = {root for role in dealt if role.kind in _LEAVING for root in role.roots}
    for photo in photos:
        if photo not in gone:
            (target / photo).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / photo, target / photo)


def _plant_one(
    folder: Path, target: Path, role: Role, rng: np.random.Generator
) -> dict[str, object]:
    """The row of one planted photo, written into the planted folder."""
    photo, edited = _name(target, role, rng), _made(folder, role, rng)
    write_bytes(target / photo, edited.content)
    return {
        "photo": photo,
        "kind": role.kind,
        "variant": edited.variant,
        "strength": edited.strength,
        "roots": [] if role.kind == roles.BLANK else list(role.roots),
        "landmark_ids": _shown(role),
        "is_elsewhere": role.is_elsewhere,
    }


def _name(target: Path, role: Role, rng: np.random.Generator) -> str:
    """Where a planted photo lies: a name that tells nothing; that of the photo itself where it was spoilt or moved."""
    own = role.roots[0].rsplit("/", 1)[-1]
    if role.kind in _IN_PLACE:
        return role.roots[0]
    if role.kind in (roles.WRONG, roles.DISTRACTOR) and not (target / role.folder / own).exists():
        return f"{role.folder}/{own}"
    suffix = (
        Path(own).suffix if role.kind in (roles.EXACT, roles.WRONG, roles.DISTRACTOR) else ".jpg"
    )
    return f"{role.folder}/{rng.bytes(8).hex()}{suffix}"


def _made(folder: Path, role: Role, rng: np.random.Generator) -> Edited:
    if role.kind in (roles.EXACT, roles.WRONG, roles.DISTRACTOR):
        return Edited((folder / role.roots[0]).read_bytes())
    images = [_opened(folder / root) for root in role.roots]
    if len(images) == 2:
        layout = str(rng.choice(edits.LAYOUTS))
        return edits.composite(images[0], images[1], layout, rng)
    return _EDITS[role.kind](images[0], rng)


def _opened(path: Path) -> Image.Image:
    return Image.fromarray(decode(path.read_bytes(), limits=Limits()).pixels)


def _shown(role: Role) -> list[str]:
    if role.kind == roles.BLANK:
        return []
    return [folder_of(root) for root in role.roots if folder_of(root) != NONE_FOLDER]
