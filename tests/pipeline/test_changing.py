import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

import cairn
from cairn.base.errors import DiskError, InputError
from cairn.base.files import digest_bytes, digest_file
from cairn.base.watching import Advance, Silent
from cairn.bundles import open_bundle
from cairn.cli.main import main
from cairn.pipeline.steps import evaluate, index
from cairn.pipeline.whole_folders import held_bundle
from cairn.recognizer import Recognizer
from tests.make import alike_photos, jpeg, photo_folder
from tests.watching import Memory

OLD_LANDMARKS = {f"landmark_{i}" for i in range(4)}


@pytest.fixture
def bundle(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished / "work/models/default", tmp_path / "bundle"))


@pytest.fixture
def more(tmp_path: Path) -> Path:
    """Photos of a new landmark, one of an old one, and a distractor."""
    folder = photo_folder(tmp_path / "more", {"landmark_0": 1, "_none": 1}, first_seed=700)
    (folder / "tower").mkdir()
    for number, content in enumerate(alike_photos(158, 6)):
        (folder / f"tower/{number}.jpg").write_bytes(content)
    return folder


def files(bundle: Path) -> dict[str, bytes]:
    return {str(p.relative_to(bundle)): p.read_bytes() for p in bundle.rglob("*") if p.is_file()}


def test_a_new_landmark_is_recognised_and_the_old_ones_still_are(
    bundle: Path, more: Path, finished: Path
) -> None:
    done = cairn.add(bundle, more)
    assert done.photos.counts == {"added": 8}
    assert (done.n_images, done.n_landmarks, done.n_distractors) == (27, 5, 7)
    recognizer = Recognizer.load(bundle)
    unseen = alike_photos(158, 9)[6:]
    assert [recognizer.recognize(photo).landmarks[0].landmark_id for photo in unseen] == [
        "tower"
    ] * 3
    old = finished / "photos/landmark_2/003.jpg"
    assert recognizer.recognize(old).landmarks[0].landmark_id == "landmark_2"


def test_card_tables_and_thumbnails_tell_what_was_added(bundle: Path, more: Path) -> None:
    before = open_bundle(bundle).card
    cairn.add(bundle, more)
    card = open_bundle(bundle).card
    change = card.changes[0]
    assert (change.did, change.n_images, change.n_distractors, change.landmarks) == ("add", 7, 1, ("tower",))  # fmt: skip
    assert (card.n_images, card.n_landmarks, card.n_distractors, card.scores) == (27, 5, 7, {})
    assert card.fitted_from == before.fitted_from
    gallery = pl.read_parquet(bundle / "gallery.parquet")
    assert len(gallery) == len(list((bundle / "thumbnails").iterdir())) == 27
    assert len(pl.read_parquet(bundle / "distractors.parquet")) == 7
    assert gallery["digest"].null_count() == 0


def test_the_same_command_again_adds_nothing(bundle: Path, more: Path) -> None:
    cairn.add(bundle, more)
    before = files(bundle)
    again = cairn.add(bundle, more)
    assert (again.photos.counts, again.change) == ({"already in the bundle": 8}, None)
    assert files(bundle) == before


def test_a_bad_photo_gets_a_cause_and_the_counts_add_up(bundle: Path, more: Path) -> None:
    (more / "tower/bad.jpg").write_text("no photo")
    (more / "tower/again.jpg").write_bytes((more / "tower/0.jpg").read_bytes())
    (more / "loose.jpg").write_bytes(jpeg(3))
    photo_folder(more, {"_unknown": 2}, first_seed=900)
    photos = cairn.add(bundle, more).photos
    assert photos.counts == {
        "added": 8, "excluded: nobody has said what it shows": 2, "duplicate: duplicate bytes": 1,
        "excluded: in no landmark's folder": 1, "failed: not an image": 1,
    }  # fmt: skip
    assert (photos.n_files, photos.failed) == (13, (("tower/bad.jpg", "not an image"),))


