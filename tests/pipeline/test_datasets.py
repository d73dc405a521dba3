import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import DownloadSettings, SelectSettings
from cairn.base.watching import Silent
from cairn.cli.main import main
from cairn.images.fetch.rules import HostRules
from cairn.images.store import FolderStore
from cairn.pipeline.dataset_choice import DatasetChoice
from cairn.pipeline.dataset_lists import fetch_lists
from cairn.pipeline.datasets import DatasetDownload
from cairn.pipeline.fetching import Surroundings
from cairn.pipeline.results import DownloadedPart, LookedPart
from cairn.records.catalog import FAILED, KEPT, PENDING
from cairn.records.landmarks import KINDS, Landmarks
from cairn.stages.download.progress import Attendance, Snapshot, Stopping, unattended
from cairn.stages.download.space import Free
from cairn.stages.gld import datasets, tar_crew
from cairn.stages.gld.tars import member_name
from tests.make import jpeg
from tests.stages.gld.published import Published, packed, photos, publish, small
from tests.stages.gld.range_server import Served, serving

pytestmark = pytest.mark.slow
SETTINGS = DownloadSettings(
    allow_private=True, spare_disk_mb=0, decoders=1, max_side_px=64, attempts=1
)
FIRST, SECOND = "train/images_000.tar", "train/images_001.tar"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Published:
    monkeypatch.setitem(datasets.DATASETS, "gld-v2", small())
    return Published()


@pytest.fixture
def served(made: Published) -> Iterator[Served]:
    with serving(Served()) as state:
        made.serve(state)
        yield state


def downloaded(
    served: Served, work: Path, *parts: str, settings: DownloadSettings = SETTINGS, **told: Any
) -> list[DownloadedPart]:
    choice = DatasetChoice("gld-v2", parts=parts, base=served.base, n_tars=told.pop("n_tars", 0))
    return DatasetDownload(choice, settings=settings, **told).download(work)


def table(done: list[DownloadedPart]) -> pl.DataFrame:
    return done[0].downloaded.catalog.table


def ends(done: list[DownloadedPart]) -> dict[str, str]:
    rows = table(done).select("image_id", "status", "cause").iter_rows()
    return {image: cause or status for image, status, cause in rows}


def test_every_row_of_train_becomes_an_image_with_what_all_lists_say_of_it(
    served: Served, made: Published, tmp_path: Path
) -> None:
    rows = table(downloaded(served, tmp_path))
    assert rows["image_id"].to_list() == made.train
    assert set(rows["status"]) == {KEPT}
    first = rows.row(0, named=True)
    assert first["list"] == "gld-v2/train"
    assert first["source"] == f"http://photos.example/{made.train[0]}.jpg"
    assert first["fetched_from"] == f"{served.base}/{FIRST}#{member_name(made.train[0])}"
    assert (first["author"], first["licence"]) == ("Ann, A.", f"CC-{made.train[0][0]}")
    assert first["landmark_ids"] == first["own_landmark_ids"] == ["0"]
    assert first["path"] == f"images/0/{made.train[0]}.jpg"
    assert set(rows["width_px"]) == {64}
    landmarks = Landmarks.read(tmp_path / "landmarks.parquet").table
    assert landmarks["name"].to_list() == ["Tower 0", "Tower 1", "Tower 2"]
    assert landmarks.select(KINDS).rows()[:2] == [("Tower", "tower", "human-made"), (None,) * 3]


def test_a_second_run_fetches_and_decodes_nothing(served: Served, tmp_path: Path) -> None:
    first = table(downloaded(served, tmp_path))
    served.asked.clear()
    assert table(downloaded(served, tmp_path)).equals(first)
    assert served.asked == []


def test_no_tar_stays_on_the_disk(served: Served, tmp_path: Path) -> None:
    downloaded(served, tmp_path)
    assert list(tmp_path.rglob("*.tar*")) == []


