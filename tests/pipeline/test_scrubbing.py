"""Scrub over a work folder: findings and page are left, only what has changed is made again, counts add up."""

import shutil
from pathlib import Path

import pytest

import cairn
from cairn.base.errors import InputError
from cairn.base.settings import DescribeSettings, ScrubSettings
from cairn.pipeline.importing import Lists
from cairn.pipeline.results import Scrubbed
from cairn.pipeline.scrubbing import scrub
from cairn.pipeline.steps import import_photos, split
from cairn.records.catalog import FAILED, Catalog
from cairn.records.findings import (
    COPY_ACROSS,
    DARK,
    EXACT_COPY,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    TOO_SMALL,
    TWO_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.image_checks import ImageChecks
from cairn.records.split import Split
from tests.make import encoded
from tests.stages.scrub.scenes import as_jpeg, mirrored, scene, watermarked
from tests.watching import Memory

pytestmark = pytest.mark.slow  # rendering and whole runs


def photos_with_faults(root: Path) -> Path:
    """Three landmarks with four views each, some scenes that show none, and a fault of several kinds."""
    for number in range(3):
        place = root / f"landmark_{number}"
        place.mkdir(parents=True)
        for view in range(4):
            (place / f"{view}.jpg").write_bytes(as_jpeg(scene(number, view=view)))
    (root / "_none").mkdir()
    for number in range(4, 8):
        (root / "_none" / f"{number}.jpg").write_bytes(as_jpeg(scene(number)))
    shutil.copy(root / "landmark_0/0.jpg", root / "landmark_0/exact.jpg")
    shutil.copy(root / "landmark_0/1.jpg", root / "landmark_1/stray.jpg")
    (root / "landmark_1/near.jpg").write_bytes(as_jpeg(watermarked(scene(1)), quality=60))
    (root / "landmark_2/flip.jpg").write_bytes(as_jpeg(mirrored(scene(1, view=1))))
    (root / "landmark_2/night.png").write_bytes(encoded(scene(2, view=7) // 20, "PNG"))
    (root / "landmark_2/dot.png").write_bytes(encoded(scene(2)[:1, :1], "PNG"))
    return root


@pytest.fixture(scope="module")
def settings(tiny_backbone: Path) -> DescribeSettings:
    return DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,), batch_size=8)


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, settings: DescribeSettings
) -> tuple[Path, Scrubbed]:
    root = tmp_path_factory.mktemp("scrub")
    import_photos(root / "work", lists=Lists(photos_with_faults(root / "photos")))
    return root, scrub(root / "work", describing=settings)


def copied(project: tuple[Path, Scrubbed], to: Path) -> Path:
    shutil.copytree(project[0] / "work", to / "work")
    return to / "work"


def found(done: Scrubbed, kind: str) -> list[tuple[str, list[str]]]:
    """Sources of the images of a kind of finding, and of their evidence."""
    source = dict(done.work.catalog().table.select("image_id", "source").iter_rows())
    rows = done.findings.of_kinds(kind).table.select("image_id", "evidence").iter_rows()
    return sorted(
        (source[image_id], [source[one] for one in evidence]) for image_id, evidence in rows
    )


def test_each_planted_fault_is_found_once(project: tuple[Path, Scrubbed]) -> None:
    _, done = project
    assert found(done, EXACT_COPY) == [
        ("landmark_0/exact.jpg", ["landmark_0/0.jpg"]),
        ("landmark_1/stray.jpg", ["landmark_0/1.jpg"]),
    ]
    assert found(done, NEAR_COPY) == [
        ("landmark_1/near.jpg", ["landmark_1/0.jpg"]),
        ("landmark_2/flip.jpg", ["landmark_1/1.jpg"]),
    ]
    assert found(done, TWO_LANDMARKS) == [
        ("landmark_0/1.jpg", ["landmark_1/stray.jpg"]),
        ("landmark_2/flip.jpg", ["landmark_1/1.jpg"]),
    ]
    assert found(done, DARK) == [("landmark_2/night.png", [])]
    assert found(done, TOO_SMALL) == [("landmark_2/dot.png", [])]


def test_findings_checks_and_page_lie_where_the_docs_say(project: tuple[Path, Scrubbed]) -> None:
    root, done = project
    assert Findings.read(root / "work/findings.parquet").table.equals(done.findings.table)
    checks = ImageChecks.read(root / "work/image_checks.parquet").table
    assert len(checks) == done.n_images == len(done.work.catalog().images)
    assert not any((root / "work/parts/checks").glob("*"))
    page = (root / "work/reports/scrub/report.html").read_text()
    assert "cairn review" in page
    assert page.count("data:image/jpeg") > 8


def test_a_second_scrub_makes_nothing_again(
    project: tuple[Path, Scrubbed], settings: DescribeSettings
) -> None:
    root, done = project
    watch = Memory()
    again = scrub(root / "work", describing=settings, watch=watch)
    assert set(watch.steps) == {"report"}
    assert again.findings.table.equals(done.findings.table)


def test_another_setting_finds_anew_without_measuring_again(
    project: tuple[Path, Scrubbed], settings: DescribeSettings, tmp_path: Path
) -> None:
    work, watch = copied(project, tmp_path), Memory()
    done = scrub(work, describing=settings, settings=ScrubSettings(min_side_px=200), watch=watch)
    assert not {"check pixels", "describe"} & set(watch.steps)
    assert len(found(done, TOO_SMALL)) == done.n_images


