"""Points from photo to answer: found once, kept in the bundle, matched, told as evidence and region."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cairn
from cairn.base.errors import BundleError
from cairn.base.settings import (
    DescribeSettings,
    EvaluateSettings,
    RecognizeSettings,
    SplitSettings,
    TrainSettings,
)
from cairn.bundles import POINTS, open_bundle
from cairn.cli.main import main
from cairn.engines.local import LocalEngine
from cairn.pipeline.describing import current_images
from cairn.pipeline.importing import Lists
from cairn.pipeline.pointing import points_of
from cairn.pipeline.steps import run
from cairn.pipeline.work_folder import WorkFolder
from cairn.recognizer import Recognizer
from tests.make import encoded
from tests.watching import Memory

N_LANDMARKS, N_PHOTOS = 5, 8


def wall(seed: int, view: int) -> bytes:
    """A photo of a wall of many stones, seen from some place in some light."""
    stones = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    whole = Image.fromarray(stones).resize((640, 480), Image.Resampling.NEAREST)
    rng = np.random.default_rng([seed, view])
    left, top = (int(rng.integers(0, 120)) for _ in range(2))
    part = whole.rotate(float(rng.uniform(-4, 4))).crop((left, top, left + 480, top + 340))
    seen = np.asarray(part, np.float64) * rng.uniform(0.7, 1.1) + rng.normal(0, 6, (340, 480, 3))
    return encoded(seen.clip(0, 255).astype(np.uint8), "JPEG", quality=90)


@pytest.fixture(scope="module")
def walls(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """`photos` of walls, which the backbone hardly tells apart, and a `work` folder that went the whole way."""
    root = tmp_path_factory.mktemp("walls")
    for seed in range(N_LANDMARKS + 10):
        is_known = seed < N_LANDMARKS
        folder = root / "photos" / (f"wall_{seed}" if is_known else "_none")
        folder.mkdir(parents=True, exist_ok=True)
        for view in range(N_PHOTOS if is_known else 1):
            (folder / f"{seed}-{view}.jpg").write_bytes(wall(seed, view))
    run(
        root / "work",
        lists=Lists(root / "photos"),
        splitting=SplitSettings(ratio=(0.5, 0.0, 0.5)),
        describing=DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,)),
        training=TrainSettings(points_a_landmark=3),
        evaluating=EvaluateSettings(n_bootstrap=20),
    )
    return root


@pytest.fixture
def bundle(walls: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(walls / "work/models/default", tmp_path / "bundle"))


def test_a_wall_is_known_by_its_points_and_the_answer_shows_them(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    verified = 0
    for seed in range(N_LANDMARKS):
        found = recognizer.recognize(wall(seed, 99))
        assert found.landmarks[0].landmark_id == f"wall_{seed}"
        inliers = [one.inliers for one in found.landmarks[0].evidence]
        if any(inliers):
            verified += 1
            assert found.time_ms["verify"] > 0
            assert max(inliers, key=lambda n: n or 0) == inliers[0]
            region = found.landmarks[0].region
            assert region is not None
            assert 0 <= region.left < region.right <= 480
            assert 0 <= region.top < region.bottom <= 340
            assert (region.right - region.left) * (region.bottom - region.top) > 0.2 * 480 * 340
    assert verified >= 3


def test_regions_are_in_pixels_of_the_photo_as_it_came(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    for seed in range(N_LANDMARKS):
        photo = Image.open(io.BytesIO(wall(seed, 98)))
        large = encoded(np.asarray(photo.resize((2400, 1700))), "JPEG", quality=95)
        region = recognizer.recognize(large).landmarks[0].region
        if region is not None:
            assert region.right > 1000
            assert region.bottom > 700
            return
    pytest.fail("no wall was verified")


def test_two_walls_beside_each_other_are_both_answered_each_with_its_region(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    n_both = 0
    for one in range(N_LANDMARKS):
        other = (one + 1) % N_LANDMARKS
        halves = [np.asarray(Image.open(io.BytesIO(wall(seed, 96)))) for seed in (one, other)]
        found = recognizer.recognize(np.concatenate(halves, axis=1))
        assert set(found.answers) <= {f"wall_{one}", f"wall_{other}"}
        if len(found.answers) == 2:
            n_both += 1
            at = {c.landmark_id: c.region for c in found.landmarks}
            left, right = at[f"wall_{one}"], at[f"wall_{other}"]
            assert left is not None
            assert right is not None
            assert left.right < right.left + 100
    assert n_both >= 1


def test_one_wall_is_never_two(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    for seed in range(N_LANDMARKS):
        for view in (90, 91):
            assert len(recognizer.recognize(wall(seed, view)).answers) <= 1


def test_what_speaks_for_a_sure_answer_is_shown_when_asked_for_and_changes_nothing(
    bundle: Path,
) -> None:
    recognizer = Recognizer.load(bundle)
    shown = RecognizeSettings(match_all=True)
    for seed in range(N_LANDMARKS):
        plain = recognizer.recognize(wall(seed, 95))
        told = recognizer.recognize(wall(seed, 95), settings=shown)
        assert [c.score for c in told.landmarks] == [c.score for c in plain.landmarks]
        best = told.landmarks[0].evidence[0]
        assert best.inliers
        assert len(best.matched_points) == best.inliers
        assert best.size_px == (480, 340)
        xs, ys, gallery_xs, gallery_ys = np.array(best.matched_points).T
        assert xs.max() <= 480
        assert ys.max() <= 340
        assert gallery_xs.max() <= 480
        assert gallery_ys.max() <= 340


def test_the_command_draws_what_matched(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photo.jpg").write_bytes(wall(3, 94))
    picture = tmp_path / "out.png"
    asked = ["recognize", str(bundle), str(tmp_path / "photo.jpg"), "--explain", str(picture)]
    assert main(asked) == 0
    assert str(picture) in capsys.readouterr().err
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 900
    assert main([*asked[:-1], str(tmp_path / "out.jpg")]) == 1
    assert "out.png" in capsys.readouterr().err
    assert main(["recognize", str(bundle), *[str(tmp_path / "photo.jpg")] * 2, *asked[-2:]]) == 1
    assert "one was expected" in capsys.readouterr().err


def test_the_same_photo_has_the_same_answer_every_time(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    photo = wall(2, 97)
    first = recognizer.recognize(photo)
    for _ in range(5):
        again = recognizer.recognize(photo)
        assert again.landmarks == first.landmarks


def test_a_bundle_keeps_the_points_of_so_many_images_a_landmark(bundle: Path) -> None:
    recognizer = Recognizer.load(bundle)
    assert recognizer.points is not None
    has_points = recognizer.points.counts > 0
    mains = recognizer.gallery["landmark_ids"].list.first().to_list()
    kept = [name for name, has in zip(mains, has_points, strict=True) if has]
    assert {kept.count(name) for name in set(mains)} == {3}
    per_image = sum(p.stat().st_size for p in (bundle / POINTS).iterdir()) / has_points.sum()
    assert per_image < 32 * 1024


def test_points_are_found_once_and_again_where_bytes_or_parts_changed(
    walls: Path, tmp_path: Path
) -> None:
    shutil.copytree(walls / "work", tmp_path / "work")
    work, watch = WorkFolder(tmp_path / "work"), Memory()
    images = current_images(work, work.catalog())
    before = points_of(work, images, engine=LocalEngine(), watch=watch)
    assert "find points" not in watch.steps
    kept = [before.of(row) for row in range(len(images))]
    part = next((tmp_path / "work/points").glob("*/*.safetensors"))
    part.write_bytes(part.read_bytes()[:1000])
    after = points_of(work, images, engine=LocalEngine(), watch=watch)
    assert "find points" in watch.steps
    assert all(np.array_equal(was.codes, after.of(row).codes) for row, was in enumerate(kept))


def test_added_photos_are_verified_too_and_removed_ones_leave(bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "more" / "wall_new"
    folder.mkdir(parents=True)
    for view in range(5):
        (folder / f"{view}.jpg").write_bytes(wall(77, view))
    before = Recognizer.load(bundle)
    assert before.points is not None
    cairn.add(bundle, tmp_path / "more")
    grown = Recognizer.load(bundle)
    assert grown.points is not None
    assert (grown.points.counts[-5:] > 0).sum() == 3
    evidence = [c for c in grown.recognize(wall(77, 50)).landmarks if c.landmark_id == "wall_new"]
    assert evidence
    assert any(one.inliers for one in evidence[0].evidence)
    cairn.remove(bundle, ["wall_new"])
    shrunk = Recognizer.load(bundle)
    assert shrunk.points is not None
    assert np.array_equal(shrunk.points.codes, before.points.codes)
    assert np.array_equal(shrunk.points.starts, before.points.starts)


def test_points_that_are_cut_off_or_gone_are_refused(bundle: Path) -> None:
    codes = bundle / POINTS / "codes.npy"
    content = codes.read_bytes()
    codes.write_bytes(content[:-64])
    with pytest.raises(BundleError, match=r"altered: points/codes\.npy"):
        open_bundle(bundle)
    codes.unlink()
    with pytest.raises(BundleError, match=r"has no points/codes\.npy"):
        open_bundle(bundle)


def test_without_verifying_nothing_of_points_is_made(
    walls: Path, tmp_path: Path, tiny_backbone: Path
) -> None:
    shutil.copytree(walls / "work", tmp_path / "work")
    shutil.rmtree(tmp_path / "work/points")
    describing = DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,))
    cairn.train(tmp_path / "work", settings=TrainSettings(verify=False), describing=describing)
    bundle = cairn.index(tmp_path / "work").bundle
    recognizer = Recognizer.load(bundle)
    assert recognizer.points is None
    assert not (bundle / POINTS).exists()
    assert not (tmp_path / "work/points").exists()
    found = recognizer.recognize(wall(1, 99))
    assert all(one.inliers is None for c in found.landmarks for one in c.evidence)