def test_index_and_test_have_landmarks_of_their_own_and_no_landmark_is_an_empty_list(
    served: Served, made: Published, tmp_path: Path
) -> None:
    rows = table(downloaded(served, tmp_path, "train", "index", "test"))
    index = rows.filter(pl.col("list") == "gld-v2/index")
    assert index["landmark_ids"].to_list() == [["index_0"], ["index_1"], ["index_2"], ["index_0"]]
    assert index["source"].to_list() == [member_name(image) for image in made.index]
    test = rows.filter(pl.col("list") == "gld-v2/test")
    assert test["landmark_ids"].to_list() == [["1", "2"], [], None, ["0"]]
    folders = [path.split("/")[1] for path in test["path"]]
    assert folders == ["1", "_none", "_unknown", "0"]
    assert set(rows["status"]) == {KEPT}
    names = Landmarks.read(tmp_path / "landmarks.parquet").table["name"].to_list()
    assert names == ["Tower 0", "Tower 1", "Tower 2"] * 2


def test_of_train_clean_the_other_rows_are_not_chosen_and_come_when_they_are(
    served: Served, made: Published, tmp_path: Path
) -> None:
    clean = ends(downloaded(served, tmp_path, "train_clean"))
    assert clean == {
        image: KEPT if made.landmark_of(image) == "0" else "not chosen" for image in made.train
    }
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}
    assert served.starts(FIRST) == served.starts(SECOND) == [0, 0]


def test_a_larger_selection_has_only_those_tars_read_again_that_hold_more(
    served: Served, made: Published, tmp_path: Path
) -> None:
    assert sorted(ends(downloaded(served, tmp_path, selecting=SelectSettings(sample=7))).values()) == [
        *[KEPT] * 7, "not chosen",
    ]  # fmt: skip
    served.asked.clear()
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}
    assert len([path for path, _ in served.asked if path in (FIRST, SECOND)]) == 1


def test_only_the_first_tars_leave_rows_that_wait(
    served: Served, made: Published, tmp_path: Path
) -> None:
    done = downloaded(served, tmp_path, n_tars=1)
    assert list(ends(done).values()) == [KEPT] * 4 + ["not fetched yet"] * 4
    assert set(table(done)["status"][4:]) == {PENDING}
    assert (done[0].n_tars, done[0].n_unread, done[0].failed_tars) == (2, 1, {})
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}
    assert served.starts(FIRST) == [0]


def test_photos_of_tars_that_were_read_for_fewer_and_are_left_now_are_still_to_come(
    served: Served, made: Published, tmp_path: Path
) -> None:
    downloaded(served, tmp_path, selecting=SelectSettings(sample=1))
    left = list(ends(downloaded(served, tmp_path, n_tars=1)).values())
    assert set(left[:4]) == {KEPT}
    assert set(left[4:]) <= {KEPT, "not fetched yet"}
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}


def test_bad_photos_cost_one_row_each(served: Served, made: Published, tmp_path: Path) -> None:
    members = made.tars[FIRST]
    names = list(members)
    members[names[0]] = b"no photo"
    members[names[1]] = members[names[1]][:-200]
    members[names[2]] = b""
    publish(served, FIRST, packed(members))
    found = list(ends(downloaded(served, tmp_path)).values())
    assert found == ["not an image", "truncated", "empty file", *[KEPT] * 5]


def test_a_photo_in_no_tar_is_told_once_all_are_read(
    served: Served, made: Published, tmp_path: Path
) -> None:
    del made.tars[SECOND][member_name(made.train[7])]
    publish(served, SECOND, packed(made.tars[SECOND]))
    assert ends(downloaded(served, tmp_path, n_tars=1))[made.train[7]] == "not fetched yet"
    assert ends(downloaded(served, tmp_path))[made.train[7]] == "not in its tar"


def test_a_photo_over_max_bytes_ends_with_that_cause(
    served: Served, made: Published, tmp_path: Path
) -> None:
    made.tars[FIRST][member_name(made.train[0])] = jpeg(1) + bytes(100_000)
    publish(served, FIRST, packed(made.tars[FIRST]))
    settings = SETTINGS.model_copy(update={"max_bytes": 90_000})
    found = ends(downloaded(served, tmp_path, settings=settings))
    assert found[made.train[0]] == "too many bytes"


def test_members_that_no_list_names_are_passed_over(
    served: Served, made: Published, tmp_path: Path
) -> None:
    extra = {"../../x.jpg": b"x", "a/b/c/readme.txt": b"x", member_name("abc" + "0" * 13): jpeg(5)}
    publish(served, FIRST, packed({**made.tars[FIRST], **extra}))
    done = downloaded(served, tmp_path)
    assert list(ends(done).values()) == [KEPT] * 8
    assert len(list((tmp_path / "images").rglob("*.jpg"))) == 8


