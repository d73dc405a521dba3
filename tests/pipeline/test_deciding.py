import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError
from cairn.base.files import digest_file
from cairn.base.settings import DescribeSettings, EvaluateSettings, SplitSettings
from cairn.base.watching import Advance, Silent
from cairn.cli.making import parted
from cairn.engines.local import LocalEngine
from cairn.pipeline import holding
from cairn.pipeline.deciding import apply, undecided
from cairn.pipeline.describing import describe_catalog, embedder_of
from cairn.pipeline.downloading import download
from cairn.pipeline.importing import Lists
from cairn.pipeline.steps import evaluate, import_photos, index, split, train
from cairn.pipeline.work_folder import WorkFolder
from cairn.records.catalog import CATALOG_SCHEMA, Catalog
from cairn.records.decisions import Decisions
from cairn.records.findings import (
    BLANK,
    KINDS,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.verdicts import BAD, COPY, KEEP, WRONG
from cairn.stages.policies import POLICIES
from tests.cleaning import finding, verdict, work_folder, write_verdicts
from tests.make import catalog, jpeg, photo_folder, views
from tests.serving import SETTINGS, PhotoServer, listed, write_list

TRUTHS: list[list[str] | None] = [["a"], ["a"], ["b"], None, []]
FINDINGS = [
    finding(NEAR_COPY, "i0000", "i0001"),
    finding(BLANK, "i0002"),
    finding(WRONG_LANDMARK, "i0001", suggested=["b"]),
    finding(SEVERAL_LANDMARKS, "i0003", suggested=["b", "a"]),
]
# Verified images are counted on photos, which these folders do not have.
WITHOUT_PHOTOS = sorted(POLICIES.keys() - {"gld-clean"})


@dataclass
class Memory:
    """A watch that remembers what it was told."""

    steps: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        self.steps[name] = total
        yield lambda steps: None

    def note(self, text: str) -> None:
        self.notes.append(text)


def files(place: WorkFolder) -> dict[str, str]:
    """What lies in the work folder, with the digests of the bytes."""
    return {
        path.relative_to(place.root).as_posix(): digest_file(path)
        for path in sorted(place.root.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture
def place(tmp_path: Path) -> WorkFolder:
    return work_folder(tmp_path / "work", catalog(TRUTHS), FINDINGS)


def test_a_policy_changes_the_catalog_and_its_counts_add_up(place: WorkFolder) -> None:
    done = apply(place.root, policy="thorough")
    now = place.catalog()
    assert now.images["image_id"].to_list() == ["i0001", "i0003", "i0004"]
    assert now.images["landmark_ids"].to_list() == [["b"], ["b", "a"], []]
    assert done.counts == {"in use": 3, "excluded: blank": 1, "excluded: near copy": 1}
    assert done.changes == {"another landmark": 1, "several landmarks": 1}
    assert sum(done.counts.values()) == done.n_images == sum(now.counts().values()) == 5
    assert Decisions.read(place.decisions_path).table.equals(done.decisions.table)


def test_what_was_done_is_said_in_sentences(place: WorkFolder) -> None:
    write_verdicts(place, verdict((BLANK, "i0002"), KEEP))
    assert apply(place.root, policy="thorough").sentences() == [
        "policy thorough: 5 images: 4 in use, 1 excluded: near copy",
        "of all images, by decision: 1 shows another landmark, 1 shows several landmarks",
        "1 image kept as people said",
    ]


@pytest.mark.parametrize("policy", WITHOUT_PHOTOS)
def test_none_brings_every_byte_of_truth_back_and_a_second_run_changes_no_byte(
    place: WorkFolder, policy: str
) -> None:
    before, landmarks = place.catalog().table, place.landmarks().table
    write_verdicts(place, verdict((WRONG_LANDMARK, "i0001"), WRONG, ["new_tower"]))
    apply(place.root, policy=policy)
    once = files(place)
    apply(place.root, policy=policy)
    assert files(place) == once
    apply(place.root, policy="none")
    assert place.catalog().table.equals(before)
    assert place.landmarks().table.equals(landmarks)
    assert not place.decisions_path.exists()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_after_any_policies_none_gives_the_first_catalog(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    truths = data.draw(
        st.lists(st.sampled_from([None, [], ["a"], ["b"], ["a", "b"]]), min_size=1, max_size=6)
    )
    ids = st.sampled_from([f"i{row:04}" for row in range(len(truths))])
    suggested = st.sampled_from([None, [], ["a"], ["b", "a"], ["new"]])
    rows = data.draw(
        st.lists(
            st.builds(finding, st.sampled_from(KINDS), ids, ids, suggested=suggested), max_size=6,
            unique_by=lambda row: (row["kind"], row["image_id"]),
        )
    )  # fmt: skip
    place = work_folder(tmp_path_factory.mktemp("work"), catalog(truths), rows)
    first = place.catalog().table
    for policy in data.draw(st.lists(st.sampled_from(WITHOUT_PHOTOS), max_size=3)):
        done = apply(place.root, policy=policy)
        assert sum(done.counts.values()) == len(truths)
        assert done.counts["in use"] == len(place.catalog().images)
        assert undecided(place).table.equals(first)
    last = files(place)
    apply(place.root, policy="none")
    assert place.catalog().table.equals(first)
    assert "decisions.parquet" not in files(place)
    assert last.keys() - {"decisions.parquet"} == files(place).keys()


def test_the_last_policy_alone_counts(place: WorkFolder, tmp_path: Path) -> None:
    other = work_folder(tmp_path / "other", catalog(TRUTHS), FINDINGS)
    apply(place.root, policy="thorough")
    apply(place.root, policy="careful")
    apply(other.root, policy="careful")
    assert place.catalog().table.equals(other.catalog().table)
    assert Decisions.read(place.decisions_path).table.equals(
        Decisions.read(other.decisions_path).table
    )


def test_verdicts_of_journals_are_heard_and_disputed_ones_counted(place: WorkFolder) -> None:
    write_verdicts(
        place, verdict((BLANK, "i0002"), KEEP), verdict((BLANK, "i0002"), BAD, reviewer="Bob"),
        verdict((WRONG_LANDMARK, "i0001"), WRONG, ["b"]),
    )  # fmt: skip
    done = apply(place.root, policy="verdicts")
    assert done.counts == {"in use": 5}
    assert done.n_disputed == 1
    assert place.catalog().table["landmark_ids"].to_list()[1] == ["b"]


def test_a_new_landmark_gets_a_row_and_a_landmark_that_nobody_shows_keeps_its_name(
    place: WorkFolder,
) -> None:
    write_verdicts(
        place, verdict((BLANK, "i0002"), WRONG, ["new_tower"]),
    )  # fmt: skip
    apply(place.root, policy="verdicts")
    names = place.landmarks().table.select("landmark_id", "name").rows()
    assert names == [("a", "A"), ("b", "B"), ("new_tower", "new tower")]


def test_a_catalog_from_before_decisions_is_read_applied_and_undone(place: WorkFolder) -> None:
    first = place.catalog().table
    first.drop("excluded").write_parquet(place.catalog_path)
    assert apply(place.root, policy="none").counts == {"in use": 5}
    assert "excluded" not in pl.read_parquet_schema(place.catalog_path)
    apply(place.root, policy="careful")
    apply(place.root, policy="none")
    assert place.catalog().table.equals(first)


def test_rows_of_every_status_pass_through_and_many_pieces_make_one_catalog(
    place: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "ROWS_AT_ONCE", 2)
    others: list[dict[str, object]] = [
        {"image_id": "i0000", "status": "duplicate", "landmark_ids": ["a"], "twin_id": "i0001"},
        {"image_id": None, "status": "failed", "cause": "truncated"},
    ]
    whole = pl.concat([place.catalog().table, Catalog.of(others).table])
    Catalog(whole).write(place.catalog_path)
    apply(place.root, policy="thorough")
    now = place.catalog().table
    assert now[5:].equals(whole[5:])
    assert now["excluded"].to_list() == ["near copy", None, "blank", None, None, None, None]
    apply(place.root, policy="none")
    assert place.catalog().table.equals(whole)


class Killed(Exception):
    """Stands for the process that ends here."""


@pytest.mark.parametrize("at", ["write catalog", "write landmarks", "name decisions"])
@pytest.mark.parametrize("then", ["none", "thorough", "careful"])
def test_a_kill_between_the_files_loses_no_truth(
    place: WorkFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, then: str
) -> None:
    expected = work_folder(tmp_path / "expected", catalog(TRUTHS), FINDINGS)
    apply(expected.root, policy=then)
    apply(place.root, policy="careful")

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        if at == "write catalog":
            patched.setattr("cairn.records.tables.Pieces.write", killed)
        elif at == "write landmarks":
            patched.setattr(holding, "_write_landmarks", killed)
        else:
            patched.setattr(holding, "disk_errors", killed)
        with pytest.raises(Killed):
            apply(place.root, policy="thorough")
    assert undecided(place).table.equals(catalog(TRUTHS).table)
    apply(place.root, policy=then)
    assert place.catalog().table.equals(expected.catalog().table)
    assert files(place).keys() == files(expected).keys()


def test_what_scrub_sees_is_what_was_before_any_decision(place: WorkFolder) -> None:
    first = place.catalog().table
    apply(place.root, policy="thorough")
    assert undecided(place).table.equals(first)


def test_each_thing_that_is_missing_is_told(tmp_path: Path, place: WorkFolder) -> None:
    with pytest.raises(InputError, match="no policy all; one of none, verdicts, careful"):
        apply(place.root, policy="all")
    with pytest.raises(InputError, match="is no work folder"):
        apply(tmp_path / "nothing", policy="none")
    place.findings_path.unlink()
    with pytest.raises(InputError, match="run: cairn scrub WORK"):
        apply(place.root, policy="careful")
    assert apply(place.root, policy="none").counts == {"in use": 5}


# import and split after a decision


@pytest.fixture
def imported(tmp_path: Path) -> tuple[Path, WorkFolder, Callable[[], dict[str, str]]]:
    """A folder of photos, the work folder it was imported to, and the id of each source."""
    photos = photo_folder(tmp_path / "photos", {"arch": 4, "tower": 4})
    place = import_photos(tmp_path / "work", lists=Lists(photos)).work

    def ids() -> dict[str, str]:
        return dict(place.catalog().table.select("source", "image_id").iter_rows())

    return photos, place, ids


def test_importing_again_keeps_decisions(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    photos, place, ids = imported
    id_of = ids()
    rows = [
        finding(BLANK, id_of["arch/000.jpg"]),
        finding(WRONG_LANDMARK, id_of["arch/001.jpg"], suggested=["tower"]),
        finding(NO_LANDMARK, id_of["tower/000.jpg"], suggested=[]),
    ]
    Findings.of(rows).write(place.findings_path)
    apply(place.root, policy="thorough")
    before = place.catalog().table
    import_photos(place.root, lists=Lists(photos))
    assert place.catalog().table.equals(before)
    (photos / "arch" / "new.jpg").write_bytes(jpeg(777))
    done = import_photos(place.root, lists=Lists(photos))
    assert done.catalog.counts() == {"kept": 8, "excluded: blank": 1}
    apply(place.root, policy="none")
    assert place.catalog().counts() == {"kept": 9}
    own = place.catalog().table
    assert own["landmark_ids"].to_list() == own["own_landmark_ids"].to_list()


def test_a_truth_that_an_import_changes_comes_back_as_it_is_then(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    photos, place, ids = imported
    image_id = ids()["arch/001.jpg"]
    rows = [finding(WRONG_LANDMARK, image_id, suggested=["gate"])]
    Findings.of(rows).write(place.findings_path)
    apply(place.root, policy="thorough")
    twin = (photos / "arch" / "001.jpg").read_bytes()
    (photos / "tower" / "twin.jpg").write_bytes(twin)
    import_photos(place.root, lists=Lists(photos))
    row = place.catalog().table.filter(pl.col("image_id") == image_id)
    assert row["landmark_ids"].to_list() == [["gate"]]
    assert "gate" in place.landmarks().table["landmark_id"]
    apply(place.root, policy="none")
    row = place.catalog().table.filter(pl.col("image_id") == image_id)
    assert row["landmark_ids"].to_list() == [["arch", "tower"]]
    assert place.landmarks().table["landmark_id"].to_list() == ["arch", "tower"]


def test_a_decision_waits_for_an_image_that_has_gone(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    photos, place, ids = imported
    Findings.of([finding(BLANK, ids()["arch/000.jpg"])]).write(place.findings_path)
    apply(place.root, policy="careful")
    photo = photos / "arch" / "000.jpg"
    content = photo.read_bytes()
    photo.unlink()
    assert import_photos(place.root, lists=Lists(photos)).catalog.counts() == {"kept": 7}
    photo.write_bytes(content)
    counts = import_photos(place.root, lists=Lists(photos)).catalog.counts()
    assert counts == {"kept": 7, "excluded: blank": 1}


def test_the_split_leaves_out_what_is_excluded_and_takes_it_back(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    _, place, ids = imported
    image_id = ids()["tower/002.jpg"]
    first = split(place.root).split.table
    Findings.of([finding(BLANK, image_id)]).write(place.findings_path)
    apply(place.root, policy="careful")
    now = split(place.root).split.table.filter(pl.col("image_id") == image_id)
    was = first.filter(pl.col("image_id") == image_id)
    assert (now["part"][0], now["cause"][0]) == (None, "excluded: blank")
    assert now["part_before"][0] == was["part"][0]
    apply(place.root, policy="none")
    assert split(place.root).split.table.equals(first)
    card = place.card("split")
    assert card is not None
    assert card.inputs.keys() == {"catalog", "findings"}


def test_every_column_of_the_catalog_but_two_is_what_it_was(place: WorkFolder) -> None:
    first = place.catalog().table
    apply(place.root, policy="thorough")
    same = [name for name in CATALOG_SCHEMA if name not in ("excluded", "landmark_ids")]
    assert place.catalog().table.select(same).equals(first.select(same))


@pytest.mark.slow  # photos are described and matched
def test_the_clean_rule_counts_verified_photos_once_and_only_where_landmarks_change(
    tmp_path: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    things = {"arch": [*views(1, 3), *views(2, 1)], "tower": views(3, 3), "wall": views(4, 1)}
    for landmark_id, photos in things.items():
        (tmp_path / "photos" / landmark_id).mkdir(parents=True)
        for number, content in enumerate(photos):
            (tmp_path / "photos" / landmark_id / f"{number}.jpg").write_bytes(content)
    place = import_photos(tmp_path / "work", lists=Lists(tmp_path / "photos")).work
    Findings.of([]).write(place.findings_path)
    with pytest.raises(InputError, match="run: cairn scrub"):
        apply(place.root, policy="gld-clean")
    describing = DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,))
    embedder = embedder_of(describing, work=place, watch=Silent())
    describe_catalog(place, place.catalog(), embedder, engine=LocalEngine(), watch=Silent())
    done = apply(place.root, policy="gld-clean")
    assert done.counts == {"in use": 6, "excluded: unverified": 2}
    left = place.catalog().table.drop_nulls("excluded")["source"].to_list()
    assert left == ["arch/3.jpg", "wall/0.jpg"]
    seen: list[int] = []

    def counted(rows: npt.NDArray[np.int64], *_: object, **__: object) -> npt.NDArray[np.int64]:
        seen.append(len(rows))
        return np.full(len(rows), 2)

    monkeypatch.setattr("cairn.pipeline.verifying.verified_counts", counted)
    once = files(place)
    apply(place.root, policy="gld-clean")
    assert (seen, files(place)) == ([], once)
    (tmp_path / "photos" / "wall" / "more.jpg").write_bytes(views(4, 2)[1])
    import_photos(place.root, lists=Lists(tmp_path / "photos"))
    describe_catalog(place, undecided(place), embedder, engine=LocalEngine(), watch=Silent())
    assert apply(place.root, policy="gld-clean").counts == {"in use": 8, "excluded: unverified": 1}
    assert seen == [2]
    apply(place.root, policy="none")
    assert place.catalog().counts() == {"kept": 9}


@pytest.mark.slow  # a whole download, with decoding processes
def test_downloading_again_keeps_decisions(tmp_path: Path) -> None:
    with PhotoServer() as server:
        rows = listed(server, 9, n_landmarks=3)
        work, urls = tmp_path / "work", tmp_path / "list.csv"
        download(work, urls=write_list(urls, rows[:8]), settings=SETTINGS)
        place = WorkFolder(work)
        told = [
            finding(BLANK, "i00000"),
            finding(WRONG_LANDMARK, "i00001", suggested=["gate"]),
            finding(WRONG_LANDMARK, "i00004", suggested=["gate"]),
            finding(WRONG_LANDMARK, "i00007", suggested=["gate"]),
        ]
        Findings.of(told).write(place.findings_path)
        apply(work, policy="thorough")
        before = place.catalog().table
        done = download(work, urls=write_list(urls, rows), settings=SETTINGS)
    now = place.catalog().table
    assert now[:8].equals(before)
    assert done.catalog.counts() == {"kept": 8, "excluded: blank": 1}
    assert done.tally.n_kept == 9
    names = ["gate", "landmark_0", "landmark_1", "landmark_2"]
    assert place.landmarks().table["landmark_id"].to_list() == names
    apply(work, policy="none")
    assert place.catalog().table["landmark_ids"].to_list() == [
        [f"landmark_{n % 3}"] for n in range(9)
    ]
    assert place.landmarks().table["landmark_id"].to_list() == names[1:]


# what comes after


def noted(watch: Memory, words: str) -> list[str]:
    return [note for note in watch.notes if words in note]


def test_copies_that_scrub_finds_after_the_split_are_told_and_counted(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    _, place, _ = imported
    wanted = SplitSettings(ratio=(0.5, 0.0, 0.5))
    first = split(place.root, settings=wanted).split
    a, b = first.image_ids("train")[0], first.image_ids("test")[0]
    Findings.of([finding(NEAR_COPY, b, a)]).write(place.findings_path)
    watch = Memory()
    done = split(place.root, settings=wanted, watch=watch)
    assert done.split.table.equals(first.table)
    assert (done.leakage.n_copies_across, done.leakage.n_found_across) == (1, 1)
    assert len(noted(watch, "1 pair of copies lie across parts")) == 1
    assert "--apply careful" in watch.notes[0]
    assert "--fresh" in watch.notes[0]
    watch = Memory()
    fresh = split(place.root, settings=wanted, fresh=True, watch=watch)
    assert (fresh.leakage.n_copies_across, watch.notes) == (0, [])
    assert parted(done).endswith("1 pairs across parts (1 of them found by scrub), 0 nearly alike")


def test_what_people_say_of_copies_reaches_the_split_its_leakage_and_its_card(
    imported: tuple[Path, WorkFolder, Callable[[], dict[str, str]]],
) -> None:
    _, place, _ = imported
    first = split(place.root, settings=SplitSettings(ratio=(0.5, 0.0, 0.5))).split
    (a, c), (b, d) = first.image_ids("train")[:2], first.image_ids("test")[:2]
    found = [finding(NEAR_COPY, b, a), finding(NEAR_COPY, d, c, is_sure=False)]
    Findings.of(found).write(place.findings_path)
    assert split(place.root).leakage.n_copies_across == 1
    before = holding.cleaning_inputs(place)
    write_verdicts(place, verdict((NEAR_COPY, b, a), KEEP))
    watch = Memory()
    assert split(place.root, watch=watch).leakage.n_copies_across == 0
    assert not noted(watch, "--apply careful")
    assert holding.cleaning_inputs(place).keys() - before.keys() == {"verdicts about copies"}
    write_verdicts(place, verdict((NEAR_COPY, d, c), COPY, reviewer="Ben"))
    assert split(place.root).leakage.n_copies_across == 1


@pytest.mark.slow  # real training
def test_after_a_decision_nothing_stale_is_used(
    finished: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished / "work", tmp_path / "work")
    work, place = tmp_path / "work", WorkFolder(tmp_path / "work")
    dealt = place.split()
    gone = dealt.image_ids("train")[:2]
    Findings.of([finding(BLANK, image_id) for image_id in gone]).write(place.findings_path)
    apply(work, policy="careful")
    with pytest.raises(InputError, match="made of other images, another split"):
        evaluate(work)
    watch = Memory()
    describing = DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,))
    trained = train(work, describing=describing, watch=watch)
    told = noted(watch, "the findings and decisions of cairn scrub have changed since")
    assert (len(told), watch.steps["train"]) == (1, 1)
    assert trained.n_images + trained.n_distractors == len(dealt.image_ids("train", "val")) - 2
    split(work, settings=SplitSettings(ratio=(0.5, 0.0, 0.5)))
    watch = Memory()
    index(work, watch=watch)
    assert not watch.notes
    evaluate(work, settings=EvaluateSettings(n_bootstrap=20))
    gallery = pl.read_parquet(place.bundle("default") / "gallery.parquet")
    assert not set(gone) & set(gallery["image_id"])
    apply(work, policy="none")
    watch = Memory()
    evaluate(work, settings=EvaluateSettings(n_bootstrap=20), watch=watch)
    assert noted(watch, "2 labelled images are in no part yet")
    assert noted(watch, "the decisions of cairn scrub have changed since")
    assert split(work, settings=SplitSettings(ratio=(0.5, 0.0, 0.5))).split.table.equals(
        dealt.table
    )
    with pytest.raises(InputError, match="made of other images, another split"):
        evaluate(work)
