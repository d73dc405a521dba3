import os
from pathlib import Path

import pytest

from cairn.base.errors import DiskError, InputError
from cairn.base.files import digest_bytes
from cairn.base.settings import ImportSettings
from cairn.engines.local import LocalEngine
from cairn.images.pixels import Limits, decode
from cairn.images.store import FolderStore
from cairn.records.catalog import Catalog
from cairn.records.landmarks import Landmarks
from cairn.stages.import_photos import (
    NO_FOLDER,
    SYSTEM_FILE,
    Origin,
    ids_of_other_lists,
    import_files,
    in_two_folders,
    join_rows,
    landmarks_of,
)
from cairn.stages.joining import SAME_BYTES
from cairn.stages.listing import Note, Notes, list_files
from tests.make import jpeg, photo_folder


def imported(
    folder: Path, work: Path, *, settings: ImportSettings | None = None, notes: Notes | None = None,
    before: Catalog | None = None,
) -> Catalog:  # fmt: skip
    taken = ids_of_other_lists(before, folder.as_posix())
    origin = Origin(folder.as_posix(), folder, FolderStore(work), taken)
    rows = import_files(
        list_files(folder),
        origin=origin,
        settings=settings or ImportSettings(),
        engine=LocalEngine(2),
    )
    return join_rows(rows, notes=notes or Notes(), before=before)


def test_every_file_ends_as_a_row_with_a_status_and_a_cause(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 3, "_none": 2, "_unknown": 1})
    (folder / "tower" / "notes.txt").write_text("text")
    (folder / "tower" / "empty.jpg").write_bytes(b"")
    (folder / "tower" / "cut.jpg").write_bytes(jpeg(99, height=300, width=400)[:3000])
    (folder / "tower" / "again.jpg").write_bytes((folder / "tower" / "000.jpg").read_bytes())
    (folder / "tower" / ".DS_Store").write_bytes(b"x")
    (folder / "loose.jpg").write_bytes(jpeg(98))
    assert imported(folder, tmp_path / "work").counts() == {
        "kept": 6,
        f"duplicate: {SAME_BYTES}": 1,
        f"excluded: {NO_FOLDER}": 1,
        f"excluded: {SYSTEM_FILE}": 1,
        "failed: empty file": 1,
        "failed: not an image": 1,
        "failed: truncated": 1,
    }


def test_the_folders_name_is_the_first_word_on_the_truth(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 1, "_none": 1, "_unknown": 1})
    truths = dict(imported(folder, tmp_path).images.select("source", "landmark_ids").iter_rows())
    assert truths == {"_none/000.jpg": [], "_unknown/000.jpg": None, "tower/000.jpg": ["tower"]}


def test_a_photo_that_fits_is_kept_byte_for_byte_and_a_large_one_is_made_smaller(
    tmp_path: Path,
) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 1})
    (folder / "tower" / "large.jpg").write_bytes(jpeg(5, height=300, width=400))
    made = imported(folder, tmp_path / "w", settings=ImportSettings(max_side_px=200))
    small, large = (row for row in made.images.iter_rows(named=True))
    assert (tmp_path / "w" / small["path"]).read_bytes() == (folder / small["source"]).read_bytes()
    seen = decode((tmp_path / "w" / large["path"]).read_bytes(), limits=Limits())
    assert seen.full_size_px == (200, 150) == (large["width_px"], large["height_px"])


def test_the_same_bytes_under_two_landmarks_show_both(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"arch": 1, "tower": 1})
    (folder / "tower" / "000.jpg").write_bytes((folder / "arch" / "000.jpg").read_bytes())
    made = imported(folder, tmp_path / "w")
    assert made.images["landmark_ids"].to_list() == [["arch", "tower"]]
    assert in_two_folders(made) == 1
    assert made.table["twin_id"][1] == made.images["image_id"][0]


def test_notes_say_what_else_a_photo_shows(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"arch": 1, "tower": 1})
    notes = Notes({"arch/000.jpg": Note(also_shows=("tower",), licence="CC0-1.0", author="A")})
    row = imported(folder, tmp_path / "w", notes=notes).images.row(0, named=True)
    assert (row["landmark_ids"], row["licence"], row["author"]) == (
        ["arch", "tower"],
        "CC0-1.0",
        "A",
    )


def test_notes_that_name_an_unknown_landmark_are_refused(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"arch": 1})
    notes = Notes({"arch/000.jpg": Note(also_shows=("castel",))})
    with pytest.raises(InputError, match="name castel, which no photo's folder is called"):
        imported(folder, tmp_path / "w", notes=notes)


