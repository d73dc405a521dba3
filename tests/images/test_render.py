import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cairn.base.errors import InputError
from cairn.images.render import (
    Landmark,
    SampleSettings,
    invent_landmarks,
    render_distractor,
    render_scene,
    write_sample,
)
from cairn.images.render.buildings import KINDS
from cairn.images.render.landmarks import build, world_rng
from cairn.images.render.layouts import LAYOUTS
from cairn.images.render.raster import back_to_front
from cairn.images.render.shapes import flat_face, prism
from cairn.images.render.textures import COMMON, make_atlas
from cairn.images.render.wardrobe import dress

SMALL = SampleSettings(
    n_landmarks=3, n_distractors=2, n_pairs=1, n_copies=1, shortest_px=48, longest_px=64
)


def first_landmark() -> Landmark:
    return invent_landmarks(1, world="test")[0]


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_pixels_and_another_seed_gives_others() -> None:
    landmark = first_landmark()
    scenes = [render_scene([landmark], seed=seed, size=(64, 48)) for seed in (1, 1, 2)]
    assert np.array_equal(scenes[0], scenes[1])
    assert not np.array_equal(scenes[0], scenes[2])


@pytest.mark.parametrize("size", [(64, 48), (45, 61), (1, 1)])
def test_a_photo_has_the_size_asked_for(size: tuple[int, int]) -> None:
    photo = render_scene([first_landmark()], seed=0, size=size)
    assert photo.shape == (size[1], size[0], 3)
    assert photo.dtype == np.uint8


def test_two_landmarks_stand_in_one_scene_and_three_do_not() -> None:
    landmarks = invent_landmarks(3, world="test")
    assert render_scene(landmarks[:2], seed=0, size=(64, 48)).shape == (48, 64, 3)
    with pytest.raises(InputError, match="3 landmarks; expected 1 or 2"):
        render_scene(landmarks, seed=0, size=(64, 48))


def test_every_kind_of_landmark_can_be_built_and_every_face_is_flat_and_has_area() -> None:
    wear = dress(world_rng("test", 98))
    for _, make in KINDS.values():
        for number in range(2):
            rng = world_rng("test", 99, number)
            for solid in make(rng, wear).solids:
                for face in solid.faces:
                    assert np.linalg.matrix_rank(face.corners - face.corners[0], tol=1e-3) == 2


@pytest.mark.parametrize("kind", list(LAYOUTS))
def test_every_kind_of_distractor_is_drawn(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = LAYOUTS[kind]
    monkeypatch.setattr("cairn.images.render.scene.LAYOUTS", {kind: layout})
    photo = render_distractor(world="test", seed=3, size=(64, 48))
    assert photo.shape == (48, 64, 3)
    assert photo.std() > 4


@pytest.mark.slow
def test_worlds_share_no_id_no_random_number_and_no_geometry() -> None:
    shapes, names, draws = [], [], []
    for world in ("demo", "training", "test"):
        landmarks = invent_landmarks(12, world=world)
        buildings = [build(landmark) for landmark in landmarks]
        shapes.append({(round(one.radius, 9), round(one.height, 9)) for one in buildings})
        names.append({landmark.landmark_id for landmark in landmarks})
        draws.append({float(world_rng(world, 12, n).random()) for n in range(200)})
    for found in (shapes, names, draws):
        assert len(set.union(*found)) == sum(len(part) for part in found)


def test_a_longer_list_of_landmarks_begins_with_the_shorter_one() -> None:
    assert invent_landmarks(30, world="demo")[:5] == invent_landmarks(5, world="demo")


def test_landmark_ids_are_safe_names_and_all_different() -> None:
    ids = [landmark.landmark_id for landmark in invent_landmarks(300, world="demo")]
    assert len(set(ids)) == 300
    assert all(name.replace("_", "").isalnum() and name == name.lower() for name in ids)


def test_an_unknown_world_is_an_error() -> None:
    with pytest.raises(InputError, match="no world 'mars'; expected one of demo"):
        invent_landmarks(1, world="mars")


def test_boxes_are_painted_from_back_to_front() -> None:
    lows = np.array([[0, 0, 0], [0, 2, 0], [0, 0, 2]], dtype=float)
    order = back_to_front(lows, lows + 1, np.array([0.5, -9.0, 0.5]))
    assert order.index(1) < order.index(0)
    assert order.index(2) < order.index(0) or order.index(0) < order.index(2)


def test_the_faces_of_a_prism_look_outwards() -> None:
    look = dress(np.random.default_rng(0)).walls
    middle = np.array([3.0, 4.0, 6.0])
    for face in prism((3, 4, 5), (1, 2), 2, look):
        a, b, c = face.corners[:3]
        assert np.cross(b - a, c - b) @ (face.corners.mean(axis=0) - middle) > 0


def test_a_polygon_without_area_is_no_face() -> None:
    look = dress(np.random.default_rng(0)).walls
    assert flat_face(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], dtype=float), look) is None


def test_an_atlas_holds_each_tile_in_four_sizes() -> None:
    tile = COMMON["grass"](np.random.default_rng(0))
    atlas = make_atlas([tile, tile]).view(np.uint8).reshape(2, -1, 4)
    assert atlas.shape[1] == 128**2 + 64**2 + 32**2 + 16**2
    assert np.array_equal(atlas[1, : 128**2].reshape(128, 128, 4), tile)
    assert abs(int(atlas[0, -1, 1]) - tile[-8:, -8:, 1].mean()) < 3


@pytest.mark.slow
def test_the_sample_is_the_same_for_the_same_seed_however_many_workers_draw_it(
    tmp_path: Path,
) -> None:
    write_sample(tmp_path / "one", settings=replace(SMALL, n_workers=1))
    write_sample(tmp_path / "two", settings=SMALL)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_the_sample_counts_add_up_and_every_photo_has_a_note(tmp_path: Path) -> None:
    summary = write_sample(tmp_path, settings=replace(SMALL, n_workers=1))
    photos = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg")}
    notes, listed = (rows_of(tmp_path / name) for name in ("notes.csv", "landmarks.csv"))
    ids = {row["landmark_id"] for row in listed}
    assert {row["photo"] for row in notes} == photos
    assert summary.n_images == len(photos)
    assert {path.split("/")[0] for path in photos} == ids | {"_none"}
    assert sum(row["also_shows"] in ids for row in notes) == summary.n_pairs == 1
    assert (summary.n_distractors, summary.n_copies) == (2, 1)


@pytest.mark.slow
def test_the_copy_in_the_sample_is_a_smaller_photo_of_the_same_scene(tmp_path: Path) -> None:
    write_sample(tmp_path, settings=replace(SMALL, n_workers=1))
    copy = next(tmp_path.rglob("*_again.jpg"))
    with Image.open(copy) as small, Image.open(str(copy).replace("_again", "")) as large:
        assert small.width < large.width
        difference = np.asarray(small.resize((8, 8)), float) - np.asarray(large.resize((8, 8)))
    assert np.abs(difference).mean() < 6


def test_a_sample_without_landmarks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the sample has 0 landmarks"):
        write_sample(tmp_path, settings=SampleSettings(n_landmarks=0))