def test_photos_of_the_project_are_known_by_their_bytes_under_any_name(
    bundle: Path, more: Path, finished: Path
) -> None:
    held = set(pl.read_parquet(bundle / "gallery.parquet")["digest"])
    photos = sorted((finished / "photos").glob("landmark_*/*.jpg"))
    known = [p for p in photos if digest_file(p) in held][:3]
    for number, photo in enumerate(known):
        shutil.copy(photo, more / f"tower/known_{number}.jpg")
    done = cairn.add(bundle, more)
    assert done.photos.counts == {"added": 8, "already in the bundle": 3}
    assert done.photos.n_elsewhere == 3


def test_an_id_that_is_taken_is_told_and_another_is_given(bundle: Path, more: Path) -> None:
    cairn.add(bundle, more)
    (more / "tower/0.jpg").write_bytes(jpeg(4711))
    done = cairn.add(bundle, more)
    assert [path for path, _ in done.photos.renamed] == ["tower/0.jpg"]
    ids = pl.read_parquet(bundle / "gallery.parquet")["image_id"]
    assert ids.n_unique() == len(ids) == 28


def test_names_places_licence_and_authors_come_along(bundle: Path, more: Path) -> None:
    (more / "l.csv").write_text("landmark_id,name,latitude\ntower,The Tower,1.5\nelsewhere,No,2\n")
    (more / "n.csv").write_text("photo,also_shows,author\ntower/0.jpg,landmark_1,A. Person\n")
    cairn.add(bundle, more, landmarks=more / "l.csv", notes=more / "n.csv")
    recognizer = Recognizer.load(bundle)
    assert recognizer.landmarks.table["name"].to_list()[-1] == "The Tower"
    assert set(recognizer.landmarks.table["landmark_id"]) == OLD_LANDMARKS | {"tower"}
    noted = recognizer.gallery.filter(pl.col("author") == "A. Person")
    assert noted["landmark_ids"].to_list() == [["tower", "landmark_1"]]


def test_a_folder_without_a_photo_that_can_be_added_changes_nothing(
    bundle: Path, tmp_path: Path
) -> None:
    before = files(bundle)
    (tmp_path / "bad/tower").mkdir(parents=True)
    (tmp_path / "bad/tower/1.jpg").write_text("no photo")
    with pytest.raises(InputError, match=r"can be added \(1 failed: not an image\)"):
        cairn.add(bundle, tmp_path / "bad")
    with pytest.raises(InputError, match="lies in the folder of photos"):
        cairn.add(bundle, tmp_path)
    assert files(bundle) == before
    assert not list(tmp_path.glob(".bundle.photos"))


def test_what_was_added_and_removed_again_leaves_the_answers_as_they_were(
    bundle: Path, more: Path, finished: Path
) -> None:
    photo = finished / "photos/landmark_2/003.jpg"
    before = Recognizer.load(bundle).recognize(photo)
    shutil.rmtree(more / "landmark_0")
    shutil.rmtree(more / "_none")
    cairn.add(bundle, more)
    done = cairn.remove(bundle, ["tower"])
    assert (done.n_images, done.n_landmarks) == (20, 4)
    assert done.change is not None
    assert done.change.words() == "removed 6 images and 0 distractors (gone: tower)"
    now = Recognizer.load(bundle).recognize(photo).landmarks
    assert [c.landmark_id for c in now] == [c.landmark_id for c in before.landmarks]
    assert [c.score for c in now] == pytest.approx([c.score for c in before.landmarks], abs=1e-4)


def test_a_removed_landmark_is_no_longer_proposed_and_comes_back_when_added(
    bundle: Path, finished: Path
) -> None:
    photo = finished / "photos/landmark_2/003.jpg"
    cairn.remove(bundle, ["landmark_2"])
    recognizer = Recognizer.load(bundle)
    assert recognizer.landmark_ids == sorted(OLD_LANDMARKS - {"landmark_2"})
    assert "landmark_2" not in {c.landmark_id for c in recognizer.recognize(photo).landmarks}
    cairn.add(bundle, finished / "photos")
    assert Recognizer.load(bundle).recognize(photo).landmarks[0].landmark_id == "landmark_2"