def test_a_tar_that_cannot_be_had_fails_its_rows_for_now_and_only_it_is_fetched_again(
    served: Served, made: Published, tmp_path: Path
) -> None:
    whole = served.files[SECOND]
    publish(served, SECOND, whole, md5="0" * 32)
    done = downloaded(served, tmp_path)
    assert list(ends(done).values()) == [KEPT] * 4 + ["tar failed"] * 4
    assert done[0].failed_tars == {SECOND: "md5 differs"}
    publish(served, SECOND, whole)
    served.asked.clear()
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}
    assert served.starts(FIRST) == []


def test_a_truncated_tar_gives_the_photos_before_its_end_and_fails(
    served: Served, made: Published, tmp_path: Path
) -> None:
    whole = served.files[FIRST]
    publish(served, FIRST, whole[: len(whole) // 2])
    done = downloaded(served, tmp_path)
    assert done[0].failed_tars == {FIRST: "truncated tar"}
    is_kept = table(done)["status"] == KEPT
    assert 4 < is_kept.sum() < 8
    assert set(table(done).filter(~is_kept)["cause"]) == {"tar failed"}
    publish(served, FIRST, whole)
    again = table(downloaded(served, tmp_path))
    assert set(again["status"]) == {KEPT}
    assert again.filter(is_kept).equals(table(done).filter(is_kept))


def test_the_tar_with_the_known_wrong_md5_is_taken(
    served: Served, made: Published, tmp_path: Path
) -> None:
    publish(served, FIRST, served.files[FIRST], md5=small().wrong_md5[FIRST])
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}


def test_a_server_that_breaks_off_is_asked_for_the_rest(
    served: Served, made: Published, tmp_path: Path
) -> None:
    publish(served, FIRST, packed({"padding": bytes(3_000_000)} | made.tars[FIRST]))
    downloaded(served, tmp_path, "test")
    for name, text in made.lists().items():
        (tmp_path / "datasets/gld-v2/lists" / name).write_text(text)
    # The first answer is the sum, the second the tar.
    served.cut_at = [10**9, 2_000_000]
    assert set(ends(downloaded(served, tmp_path)).values()) == {KEPT}
    assert served.starts(FIRST) == [0, 2_000_000]


def test_three_tars_in_a_row_that_cannot_be_had_leave_the_others_for_later(
    served: Served, made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tar_crew, "MOST_LOST_IN_A_ROW", 1)
    del served.files[FIRST]
    done = downloaded(served, tmp_path)
    assert set(ends(done).values()) == {"not fetched yet"}
    assert done[0].failed_tars == {FIRST: "not found"}
    assert served.starts(SECOND) == []


def test_a_list_that_repeats_an_id_has_a_row_for_each(
    served: Served, made: Published, tmp_path: Path
) -> None:
    served.files["metadata/train.csv"] += f"{made.train[0]},http://else.example/x.jpg,2\n".encode()
    rows = table(downloaded(served, tmp_path))
    assert len(rows) == 9
    last = rows.row(8, named=True)
    assert (last["status"], last["cause"], last["twin_id"]) == (
        "duplicate", "duplicate id", made.train[0],
    )  # fmt: skip


def test_images_go_into_shards_too(served: Served, made: Published, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"output": "shards", "shard_images": 3})
    rows = table(downloaded(served, tmp_path, settings=settings))
    assert {path.split("#")[0] for path in rows["path"]} == {
        f"shards/{number:05}.tar" for number in range(3)
    }
    assert len({FolderStore(tmp_path).read(path) for path in rows["path"]}) == 8


def bring_lists(made: Published, work: Path) -> None:
    """The lists lie where an earlier run would have left them."""
    folder = work / "datasets/gld-v2/lists"
    folder.mkdir(parents=True)
    for name, text in made.lists().items():
        (folder / name).write_text(text)


def spoil(served: Served, name: str, change: Callable[[list[str]], object]) -> None:
    """The list of that name is served with changed lines."""
    lines = served.files[name].decode().splitlines()
    change(lines)
    served.files[name] = "\n".join([*lines, ""]).encode()


