"""The planted set: what is planted is what the truth says, each photo plays one role, nothing else is changed."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cairn.base.errors import InputError
from cairn.base.settings import ScrubBenchSettings
from cairn.base.watching import Silent
from cairn.bench import drawn, edits, roles
from cairn.bench.photo_notes import PhotoNotes, read_photo_notes
from cairn.bench.planted import Planted, photos_in, plant
from cairn.bench.roles import deal_roles, folder_of
from cairn.images.checks import check_pixels
from tests.bench.scenes import scene_folder
from tests.make import pixels

SETTINGS = ScrubBenchSettings(per_kind=2, n_bad=1, n_odd=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene_folder(tmp_path_factory.mktemp("scenes"), n_none=12)


@pytest.fixture(scope="module")
def place(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("planted")
    plant(folder, place, PhotoNotes(), seed=1, settings=SETTINGS, watch=Silent())
    return place


@pytest.fixture
def planted(place: Path) -> Planted:
    return Planted.read(place / "planted.parquet")


def rows(planted: Planted, *kinds: str) -> list[dict[str, object]]:
    return planted.table.filter(pl.col("kind").is_in(kinds)).to_dicts()


def words(row: dict[str, object], name: str) -> list[str]:
    found = row[name]
    assert isinstance(found, list)
    return [str(one) for one in found]


def many(n_landmarks: int = 12, n_photos: int = 12, n_none: int = 30) -> list[str]:
    names = [f"landmark_{i:02}" for i in range(n_landmarks)]
    photos = [f"{name}/{number:02}.jpg" for name in names for number in range(n_photos)]
    return sorted([*photos, *(f"_none/{number:02}.jpg" for number in range(n_none))])


def test_every_kind_is_planted_as_often_as_asked(planted: Planted) -> None:
    wanted = dict.fromkeys(roles.ROLES, 2) | dict.fromkeys((roles.BLURRED, roles.DARK, roles.BLANK, *roles.ODD), 1)  # fmt: skip
    wanted |= {roles.COMPOSITE: 1, roles.COMPOSITE_OF_KEPT: 1}
    assert {kind: planted.count(kind) for kind in roles.ROLES} == wanted


def test_every_planted_photo_lies_there_and_every_other_photo_is_as_it_was(
    folder: Path, place: Path, planted: Planted
) -> None:
    there = set(photos_in(place / "photos"))
    assert set(planted.table["photo"]) <= there
    for photo in there - set(planted.table["photo"]):
        assert (place / "photos" / photo).read_bytes() == (folder / photo).read_bytes()


def test_copies_lie_beside_their_originals_and_an_exact_one_has_its_bytes(
    place: Path, planted: Planted
) -> None:
    for row in rows(planted, *roles.COPIES):
        copy, original = (
            place / "photos" / str(name) for name in (row["photo"], words(row, "roots")[0])
        )
        assert original.is_file()
        assert (copy.read_bytes() == original.read_bytes()) == (row["kind"] == roles.EXACT)


def test_what_was_moved_is_gone_from_where_it_was_and_shows_what_it_showed(
    place: Path, planted: Planted
) -> None:
    for row in rows(planted, roles.WRONG, roles.DISTRACTOR):
        (root,) = words(row, "roots")
        assert not (place / "photos" / root).exists()
        assert folder_of(str(row["photo"])) not in (folder_of(root), roles.NONE_FOLDER)
        assert row["landmark_ids"] == ([] if row["kind"] == roles.DISTRACTOR else [folder_of(root)])


def test_composites_show_two_landmarks_and_only_those_of_kept_photos_leave_them_there(
    place: Path, planted: Planted
) -> None:
    for row in rows(planted, roles.COMPOSITE, roles.COMPOSITE_OF_KEPT):
        shown, made_of = words(row, "landmark_ids"), words(row, "roots")
        assert len(set(shown)) == 2
        there = [(place / "photos" / root).exists() for root in made_of]
        assert there == [row["kind"] == roles.COMPOSITE_OF_KEPT] * 2


def test_the_same_seed_plants_the_same_and_another_one_something_else(
    folder: Path, place: Path, planted: Planted, tmp_path: Path
) -> None:
    for seed, same in ((1, True), (2, False)):
        again = plant(folder, tmp_path, PhotoNotes(), seed=seed, settings=SETTINGS, watch=Silent())
        assert again.table.equals(planted.table) == same
    photo = rows(planted, roles.WATERMARKED)[0]["photo"]
    again = plant(folder, tmp_path, PhotoNotes(), seed=1, settings=SETTINGS, watch=Silent())
    assert (tmp_path / f"photos/{photo}").read_bytes() == (place / f"photos/{photo}").read_bytes()


def test_a_set_that_lies_there_is_used_again(folder: Path, place: Path) -> None:
    before = (place / "planted.parquet").stat().st_mtime_ns
    plant(folder, place, PhotoNotes(), seed=1, settings=SETTINGS, watch=Silent())
    assert (place / "planted.parquet").stat().st_mtime_ns == before


def test_each_photo_plays_one_role_and_few_leave_a_folder() -> None:
    photos = many()
    dealt = deal_roles(
        photos, PhotoNotes(), seed=5, settings=ScrubBenchSettings(per_kind=6, n_bad=2, n_odd=2)
    )
    used = [root for role in dealt if role.kind != roles.BLANK for root in role.roots]
    assert len(used) == len(set(used))
    gone = {roles.WRONG, roles.COMPOSITE, roles.BLURRED, roles.DARK}
    left = Counter(folder_of(root) for role in dealt if role.kind in gone for root in role.roots)
    assert max(left.values()) <= 3
    elsewhere = [role for role in dealt if role.is_elsewhere]
    assert all(role.folder != folder_of(role.roots[0]) for role in elsewhere)
    assert 0 < len(elsewhere) <= 6


def test_noted_photos_play_no_role_and_landmarks_seen_together_are_not_taken_for_wrong() -> None:
    photos = many(n_landmarks=3)
    notes = PhotoNotes(
        {"landmark_00/00.jpg": 0, "landmark_00/01.jpg": 0},
        frozenset({"landmark_01/00.jpg"}),
        frozenset({("landmark_00", "landmark_01"), ("landmark_01", "landmark_00")}),
    )
    dealt = deal_roles(
        photos, notes, seed=0, settings=ScrubBenchSettings(per_kind=2, n_bad=1, n_odd=1)
    )
    used = {root for role in dealt for root in role.roots}
    assert not used & {"landmark_00/00.jpg", "landmark_00/01.jpg", "landmark_01/00.jpg"}
    together = {"landmark_00", "landmark_01"}
    for role in dealt:
        if role.kind == roles.WRONG or role.is_elsewhere:
            assert {folder_of(role.roots[0]), role.folder} != together
        if role.kind in (roles.COMPOSITE, roles.COMPOSITE_OF_KEPT):
            assert set(map(folder_of, role.roots)) != together


@pytest.mark.parametrize("photos", [many(n_none=2), many(n_landmarks=2), many(n_photos=3)])
def test_too_few_photos_are_told(photos: list[str]) -> None:
    with pytest.raises(InputError, match="lower --per-kind"):
        deal_roles(photos, PhotoNotes(), seed=0, settings=ScrubBenchSettings(per_kind=10))


def test_a_folder_without_photos_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no photo in a landmark's folder"):
        photos_in(tmp_path)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("seed", range(5))
def test_a_crop_keeps_the_area_that_it_says(seed: int) -> None:
    whole = Image.fromarray(pixels(1, height=300, width=400))
    made = edits.cropped(whole, np.random.default_rng(seed))
    kept = opened(made.content)
    share = kept.width * kept.height / (300 * 400)
    assert 0.59 <= share <= 0.91
    assert abs(share - made.strength) < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_small_long_and_drawn_ones_are_what_they_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = Image.fromarray(pixels(1, height=300, width=400))
    tiny, cut = opened(drawn.small(whole, rng).content), opened(drawn.strip(whole, rng).content)
    assert min(tiny.size) < 110
    assert max(cut.size) / min(cut.size) > 3.1
    assert max(cut.size) == 400


@pytest.mark.parametrize("seed", range(6))
def test_drawings_are_flat_with_few_colours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = drawn.drawing(Image.fromarray(pixels(seed, height=300, width=400)), rng)
    found = check_pixels(np.asarray(opened(made.content).convert("RGB")))
    assert found.flat_share > 0.4
    assert made.variant in (drawn.TRACED, drawn.PLAN, drawn.SIGN)


def test_a_mirrored_photo_is_the_photo_mirrored() -> None:
    array = pixels(2)
    made = edits.mirrored(Image.fromarray(array), np.random.default_rng(0))
    seen = np.asarray(opened(made.content), np.float32)
    assert np.abs(seen[:, ::-1] - array).mean() < 3


@pytest.mark.parametrize("seed", range(8))
def test_spoilt_photos_have_less_of_what_photos_have(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sharp = Image.fromarray(rng.integers(0, 256, (120, 160, 3), dtype=np.uint8))
    spoilt = {
        name: np.asarray(opened(edit(sharp, rng).content), np.float32)
        for name, edit in (("blurred", edits.blurred), ("dark", edits.dark), ("blank", edits.blank))
    }
    own = np.asarray(sharp, np.float32)
    assert spoilt["blurred"].std() < 0.5 * own.std()
    assert spoilt["dark"].mean() < 0.2 * own.mean()
    assert np.abs(np.diff(spoilt["blank"], axis=1)).mean() < 8


@pytest.mark.parametrize("layout", edits.LAYOUTS)
def test_a_composite_holds_both_photos(layout: str) -> None:
    red, blue = (Image.new("RGB", (160, 120), colour) for colour in ("#c00000", "#0000c0"))
    made = edits.composite(red, blue, layout, np.random.default_rng(1))
    seen = np.asarray(opened(made.content), np.float32)
    blue_share = float((seen[..., 2] > seen[..., 0]).mean())
    assert abs(blue_share - made.strength) < 0.03
    assert 0.1 < blue_share < 0.6


def test_notes_are_understood_by_name_and_stem(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text(
        "photo,landmark_id,note\n"
        "b,one,near copy of a\n"
        "c.jpg,one,near copy of a\n"
        "x,two,also shows one\n"
        "y,three,also shows one\n"
        "gone,one,near copy of a\n"
    )
    photos = ["one/a.jpg", "one/b.jpg", "one/c.jpg", "three/y.jpg", "two/a.jpg", "two/x.jpg"]
    notes = read_photo_notes(tmp_path / "notes.csv", photos)
    assert set(notes.group_of) == {"one/a.jpg", "one/b.jpg", "one/c.jpg"}
    assert notes.are_copies("one/b.jpg", "one/c.jpg")
    assert not notes.are_copies("one/b.jpg", "two/a.jpg")
    assert notes.several == {"two/x.jpg", "three/y.jpg"}
    assert notes.are_related("two", "three")
    assert not notes.are_related("two", "four")


def test_notes_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("name,note\na,b\n")
    with pytest.raises(InputError, match="photo was expected"):
        read_photo_notes(tmp_path / "notes.csv", [])
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_photo_notes(tmp_path / "none.csv", [])