def test_images_and_distractors_go_by_their_ids_with_their_thumbnails(bundle: Path) -> None:
    image = pl.read_parquet(bundle / "gallery.parquet")["image_id"][3]
    none = pl.read_parquet(bundle / "distractors.parquet")["image_id"][0]
    done = cairn.remove(bundle, [image, f"image:{none}"])
    assert (done.n_images, done.n_landmarks, done.n_distractors) == (19, 4, 5)
    assert done.chosen.images == (image, none)
    for name in ("gallery", "distractors", "out_of_fold"):
        assert not {image, none} & set(pl.read_parquet(bundle / f"{name}.parquet")["image_id"])
    assert not (bundle / f"thumbnails/{image}.jpg").exists()
    assert (bundle / "thumbnails").is_dir()


def test_unknown_and_ambiguous_ids_are_all_told_before_anything_changes(bundle: Path) -> None:
    before = files(bundle)
    with pytest.raises(InputError, match=r"landmark_9 is neither \(did you mean landmark_\d\?\); x is") as said:  # fmt: skip
        cairn.remove(bundle, ["landmark_1", "landmark_9", "x"])
    assert "nothing was changed" in str(said.value)
    with pytest.raises(InputError, match="at least one was expected to stay"):
        cairn.remove(bundle, sorted(OLD_LANDMARKS))
    assert files(bundle) == before


def test_an_id_that_is_a_landmark_and_an_image_has_to_be_named_with_its_kind(bundle: Path) -> None:
    image = pl.read_parquet(bundle / "gallery.parquet")["image_id"][3]
    more = photo_folder(bundle.parent / "odd", {image: 2}, first_seed=1200)
    cairn.add(bundle, more)
    with pytest.raises(InputError, match=f"write landmark:{image} or image:{image}"):
        cairn.remove(bundle, [image])
    assert cairn.remove(bundle, [f"landmark:{image}"]).n_images == 20


def test_an_older_bundle_is_added_to_and_knows_its_photos_by_their_ids(
    bundle: Path, finished: Path, more: Path
) -> None:
    (bundle / "distractors.parquet").unlink()
    gallery = pl.read_parquet(bundle / "gallery.parquet").drop("digest")
    gallery.write_parquet(bundle / "gallery.parquet")
    card = json.loads((bundle / "card.json").read_text())
    content = (bundle / "gallery.parquet").read_bytes()
    record = card["files"]["gallery.parquet"]
    record |= {"size_bytes": len(content), "digest": digest_bytes(content)}
    del card["changes"], card["files"]["distractors.parquet"]
    (bundle / "card.json").write_text(json.dumps(card))
    held = set(gallery["image_id"])
    done = cairn.add(bundle, finished / "photos")
    assert done.photos.counts["already in the bundle"] == len(held)
    assert cairn.add(bundle, more).photos.counts == {"added": 8}


def test_who_has_the_bundle_open_goes_on_answering_as_before(
    bundle: Path, more: Path, finished: Path
) -> None:
    photo = finished / "photos/landmark_2/003.jpg"
    recognizer = Recognizer.load(bundle)
    first, seen, stop = recognizer.recognize(photo).landmarks, [], threading.Event()

    def ask() -> None:
        while not stop.is_set():
            seen.append(recognizer.recognize(photo).landmarks)

    asking = threading.Thread(target=ask)
    asking.start()
    cairn.add(bundle, more)
    cairn.remove(bundle, ["landmark_2"])
    n_so_far = len(seen)
    while len(seen) < n_so_far + 2:
        time.sleep(0.01)
    stop.set()
    asking.join()
    assert all(landmarks == first for landmarks in seen)


def test_bundles_are_loaded_whole_while_they_are_being_replaced(bundle: Path, more: Path) -> None:
    sizes, stop = set(), threading.Event()

    def load() -> None:
        while not stop.is_set():
            sizes.add((len((r := Recognizer.load(bundle)).gallery), len(r.landmark_ids)))

    loading = threading.Thread(target=load)
    loading.start()
    for _ in range(3):
        cairn.add(bundle, more)
        cairn.remove(bundle, ["tower"])
    stop.set()
    loading.join()
    assert sizes <= {(20, 4), (27, 5), (21, 4)}


