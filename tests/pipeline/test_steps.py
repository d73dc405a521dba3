import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import BundleError, InputError
from cairn.base.settings import DescribeSettings, EvaluateSettings, SplitSettings, TrainSettings
from cairn.pipeline.importing import Lists
from cairn.pipeline.results import Run
from cairn.pipeline.steps import evaluate, import_photos, index, run, split, train
from cairn.pipeline.work_folder import WorkFolder
from cairn.recognizer import Recognizer
from tests.make import jpeg, landmark_folder
from tests.models.nets import net_folder
from tests.watching import Memory

pytestmark = pytest.mark.slow  # whole runs


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return net_folder(tmp_path_factory.mktemp("net"))


def whole_way(
    work: Path, photos: Path, backbone: Path, *, watch: Memory | None = None, **describe: object
) -> Run:
    settings = {"backbone": str(backbone), "sides_px": (64, 96), "batch_size": 8, **describe}
    return run(
        work,
        lists=Lists(photos),
        splitting=SplitSettings(ratio=(0.5, 0.0, 0.5)),
        describing=DescribeSettings.model_validate(settings),
        evaluating=EvaluateSettings(n_bootstrap=20),
        watch=watch or Memory(),
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, backbone: Path) -> tuple[Path, Path, Run]:
    root = tmp_path_factory.mktemp("project")
    photos = landmark_folder(root / "photos")
    return photos, root / "work", whole_way(root / "work", photos, backbone)


def copied(project: tuple[Path, Path, Run], to: Path) -> tuple[Path, Path]:
    photos, work, _ = project
    shutil.copytree(photos, to / "photos")
    shutil.copytree(work, to / "work")
    return to / "photos", to / "work"


def test_the_whole_way_leaves_bundle_scores_and_report(project: tuple[Path, Path, Run]) -> None:
    _, work, done = project
    assert done.evaluated is not None
    assert done.evaluated.scores.gap.value is not None
    assert done.evaluated.scores.gap.value > 0.8
    assert "<html" in done.evaluated.report.read_text()
    assert len((work / "reports/default/recognitions.jsonl").read_text().splitlines()) == 26
    card = json.loads((done.indexed.bundle / "card.json").read_text())
    assert (card["n_images"], card["n_landmarks"], card["n_distractors"]) == (20, 4, 6)


def test_a_second_run_makes_nothing_again(project: tuple[Path, Path, Run], backbone: Path) -> None:
    photos, work, done = project
    before = (done.indexed.bundle / "head.safetensors").stat().st_mtime_ns
    watch = Memory()
    again = whole_way(work, photos, backbone, watch=watch)
    assert not {"describe", "train", "index"} & set(watch.steps)
    assert (again.indexed.bundle / "head.safetensors").stat().st_mtime_ns == before
    assert again.parted.split.table.equals(done.parted.split.table)