def test_only_the_image_whose_bytes_changed_is_measured_again(
    project: tuple[Path, Scrubbed], settings: DescribeSettings, tmp_path: Path
) -> None:
    work, watch = copied(project, tmp_path), Memory()
    next((work / "images/landmark_2").glob("*.png")).write_bytes(as_jpeg(scene(9)))
    scrub(work, describing=settings, watch=watch)
    assert (watch.steps["check pixels"], watch.steps["describe"]) == (1, 1)


@pytest.mark.parametrize(
    ("phase", "steps"), [("check pixels", 6), ("compare alike", 1), ("lay over each other", 1)]
)
def test_broken_off_in_the_middle_and_run_again_finds_the_same(
    project: tuple[Path, Scrubbed],
    settings: DescribeSettings,
    tmp_path: Path,
    phase: str,
    steps: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cairn.pipeline.checking.IMAGES_A_PART", 4)
    work = copied(project, tmp_path)
    for name in ("findings.parquet", "image_checks.parquet", "cards/scrub.json"):
        (work / name).unlink()
    with pytest.raises(KeyboardInterrupt):
        scrub(work, describing=settings, watch=Memory(break_at=(phase, steps)))
    watch = Memory()
    done = scrub(work, describing=settings, watch=watch)
    assert done.findings.table.equals(project[1].findings.table)
    assert watch.steps.get("check pixels", 0) <= done.n_images - 4
    assert not any((work / "parts/checks").glob("*"))


def test_a_damaged_table_of_checks_is_made_again(
    project: tuple[Path, Scrubbed], settings: DescribeSettings, tmp_path: Path
) -> None:
    work, watch = copied(project, tmp_path), Memory()
    (work / "image_checks.parquet").write_bytes(b"no table")
    done = scrub(work, describing=settings, watch=watch)
    assert watch.steps["check pixels"] == len(ImageChecks.read(work / "image_checks.parquet").table)
    assert done.findings.table.equals(project[1].findings.table)


def test_copies_that_a_split_tore_apart_are_told(
    project: tuple[Path, Scrubbed], settings: DescribeSettings, tmp_path: Path
) -> None:
    work = copied(project, tmp_path)
    dealt = split(work).split.table
    by_source = dict(project[1].work.catalog().images.select("source", "image_id").iter_rows())
    flip, original = by_source["landmark_2/flip.jpg"], by_source["landmark_1/1.jpg"]
    rows = dealt.to_dicts()
    for row in rows:
        parts = {flip: "test", original: "train"}
        if row["image_id"] in parts:
            row |= {"part": parts[row["image_id"]], "group": row["image_id"], "cause": None}
    Split.of(rows).write(work / "split.parquet")
    done = scrub(work, describing=settings)
    assert found(done, COPY_ACROSS) == [("landmark_2/flip.jpg", ["landmark_1/1.jpg"])]


def test_no_work_folder_and_an_empty_one_are_told(
    tmp_path: Path, settings: DescribeSettings
) -> None:
    with pytest.raises(InputError, match="is no work folder"):
        scrub(tmp_path / "nothing", describing=settings)
    (tmp_path / "work").mkdir()
    row = {"list": "l", "row": 1, "image_id": "a", "status": FAILED, "cause": "truncated"}
    Catalog.of([row]).write(tmp_path / "work/catalog.parquet")
    with pytest.raises(InputError, match="holds no image; some that cairn import"):
        scrub(tmp_path / "work", describing=settings)


def test_one_image_alone_is_scrubbed(tmp_path: Path, settings: DescribeSettings) -> None:
    photos = tmp_path / "photos/landmark_0"
    photos.mkdir(parents=True)
    (photos / "one.jpg").write_bytes(as_jpeg(scene(0)))
    import_photos(tmp_path / "work", lists=Lists(tmp_path / "photos"))
    done = cairn.scrub(tmp_path / "work", describing=settings)
    assert done.n_images == 1
    assert not done.findings.of_kinds(EXACT_COPY, NEAR_COPY, TWO_LANDMARKS).counts()


def test_images_that_have_gone_are_counted_and_the_findings_of_before_stay(
    project: tuple[Path, Scrubbed], tmp_path: Path, settings: DescribeSettings
) -> None:
    work = copied(project, tmp_path)
    before = (work / "findings.parquet").read_bytes()
    for path in sorted((work / "images/landmark_0").iterdir())[:2]:
        path.unlink()
    n_images = project[1].n_images
    with pytest.raises(InputError, match=f"2 images of {n_images} have gone .first: .*landmark_0"):
        scrub(work, describing=settings)
    assert (work / "findings.parquet").read_bytes() == before


def test_a_photo_that_is_surely_dark_is_doubted_for_nothing_else(
    project: tuple[Path, Scrubbed],
) -> None:
    findings = project[1].findings
    dark = findings.of_kinds(DARK).table.filter("is_sure")["image_id"].to_list()
    assert dark
    others = findings.of_kinds(WRONG_LANDMARK, NO_LANDMARK, SEVERAL_LANDMARKS).table
    assert not set(dark) & set(others["image_id"].to_list())
    evidence = others["evidence"].explode().to_list()
    assert not set(dark) & set(evidence)