def test_two_at_once_are_refused(bundle: Path, more: Path) -> None:
    with held_bundle(bundle), pytest.raises(InputError, match="in use by another cairn"):
        cairn.add(bundle, more)


def test_what_breaks_in_the_middle_leaves_the_old_bundle(bundle: Path, more: Path) -> None:
    before = files(bundle)
    for phase in ("read", "describe"):
        with pytest.raises(KeyboardInterrupt):
            cairn.add(bundle, more, watch=Memory(break_at=(phase, 1)))
        assert files(bundle) == before
    assert {path.name for path in bundle.parent.glob(".bundle*")} == {".bundle.lock"}


class NoRoom(Silent):
    """A watch under which files stay small once the bundle is being written, as on a full disk."""

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        if name == "write":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
        yield lambda steps: None


def test_a_disk_that_refuses_leaves_the_old_bundle(bundle: Path, more: Path) -> None:
    before, limits = files(bundle), resource.getrlimit(resource.RLIMIT_FSIZE)
    on_too_large = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(DiskError, match=r"head\.safetensors could not be written"):
            cairn.add(bundle, more, watch=NoRoom())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, on_too_large)
    assert files(bundle) == before


def test_a_swap_that_was_broken_off_between_two_steps_is_put_right(
    bundle: Path, more: Path
) -> None:
    bundle.rename(bundle.with_name(".bundle.old"))
    assert cairn.add(bundle, more).n_images == 27
    with pytest.raises(InputError, match="does not exist"):
        cairn.add(bundle.with_name("nowhere"), more)
    assert not list(bundle.parent.glob(".nowhere*"))


def test_a_changed_bundle_is_not_scored_and_made_anew_by_index(
    finished: Path, more: Path, tmp_path: Path
) -> None:
    work = Path(shutil.copytree(finished / "work", tmp_path / "work"))
    cairn.add(work / "models/default", more)
    with pytest.raises(InputError, match=r"was changed since cairn index made it \(added 7 images and 1 distractor"):  # fmt: skip
        evaluate(work)
    watch = Memory()
    index(work, watch=watch)
    assert any(
        "made anew of the work folder, without these changes" in note for note in watch.notes
    )
    assert open_bundle(work / "models/default").card.n_images == 20


def test_the_commands_say_what_became_of_every_file(
    bundle: Path, more: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["add", str(bundle), str(more)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("8 files: 8 added\nnew: tower\nbundle: ")
    assert "(27 images of 5 landmarks, 7 distractors)" in said
    assert main(["remove", str(bundle), "tower"]) == 0
    assert capsys.readouterr().out.startswith(
        "1 landmark: tower\nremoved 6 images and 0 distractors (gone: tower)\nbundle: "
    )
    assert main(["add", str(bundle), str(more), "--max-side-px", "512"]) == 2


@pytest.mark.slow
def test_killed_at_any_moment_the_bundle_is_the_old_or_the_new_one(
    bundle: Path, more: Path, finished: Path
) -> None:
    photo, rng = finished / "photos/landmark_2/003.jpg", random.Random(5)
    command = [sys.executable, "-m", "cairn"]
    n_killed = 0
    for turn in range(16):
        words = (
            ["add", str(bundle), str(more)] if turn % 2 == 0 else ["remove", str(bundle), "tower"]
        )
        run = subprocess.Popen(
            [*command, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
        )
        lock = bundle.with_name(".bundle.photos" if turn % 2 == 0 else ".bundle.new")
        while run.poll() is None and not lock.exists():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.5) if turn % 2 == 0 else rng.uniform(0, 0.05))
        n_killed += run.poll() is None
        run.kill()
        run.wait()
        recognizer = Recognizer.load(bundle)
        assert len(recognizer.gallery) in (20, 21, 27)
        assert recognizer.recognize(photo).landmarks[0].landmark_id == "landmark_2"
    assert n_killed
    cairn.add(bundle, more)
    assert len(Recognizer.load(bundle).gallery) == 27
    assert {path.name for path in bundle.parent.glob(".bundle*")} == {".bundle.lock"}