@pytest.mark.parametrize("by", ["tars", "urls"])
def test_rows_that_are_none_end_as_malformed_and_no_other_row_is_lost(
    served: Served, made: Published, tmp_path: Path, by: str
) -> None:
    def change(lines: list[str]) -> None:
        lines[2] = lines[2].rpartition(",")[0]
        lines.insert(4, "no row at all")

    spoil(served, "metadata/train.csv", change)
    choice = DatasetChoice("gld-v2", base=served.base, by=by)
    settings = SETTINGS.model_copy(update={"allow_private": True, "dns_s": 1})
    (done,) = DatasetDownload(choice, settings=settings).download(tmp_path)
    tally = done.downloaded.tally
    assert tally.n_rows == 9
    assert ("failed", "malformed row", 2) in tally.ends
    assert by == "urls" or tally.n_kept == 7
    assert sum(host.n_rows for host in tally.hosts) == 9


def test_a_dry_run_tells_of_rows_of_a_part_that_are_none(
    served: Served, made: Published, tmp_path: Path
) -> None:
    def change(lines: list[str]) -> None:
        lines[2] = lines[2].rpartition(",")[0]
        lines.insert(4, "no row at all")

    spoil(served, "metadata/train.csv", change)
    downloaded(served, tmp_path, n_tars=1)
    choice = DatasetChoice("gld-v2", base=served.base)
    (found,) = DatasetDownload(choice, settings=SETTINGS).look(tmp_path)
    assert isinstance(found, LookedPart)
    assert found.n_rows == 9
    assert found.odd == (
        "1 × malformed row: 2", "1 × malformed row, without an id: the first is line 5",
    )  # fmt: skip


class Ending:
    """An attendance that asks to end once so many photos are done; before, the lists were fetched."""

    def __init__(self, after: int, *, times: int = 1) -> None:
        self.stopping, self._after, self._times = Stopping(), after, times
        self.told: list[Snapshot] = []
        self.look: Callable[[Snapshot], object] = lambda now: None

    def __call__(self) -> AbstractContextManager[Attendance]:
        return nullcontext(Attendance(self.tell, self.stopping))

    def tell(self, now: Snapshot) -> None:
        self.told.append(now)
        self.look(now)
        if now.n_kept + now.n_failed >= self._after and not self.stopping.is_draining:
            for _ in range(self._times):
                self.stopping.ask()