def test_a_second_list_joins_the_first_and_shares_no_id_with_it(tmp_path: Path) -> None:
    first = photo_folder(tmp_path / "a", {"tower": 2})
    second = photo_folder(tmp_path / "b", {"tower": 2}, first_seed=50)
    before = imported(first, tmp_path / "w")
    both = imported(second, tmp_path / "w", before=before)
    assert len(both.images) == 4
    assert imported(first, tmp_path / "w", before=both).counts() == {"kept": 4}


def test_a_limit_on_bytes_and_pixels_is_a_cause_of_its_own(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 1})
    few_pixels = ImportSettings(max_pixels=10_000)
    few_bytes = ImportSettings(max_bytes=1_000)
    assert imported(folder, tmp_path / "w", settings=few_pixels).counts() == {
        "failed: too many pixels": 1
    }
    assert imported(folder, tmp_path / "w", settings=few_bytes).counts() == {
        "failed: too many bytes": 1
    }


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 3})
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no full device")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "images").symlink_to("/dev/full")
    with pytest.raises(DiskError, match="could not be written"):
        imported(folder, tmp_path / "w")


def test_landmarks_keep_their_names_when_a_later_import_gives_none(tmp_path: Path) -> None:
    made = imported(photo_folder(tmp_path / "in", {"old_tower": 1}), tmp_path / "w")
    given = Landmarks.of([{"landmark_id": "old_tower", "name": "The Old Tower", "latitude": 1.5}])
    first = landmarks_of(made, given, None)
    assert landmarks_of(made, None, first).table["name"].to_list() == ["The Old Tower"]
    assert landmarks_of(made, None, None).table["name"].to_list() == ["old tower"]


def test_images_of_two_lists_with_the_same_names_keep_their_own_bytes(tmp_path: Path) -> None:
    first = photo_folder(tmp_path / "a", {"tower": 2})
    second = photo_folder(tmp_path / "b", {"tower": 2}, first_seed=50)
    both = imported(second, tmp_path / "w", before=imported(first, tmp_path / "w"))
    assert both.images["path"].n_unique() == 4
    for row in both.images.iter_rows(named=True):
        assert digest_bytes((tmp_path / "w" / row["path"]).read_bytes()) == row["kept_digest"]


def test_a_misfiled_copy_that_is_taken_away_leaves_no_trace_in_the_truth(tmp_path: Path) -> None:
    right = photo_folder(tmp_path / "a", {"tower": 1})
    wrong = photo_folder(tmp_path / "b", {"arch": 1}, first_seed=9)
    (wrong / "arch" / "copy.jpg").write_bytes((right / "tower" / "000.jpg").read_bytes())
    both = imported(wrong, tmp_path / "w", before=imported(right, tmp_path / "w"))
    assert ["tower", "arch"] in both.images["landmark_ids"].to_list()
    (wrong / "arch" / "copy.jpg").unlink()
    mended = imported(wrong, tmp_path / "w", before=both)
    assert mended.images["landmark_ids"].to_list() == [["tower"], ["arch"]]


def test_a_twin_takes_the_place_of_the_image_that_went(tmp_path: Path) -> None:
    first = photo_folder(tmp_path / "a", {"tower": 2})
    second = photo_folder(tmp_path / "b", {"tower": 1})
    both = imported(second, tmp_path / "w", before=imported(first, tmp_path / "w"))
    assert both.counts() == {"kept": 2, f"duplicate: {SAME_BYTES}": 1}
    (first / "tower" / "000.jpg").unlink()
    left = imported(first, tmp_path / "w", before=both)
    assert left.counts() == {"kept": 2}
    assert all((tmp_path / "w" / path).is_file() for path in left.images["path"])


def test_what_cannot_be_read_as_a_file_is_a_row_with_that_cause(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 1})
    os.mkfifo(folder / "tower" / "pipe.jpg")
    photo_folder(tmp_path / "other", {"arch": 1})
    (folder / "linked").symlink_to(tmp_path / "other" / "arch")
    (folder / "tower" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert imported(folder, tmp_path / "w").counts() == {"kept": 1, "failed: cannot be opened": 3}


def test_a_name_that_is_not_utf8_is_imported_like_any_other(tmp_path: Path) -> None:
    folder = photo_folder(tmp_path / "in", {"tower": 1})
    (folder / "tower" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg(77))
    made = imported(folder, tmp_path / "w")
    assert made.images["source"].to_list() == ["tower/000.jpg", "tower/caf\\xe9.jpg"]