def test_another_setting_describes_all_again(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    photos, work = copied(project, tmp_path)
    watch = Memory()
    whole_way(work, photos, backbone, watch=watch, pooling=("gem",))
    assert watch.steps["describe"] == 52
    assert {"train", "index"} <= set(watch.steps)


def test_another_weight_describes_all_again(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    photos, work = copied(project, tmp_path)
    other = tmp_path / "net"
    shutil.copytree(backbone, other)
    content = bytearray((other / "model.onnx").read_bytes())
    at = content.find(b"kernels") + 200
    content[at : at + 4] = b"\x00\x00\x80\x3e"
    (other / "model.onnx").write_bytes(bytes(content))
    watch = Memory()
    whole_way(work, photos, other, watch=watch)
    assert watch.steps["describe"] == 52


def test_a_changed_photo_alone_is_described_again(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    photos, work = copied(project, tmp_path)
    (photos / "landmark_0" / "000.jpg").write_bytes(jpeg(9_000))
    watch = Memory()
    whole_way(work, photos, backbone, watch=watch)
    assert watch.steps["describe"] == 1


def test_a_photo_changed_inside_the_work_folder_is_described_again(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    image = next((work / "images" / "landmark_1").glob("*.jpg"))
    image.write_bytes(jpeg(9_001))
    watch = Memory()
    describing = DescribeSettings(backbone=str(backbone), sides_px=(64, 96), batch_size=8)
    train(work, describing=describing, watch=watch)
    assert watch.steps["describe"] == 1


@pytest.mark.parametrize("phase", ["import", "describe", "index"])
def test_broken_off_in_the_middle_and_run_again_gives_the_same(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path, phase: str
) -> None:
    photos, _, done = project
    with pytest.raises(KeyboardInterrupt):
        whole_way(tmp_path / "work", photos, backbone, watch=Memory(break_at=(phase, 5)))
    again = whole_way(tmp_path / "work", photos, backbone)
    assert again.gathered.catalog.counts() == done.gathered.catalog.counts()
    assert again.trained.threshold == pytest.approx(done.trained.threshold, abs=1e-6)
    assert not list((tmp_path / "work").rglob("*.part"))
    assert not list((tmp_path / "work").rglob(".*.new"))


def test_the_steps_one_by_one_are_the_whole_way(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    describing = DescribeSettings(backbone=str(backbone), sides_px=(64, 96), batch_size=8)
    split(work, settings=SplitSettings(ratio=(0.5, 0.0, 0.5)))
    trained = train(work, name="other", describing=describing)
    index(work, name="other")
    scored = evaluate(work, name="other", settings=EvaluateSettings(n_bootstrap=20))
    done = project[2]
    assert done.evaluated is not None
    assert trained.threshold == done.trained.threshold
    assert scored.scores.gap.value == done.evaluated.scores.gap.value


def test_a_bundle_that_was_copied_away_answers_the_same(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    photos, _, done = project
    away = tmp_path / "elsewhere" / "bundle"
    shutil.copytree(done.indexed.bundle, away)
    photo = photos / "landmark_2" / "003.jpg"
    here, there = (Recognizer.load(b).recognize(photo) for b in (done.indexed.bundle, away))
    assert here.answer == "landmark_2"
    assert there.landmarks == here.landmarks


@pytest.mark.parametrize(
    "name",
    ["network.onnx", "head.safetensors", "gallery.parquet", "index.faiss", "calibration.json"],
)
def test_a_bundle_with_a_missing_or_altered_file_is_refused(
    project: tuple[Path, Path, Run], tmp_path: Path, name: str
) -> None:
    shutil.copytree(project[2].indexed.bundle, tmp_path / "b")
    content = bytearray((tmp_path / "b" / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b" / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=f"is altered: {name}"):
        Recognizer.load(tmp_path / "b")
    (tmp_path / "b" / name).unlink()
    with pytest.raises(BundleError, match=f"has no {name}"):
        Recognizer.load(tmp_path / "b")


def test_a_folder_that_is_no_bundle_or_a_newer_one_is_told(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=r"is no bundle: it has no card\.json"):
        Recognizer.load(project[1])
    shutil.copytree(project[2].indexed.bundle, tmp_path / "b")
    (tmp_path / "b" / "card.json").write_text('{"format_version": 99}')
    with pytest.raises(BundleError, match="has format 99"):
        Recognizer.load(tmp_path / "b")
    with pytest.raises(InputError, match="does not exist"):
        Recognizer.load(tmp_path / "nowhere")


def test_a_bundle_from_before_its_card_told_of_training_and_versions_is_read(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    shutil.copytree(project[2].indexed.bundle, tmp_path / "b")
    card = json.loads((tmp_path / "b/card.json").read_text())
    assert card.pop("network_training") is None
    assert card.pop("versions")["numpy"] == np.__version__
    (tmp_path / "b/card.json").write_text(json.dumps(card))
    assert Recognizer.load(tmp_path / "b").bundle.card.versions == {}


def test_a_photo_that_cannot_be_read_is_an_answer_with_an_error(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    recognizer = Recognizer.load(project[2].indexed.bundle)
    (tmp_path / "text.jpg").write_text("no photo")
    for path in (tmp_path / "text.jpg", tmp_path / "nowhere.jpg"):
        answer = recognizer.recognize(path)
        assert (answer.answer, answer.none_because) == (None, "unreadable")
        assert answer.error


def test_the_same_photo_gets_the_same_answer_from_path_bytes_and_again(
    project: tuple[Path, Path, Run],
) -> None:
    photos, _, done = project
    recognizer = Recognizer.load(done.indexed.bundle)
    path = photos / "landmark_1" / "002.jpg"
    first = recognizer.recognize(path)
    assert recognizer.recognize(path.read_bytes()).landmarks == first.landmarks
    assert recognizer.recognize(path).landmarks == first.landmarks


def test_one_landmark_alone_leaves_nothing_to_tell_apart(backbone: Path, tmp_path: Path) -> None:
    photos = landmark_folder(tmp_path / "photos", n_landmarks=1, n_none=0)
    with pytest.raises(InputError, match=r"one landmark \(landmark_0\) and 0 distractors"):
        whole_way(tmp_path / "work", photos, backbone)


def test_landmarks_without_distractors_still_make_a_recogniser(
    backbone: Path, tmp_path: Path
) -> None:
    photos = landmark_folder(tmp_path / "photos", n_none=0)
    done = whole_way(tmp_path / "work", photos, backbone)
    assert done.evaluated is not None
    assert done.evaluated.scores.distractors_refused.value is None


def test_a_split_with_other_settings_keeps_old_images_and_says_so(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    watch = Memory()
    kept = split(work, settings=SplitSettings(), watch=watch)
    assert kept.split.counts() == project[2].parted.split.counts()
    assert "add --fresh" in watch.notes[0]
    assert split(work, settings=SplitSettings(), fresh=True).split.counts()["val"] >= 4


def test_two_at_once_in_one_work_folder_are_refused(tmp_path: Path) -> None:
    place = WorkFolder(tmp_path / "w")
    with place.locked(), pytest.raises(InputError, match="in use by another cairn"), place.locked():
        pass


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are looked up in /proc")
def test_a_lock_that_another_process_inherited_is_free_when_the_work_is_done(
    tmp_path: Path,
) -> None:
    place = WorkFolder(tmp_path / "w")
    with place.locked():
        links = {
            link: str(link.readlink())
            for link in Path("/proc/self/fd").iterdir()
            if link.is_symlink()
        }
        handle = next(int(link.name) for link, to in links.items() if to.endswith("/w/.lock"))
        sleeper = subprocess.Popen(["sleep", "30"], pass_fds=[handle])
    try:
        with place.locked():
            pass
    finally:
        sleeper.kill()
        sleeper.wait()


def test_each_step_names_the_step_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run: cairn import"):
        split(tmp_path)
    with pytest.raises(InputError, match="run: cairn import"):
        train(tmp_path)


def test_an_unknown_model_name_says_what_to_run(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    with pytest.raises(InputError, match=r"run: cairn train .* --name nothing"):
        index(work, name="nothing")
    with pytest.raises(InputError, match="cannot name a folder"):
        train(work, name="../up", settings=TrainSettings())


def test_a_bundle_of_another_split_is_not_scored(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    split(work, settings=SplitSettings(ratio=(0.5, 0.0, 0.5), seed=9), fresh=True)
    with pytest.raises(
        InputError, match="test images may be among those it knows; run: cairn index"
    ):
        evaluate(work)
    index(work)
    assert evaluate(work, settings=EvaluateSettings(n_bootstrap=0)).headline()[0][2] == "none"


def test_a_bundle_of_an_earlier_training_is_not_scored(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    describing = DescribeSettings(backbone=str(backbone), sides_px=(64, 96), batch_size=8)
    train(work, describing=describing, settings=TrainSettings(precision=0.6, whitening_power=0.1))
    with pytest.raises(InputError, match="an earlier training"):
        evaluate(work)


def test_a_bundle_names_no_folder_of_the_machine_that_made_it(
    project: tuple[Path, Path, Run],
) -> None:
    card = (project[2].indexed.bundle / "card.json").read_text()
    assert "/" not in card.replace("/recognize", "").replace('"points/', "")


def test_scoring_needs_no_backbone_folder_and_training_finds_it_from_anywhere(
    project: tuple[Path, Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = project[0]
    monkeypatch.chdir(tmp_path)
    net_folder(tmp_path / "bb")
    whole_way(Path("work"), photos, Path("bb"))
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    index(tmp_path / "work")
    shutil.rmtree(tmp_path / "bb")
    assert evaluate(tmp_path / "work").scores.gap.value is not None


def test_a_split_that_keeps_old_places_keeps_the_words_about_them(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    split(work, settings=SplitSettings(seed=7))
    card = WorkFolder(work).card("split")
    assert card is not None
    assert (card.settings["seed"], card.settings["ratio"]) == (0, [0.5, 0.0, 0.5])


def test_new_photos_that_nobody_dealt_are_told(
    project: tuple[Path, Path, Run], backbone: Path, tmp_path: Path
) -> None:
    photos, work = copied(project, tmp_path)
    (photos / "landmark_0" / "new.jpg").write_bytes(jpeg(4_321))
    import_photos(work, lists=Lists(photos))
    watch = Memory()
    describing = DescribeSettings(backbone=str(backbone), sides_px=(64, 96), batch_size=8)
    train(work, describing=describing, watch=watch)
    assert watch.notes[0].startswith("1 labelled images are in no part yet")


def test_a_file_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    photos = landmark_folder(tmp_path / "photos", n_landmarks=2, n_none=0)
    gone = photos / "landmark_0" / "away.jpg"
    gone.symlink_to(tmp_path / "disk_that_is_not_there.jpg")
    first = import_photos(tmp_path / "work", lists=Lists(photos)).catalog
    assert first.counts() == {"kept": 20, "failed: cannot be opened": 1}
    (tmp_path / "disk_that_is_not_there.jpg").write_bytes(jpeg(5_000))
    assert import_photos(tmp_path / "work", lists=Lists(photos)).catalog.counts() == {"kept": 21}


def test_half_files_of_a_crash_are_swept_wherever_they_lie(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    for place in (
        "cards",
        "descriptors/x",
        "reports/default",
        "images/landmark_0",
        "models/default",
    ):
        (work / place).mkdir(parents=True, exist_ok=True)
        (work / place / ".a.x1.part").write_bytes(b"half")
    import_photos(work, lists=Lists(tmp_path / "photos"))
    assert not list(work.rglob("*.part"))


def test_a_work_folder_among_the_photos_is_refused(backbone: Path, tmp_path: Path) -> None:
    photos = landmark_folder(tmp_path / "photos", n_landmarks=2, n_none=0)
    for work in (photos, photos / "work"):
        with pytest.raises(InputError, match="lies in the folder of photos"):
            whole_way(work, photos, backbone)
    assert sorted(path.name for path in photos.iterdir()) == ["landmark_0", "landmark_1"]


def test_photos_of_another_folder_that_still_count_are_told(
    project: tuple[Path, Path, Run], tmp_path: Path
) -> None:
    _, work = copied(project, tmp_path)
    more = landmark_folder(tmp_path / "more", n_landmarks=1, n_none=0)
    watch = Memory()
    import_photos(work, lists=Lists(more), watch=watch)
    assert "also holds 52 images imported before" in watch.notes[0]


def test_a_backbone_that_is_not_there_is_told_before_any_photo_is_read(tmp_path: Path) -> None:
    photos = landmark_folder(tmp_path / "photos", n_landmarks=2, n_none=0)
    watch = Memory()
    with pytest.raises(InputError, match="no backbone embeded \\(did you mean embedded"):
        run(
            tmp_path / "work",
            lists=Lists(photos),
            describing=DescribeSettings(backbone="embeded"),
            watch=watch,
        )
    assert not watch.steps