@pytest.mark.parametrize("times", [1, 2])
def test_asked_to_end_what_is_kept_stays_and_the_rest_comes_in_another_run(
    served: Served, made: Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    monkeypatch.setattr("cairn.stages.download.ticking.TICK_S", 0.001)
    bring_lists(made, tmp_path)
    ending = Ending(1, times=times)
    done = downloaded(served, tmp_path, "train", "test", attended=ending)
    assert len(done) == 1
    assert done[0].downloaded.was_stopped
    n_kept = done[0].downloaded.tally.n_kept
    assert 1 <= n_kept < 8
    assert done[0].downloaded.tally.count(PENDING) == 8 - n_kept
    again = downloaded(served, tmp_path)
    assert again[0].downloaded.tally.n_kept == 8


def test_what_is_shown_adds_up_and_names_the_host(
    served: Served, made: Published, tmp_path: Path
) -> None:
    ending = Ending(99)
    downloaded(served, tmp_path, attended=ending)
    last = ending.told[-1]
    assert (last.n_rows, last.n_kept, last.n_failed) == (8, 8, 0)
    n_bytes = len(served.files[FIRST]) + len(served.files[SECOND])
    assert n_bytes < last.bytes_received < n_bytes + 200
    assert last.hosts[0].host == served.base.removeprefix("http://")


def test_too_many_failures_end_the_run(served: Served, made: Published, tmp_path: Path) -> None:
    for tar in (FIRST, SECOND):
        publish(served, tar, packed(dict.fromkeys(made.tars[tar], b"no photo")))
    settings = SETTINGS.model_copy(update={"max_failures": "2"})
    done = downloaded(served, tmp_path, "train", "test", settings=settings)
    assert done[0].downloaded.failed_too_often
    assert len(done) == 1


def test_lists_that_are_here_are_not_fetched(
    served: Served, made: Published, tmp_path: Path
) -> None:
    for name, text in made.lists().items():
        (tmp_path / name).write_text(text)
        del served.files[small().list_file(name).place]
    choice = DatasetChoice("gld-v2", lists=tmp_path, base=served.base)
    done = DatasetDownload(choice, settings=SETTINGS).download(tmp_path / "work")
    assert done[0].downloaded.tally.n_kept == 8


def test_a_list_that_cannot_be_had_says_what_to_do(served: Served, tmp_path: Path) -> None:
    del served.files["metadata/train_attribution.csv"]
    with pytest.raises(
        InputError, match=r"train_attribution.csv could not be fetched from http.*--lists"
    ):
        downloaded(served, tmp_path)


def test_a_dry_run_without_lists_tells_what_is_published_and_fetches_nothing(
    served: Served, tmp_path: Path
) -> None:
    choice = DatasetChoice("gld-v2", base=served.base, n_tars=1)
    (found,) = DatasetDownload(choice, settings=SETTINGS).look(tmp_path / "work")
    assert isinstance(found, LookedPart)
    assert (found.n_rows, found.n_wanted, found.n_tars_to_read) == (4_132_914, None, 1)
    assert served.asked == []
    assert not (tmp_path / "work").exists()


def test_a_dry_run_with_lists_tells_what_is_left(
    served: Served, made: Published, tmp_path: Path
) -> None:
    downloaded(served, tmp_path, n_tars=1)
    settings = SETTINGS.model_copy(update={"bandwidth_mbit": 8.0})
    (found,) = DatasetDownload(
        DatasetChoice("gld-v2", base=served.base), settings=settings
    ).look(tmp_path)  # fmt: skip
    assert isinstance(found, LookedPart)
    assert (found.n_rows, found.n_wanted, found.n_tars_to_read, found.n_photos) == (8, 4, 1, 4)
    assert (found.received_bytes, found.disk_bytes) == (1_000_000, 1_000_000)
    assert found.hours == pytest.approx(1 / 3600)


def test_the_command_says_how_rows_and_tars_ended_and_what_is_next(
    served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["download", str(tmp_path), "--dataset", "gld-v2", "--base", served.base, "--allow-private",
              "--decoders", "1"]  # fmt: skip
    assert main([*common, "--tars", "1"]) == 0
    said = capsys.readouterr().out
    assert "8 rows: 4 images of 3 landmarks" in said
    assert "2 tars: 1 read, 1 not fetched yet, 0 failed" in said
    assert "next: cairn split" in said.replace(".venv/bin/", "")
    assert "with more --tars or none: 4 rows may come from 1 tar" in said
    assert main([*common, "--dry-run"]) == 0
    assert "tars: 1 of 2 to be read, about 4 photos of them wanted" in capsys.readouterr().out


def test_photos_come_from_their_own_addresses_where_that_is_asked_for(
    served: Served, made: Published, tmp_path: Path
) -> None:
    lists = made.lists()
    for name, text in lists.items():
        text = text.replace("http://photos.example", f"{served.base}/photos")
        served.files[small().list_file(name).place] = text.encode()
    for image in made.train:
        served.files[f"photos/{image}.jpg"] = photos([image])[member_name(image)]
    choice = DatasetChoice("gld-v2", parts=("train_clean",), base=served.base, by="urls")
    done = DatasetDownload(choice, settings=SETTINGS).download(tmp_path)
    rows = table(done)
    assert set(rows["status"]) == {KEPT}
    assert rows["landmark_ids"].to_list() == [["0"]] * 3
    assert rows["author"].to_list() == ["Ann, A."] * 3


def test_gld_v1_is_a_list_like_any_other(served: Served, tmp_path: Path) -> None:
    served.files["a.jpg"] = jpeg(3)
    (tmp_path / "train.csv").write_text(
        f"id,url,landmark_id\n{'a' * 16},{served.base}/a.jpg,7\n{'b' * 16},None,7\n"
    )
    choice = DatasetChoice("gld-v1", lists=tmp_path)
    done = DatasetDownload(choice, settings=SETTINGS).download(tmp_path / "work")
    assert list(ends(done).values()) == [KEPT, "no address"]
    assert done[0].downloaded.tally.count(FAILED) == 1


def test_gld_v1_without_its_lists_says_which(tmp_path: Path) -> None:
    choice = DatasetChoice("gld-v1", lists=tmp_path)
    with pytest.raises(InputError, match=r"train.csv: No such file.*put them there"):
        DatasetDownload(choice, settings=SETTINGS).download(tmp_path / "work")


def test_the_same_photo_by_tar_and_by_address_is_fetched_once(
    served: Served, made: Published, tmp_path: Path
) -> None:
    downloaded(served, tmp_path, "train")
    choice = DatasetChoice("gld-v2", base=served.base, by="urls")
    done = DatasetDownload(choice, settings=SETTINGS).download(tmp_path)
    assert {cause for cause in table(done)["cause"] if cause} == {"duplicate bytes"}


# lists on their way

LIST = "metadata/train.csv"
LONG_LIST = b"id,url,landmark_id\n" + b"0123456789abcdef,http://photos.example/a.jpg,1\n" * 12_000


def long_list(served: Served, work: Path, **told: Any) -> dict[str, Path] | None:
    """What fetching one list of half a megabyte gives, and nothing else."""
    served.files[LIST], served.etags[LIST] = LONG_LIST, '"1"'
    around = Surroundings(
        HostRules.read(settings=SETTINGS), attended=told.pop("attended", unattended)
    )
    return fetch_lists(
        DatasetChoice("gld-v2", base=served.base), work / "datasets/gld-v2", ["train.csv"],
        settings=SETTINGS.model_copy(update=told), around=around, watch=Silent(),
    )  # fmt: skip


@pytest.fixture
def quick_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cairn.stages.download.ticking.TICK_S", 0.01)
    monkeypatch.setattr("cairn.stages.gld.list_crew.LOOK_AGAIN_S", 0.01)
    monkeypatch.setattr("cairn.stages.download.space.TRY_AGAIN_S", 0.05)


@pytest.mark.usefixtures("quick_ticks")
def test_lists_keep_to_the_bandwidth_and_tell_how_far_they_are(
    served: Served, tmp_path: Path
) -> None:
    looking, start = Ending(99), time.monotonic()
    assert long_list(served, tmp_path, bandwidth_mbit=8, attended=looking)
    # A megabyte a second, and a quarter of a second of it at once.
    assert time.monotonic() - start > len(LONG_LIST) / 1e6 - 0.25
    received = [now.bytes_received for now in looking.told]
    assert received == sorted(received)
    assert len(set(received)) > 2
    assert (received[-1], looking.told[-1].n_kept) == (len(LONG_LIST), 1)


@pytest.mark.usefixtures("quick_ticks")
def test_asked_to_end_a_list_goes_on_where_it_was_in_another_run(
    served: Served, tmp_path: Path
) -> None:
    ending = Ending(99)
    served.pause_s = 0.05
    ending.look = lambda now: ending.stopping.ask() if now.bytes_received else None
    assert long_list(served, tmp_path, attended=ending) is None
    served.pause_s = 0.0
    assert long_list(served, tmp_path)
    first, second = served.starts(LIST)
    assert (first, 0 < second < len(LONG_LIST)) == (0, True)
    assert (tmp_path / "datasets/gld-v2/lists/train.csv").read_bytes() == LONG_LIST


@pytest.mark.usefixtures("quick_ticks")
def test_a_full_disk_pauses_the_fetching_of_lists(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = Ending(99)

    def free(path: Path) -> Free:
        return Free(10**12 if any(now.waits_for for now in looking.told) else 1000, None)

    monkeypatch.setattr("cairn.stages.gld.resuming.free_at", free)
    assert long_list(served, tmp_path, attended=looking)
    assert "the disk is full" in str([now.waits_for for now in looking.told])


def test_a_run_that_is_ended_among_its_lists_leaves_no_part(served: Served, tmp_path: Path) -> None:
    ending, slowly = Ending(0), SETTINGS.model_copy(update={"bandwidth_mbit": 0.001})
    assert downloaded(served, tmp_path, settings=slowly, attended=ending) == []
    assert downloaded(served, tmp_path, settings=SETTINGS)[0].downloaded.tally.n_kept == 8
