"""Whole downloads into a work folder, against a server on the loopback."""

import errno
import gzip
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cairn.base.errors import InputError, SettingsError
from cairn.base.settings import DescribeSettings, SelectSettings, SplitSettings
from cairn.images.store import FolderStore
from cairn.pipeline import download_run
from cairn.pipeline.downloading import Addresses, download, look
from cairn.pipeline.importing import Lists
from cairn.pipeline.results import Downloaded
from cairn.pipeline.steps import import_photos, run, split, train
from cairn.pipeline.work_folder import WorkFolder
from cairn.stages.download.astray import KnownPaths
from cairn.stages.download.journal import Journal
from cairn.stages.download.progress import Attendance, Snapshot, Stopping
from cairn.stages.download.space import Free
from cairn.stages.download.verdicts import Verdict
from tests.make import alike_photos, jpeg, photo_folder
from tests.serving import (
    SETTINGS,
    PhotoServer,
    Said,
    begun,
    listed,
    photo,
    resident_bytes,
    write_list,
)
from tests.watching import Memory

pytestmark = pytest.mark.slow  # whole runs, with decoding processes

Rows = list[dict[str, object]]
Ends = list[tuple[str, str | None]]
NOT_FOUND, BROKEN = Said(status=404), Said(status=500)
KEPT, PENDING = ("kept", None), ("pending", "not fetched yet")


@pytest.fixture
def server() -> Iterator[PhotoServer]:
    with PhotoServer() as running:
        yield running


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., Downloaded]:
    """Downloads rows into the work folder of the test; what else is given changes the settings."""

    def downloaded(
        rows: Rows,
        *,
        name: str = "list.csv",
        given: dict[str, Any] | None = None,
        **changes: object,
    ) -> Downloaded:
        return download(
            tmp_path / "work",
            urls=write_list(tmp_path / name, rows),
            settings=SETTINGS.model_copy(update=changes),
            **(given or {}),
        )

    return downloaded


def ends(done: Downloaded) -> Ends:
    """How each row of the list that was downloaded last ended, in its order."""
    own = done.catalog.table.filter(pl.col("list") == done.tally.list_name)
    return own.select("status", "cause").rows()


def files(done: Downloaded) -> set[str]:
    images = done.work.root / "images"
    return {path.relative_to(done.work.root).as_posix() for path in images.rglob("*.*")}


@dataclass
class Looking:
    """Attends a download: remembers every snapshot, and may ask it to end."""

    look: Callable[[Snapshot], object] = lambda now: None
    stopping: Stopping = field(default_factory=Stopping)
    told: list[Snapshot] = field(default_factory=list)

    def __call__(self) -> AbstractContextManager[Attendance]:
        return nullcontext(Attendance(self._tell, self.stopping))

    def _tell(self, now: Snapshot) -> None:
        self.told.append(now)
        self.look(now)


Get = Callable[..., Downloaded]

# one run


def test_addresses_become_images_in_folders_of_landmarks(server: PhotoServer, get: Get) -> None:
    done = get(listed(server, 9, n_landmarks=2))
    assert ends(done) == [KEPT] * 9
    assert files(done) == {f"images/landmark_{n % 2}/i{n:05}.jpg" for n in range(9)}
    row = done.catalog.table.row(4, named=True)
    assert (done.work.root / row["path"]).read_bytes() == photo(4)
    assert (row["source"], row["fetched_from"], row["attempts"]) == (
        server.url(4),
        server.url(4),
        1,
    )
    assert (row["landmark_ids"], row["width_px"]) == (["landmark_0"], 96)
    assert done.work.landmarks().table["name"].to_list() == ["landmark 0", "landmark 1"]


def test_the_counts_of_tally_report_card_and_catalog_are_the_same(
    server: PhotoServer, get: Get
) -> None:
    server.said = {"/1.jpg": NOT_FOUND, "/2.jpg": Said(content=b"<html>"), "/3.jpg": BROKEN}
    rows = listed(server, 9)
    rows[5]["url"], rows[6]["url"], rows[7]["id"] = "None", rows[8]["url"], rows[0]["id"]
    done = get(rows, attempts=1)
    counts = dict(done.catalog.counts())
    card = json.loads(done.work.card_path("download").read_text())
    assert card["said"] == counts == {
        "kept": 3, "duplicate: same address": 1, "duplicate: duplicate id": 1, "failed: not found": 1,
        "failed: not an image": 1, "failed: host error": 1, "failed: no address": 1,
    }  # fmt: skip
    assert {f"{s}: {c}" if c else s: n for s, c, n in done.tally.ends} == counts
    assert done.tally.n_rows == sum(host.n_rows for host in done.tally.hosts) == 9
    assert "they add up to 9." in done.report.read_text()


def test_the_same_photo_at_two_addresses_shows_both_landmarks(
    server: PhotoServer, get: Get
) -> None:
    server.said["/1.jpg"] = Said(content=photo(0))
    done = get(listed(server, 3))
    assert ends(done) == [KEPT, ("duplicate", "duplicate bytes"), KEPT]
    assert done.catalog.table["landmark_ids"][0].to_list() == ["landmark_0", "landmark_1"]


def test_what_a_host_shows_in_place_of_photos_is_excluded(server: PhotoServer, get: Get) -> None:
    server.said = {f"/{number}.jpg": Said(content=photo(99)) for number in range(4)}
    done = get(listed(server, 6), placeholder_ids=4)
    assert ends(done) == [("excluded", "placeholder")] * 4 + [KEPT] * 2


def test_a_smaller_photo_is_asked_for_and_both_addresses_are_known(
    server: PhotoServer, get: Get, tmp_path: Path
) -> None:
    table = tmp_path / "hosts.toml"
    table.write_text(
        '[[rule]]\nhosts = ["127.0.0.1"]\nsmaller = { kind = "google" }\nrate_per_s = 999\n'
    )
    small, at = jpeg(5, height=48, width=64), f"http://127.0.0.1:{server.ports[0]}"
    server.said = {
        "/x/s64/a.jpg": Said(content=small), "/x/s64/b.jpg": NOT_FOUND, "/x/s1600/b.jpg": Said(content=jpeg(6))
    }  # fmt: skip
    rows: Rows = [{"id": i, "url": f"{at}/x/s1600/{i}.jpg", "landmark_id": "x"} for i in "ab"]
    done = get(rows, given={"hosts": table}, max_side_px=64)
    assert done.catalog.table["fetched_from"].to_list() == [
        f"{at}/x/s64/a.jpg",
        f"{at}/x/s1600/b.jpg",
    ]
    assert done.catalog.table["source"].to_list() == [row["url"] for row in rows]


def test_a_packed_list_is_read_and_nothing_of_it_is_left(
    server: PhotoServer, tmp_path: Path
) -> None:
    plain = write_list(tmp_path / "list.csv", listed(server, 3))
    (tmp_path / "list.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    done = download(tmp_path / "work", urls=tmp_path / "list.csv.gz", settings=SETTINGS)
    assert ends(done) == [KEPT] * 3
    assert {path.name for path in done.work.root.iterdir()} == {
        ".lock", "cards", "catalog.parquet", "images", "journal.sqlite", "landmarks.parquet", "parts", "reports"
    }  # fmt: skip


def test_a_selection_is_fetched_and_a_larger_one_adds_to_it(server: PhotoServer, get: Get) -> None:
    rows = listed(server, 20, n_landmarks=4)
    few = get(rows, given={"selecting": SelectSettings(per_landmark=2)})
    assert dict(few.catalog.counts()) == {"kept": 8, "excluded: not chosen": 12}
    more = get(rows, given={"selecting": SelectSettings(per_landmark=3)})
    assert more.tally.n_kept == 12
    assert len(server.book.asked) == 12


# between runs


def test_a_second_run_asks_for_nothing_and_leaves_the_same_catalog(
    server: PhotoServer, get: Get
) -> None:
    server.said["/2.jpg"] = NOT_FOUND
    first, again = (get(listed(server, 9)).catalog.table for _ in range(2))
    assert len(server.book.asked) == 9
    assert again.equals(first)


def test_images_that_are_gone_or_cut_short_are_fetched_again_and_no_others(
    server: PhotoServer, get: Get
) -> None:
    first = get(listed(server, 9))
    gone, cut = (first.work.root / first.catalog.table["path"][n] for n in (3, 5))
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    again = get(listed(server, 9))
    assert [server.n_asked(n) for n in range(9)] == [1, 1, 1, 2, 1, 2, 1, 1, 1]
    assert [path.read_bytes() for path in (gone, cut)] == [photo(3), photo(5)]
    assert ends(again) == [KEPT] * 9


def test_new_rows_of_a_list_are_fetched_and_rows_that_left_it_leave_the_catalog(
    server: PhotoServer, get: Get
) -> None:
    get(listed(server, 6))
    assert len(ends(get(listed(server, 9)))) == 9
    assert len(ends(get(listed(server, 4)))) == 4
    assert ends(get(listed(server, 9))) == [KEPT] * 9
    # Rows that come back find their images where they were.
    assert len(server.book.asked) == 9


def test_rows_in_another_order_are_the_same_rows(server: PhotoServer, get: Get) -> None:
    get(listed(server, 9))
    done = get(listed(server, 9)[::-1])
    assert done.catalog.table["image_id"].to_list() == [f"i{n:05}" for n in range(8, -1, -1)]
    assert len(server.book.asked) == 9


def test_a_row_with_another_address_is_fetched_anew(server: PhotoServer, get: Get) -> None:
    rows = listed(server, 3)
    get(rows)
    rows[1]["url"] = server.url(50)
    done = get(rows)
    assert (done.work.root / done.catalog.table["path"][1]).read_bytes() == photo(50)
    assert len(server.book.asked) == 4
    assert len(files(done)) == 3


def test_passing_causes_are_tried_again_and_others_only_where_asked(
    server: PhotoServer, get: Get
) -> None:
    server.said = {"/0.jpg": NOT_FOUND, "/1.jpg": BROKEN, "/2.jpg": Said(content=b"<html>")}
    rows = listed(server, 4)
    get(rows, attempts=2)
    assert [server.n_asked(n) for n in range(4)] == [1, 2, 1, 1]
    server.said.clear()
    assert ends(get(rows))[:3] == [("failed", "not found"), KEPT, ("failed", "not an image")]
    assert ends(get(rows, given={"retry_failed": "not found"}))[:1] == [KEPT]
    assert ends(get(rows, given={"retry_failed": "all"})) == [KEPT] * 4
    assert [server.n_asked(n) for n in range(4)] == [2, 3, 2, 1]


def test_a_cause_that_there_is_not_names_the_nearest(server: PhotoServer, get: Get) -> None:
    with pytest.raises(
        SettingsError, match=r"--retry-failed is 'not fond'.*did you mean not found\?"
    ):
        get(listed(server, 1), given={"retry_failed": "not fond"})


def test_photos_that_are_in_no_tar_cannot_be_retried_one_by_one(get: Get) -> None:
    rows: Rows = [{"id": "a", "url": "http://a.test/a.jpg", "landmark_id": "x"}]
    with pytest.raises(SettingsError, match=r"'not in its tar'.*remove its tar_state\.json"):
        get(rows, given={"retry_failed": "not in its tar"})


@pytest.mark.parametrize("limit", ["20", "15%"])
def test_too_many_failures_end_the_run_and_the_next_goes_on(
    server: PhotoServer, get: Get, limit: str
) -> None:
    server.said = {f"/{number}.jpg": NOT_FOUND for number in range(0, 600, 5)}
    done = get(listed(server, 600), max_failures=limit)
    assert done.failed_too_often
    assert not done.was_stopped
    n_done = len(server.book.asked)
    assert 95 <= n_done < 300
    assert ends(done).count(PENDING) == 600 - n_done
    rest = get(listed(server, 600))
    assert dict(rest.catalog.counts()) == {"kept": 480, "failed: not found": 120}
    assert len(server.book.asked) == 600


def test_images_of_one_folder_are_made_in_one_way(server: PhotoServer, get: Get) -> None:
    first = get(listed(server, 3)).catalog.table
    with pytest.raises(SettingsError) as caught:
        get(listed(server, 3), max_side_px=64, quality=80)
    assert [problem.split(";")[0] for problem in caught.value.problems] == [
        "--max-side-px is 64", "--quality is 80"
    ]  # fmt: skip
    assert "1024 was expected" in caught.value.problems[0]
    again = get(listed(server, 3), concurrency=3, photo_s=9)
    assert again.catalog.table.equals(first)


def test_where_nothing_was_kept_yet_another_way_is_as_good(server: PhotoServer, get: Get) -> None:
    server.said["/0.jpg"] = BROKEN
    get(listed(server, 1), attempts=1)
    server.said.clear()
    assert get(listed(server, 1), max_side_px=32).catalog.table["width_px"].to_list() == [32]


# several lists


def test_ids_that_two_lists_share_are_two_images(server: PhotoServer, get: Get) -> None:
    rows, others = listed(server, 3), listed(server, 3)
    for number, row in enumerate(others):
        row["url"] = server.url(100 + number)
    ids = get(rows).catalog.table["image_id"].to_list()
    for _ in range(2):
        second = get(others, name="other.csv")
        third = get(rows)
    assert second.tally.n_kept == third.tally.n_kept == 3
    table = third.catalog.table
    assert table["image_id"].n_unique() == table["path"].n_unique() == 6
    seen = {
        row["source"]: (third.work.root / row["path"]).read_bytes()
        for row in table.iter_rows(named=True)
    }
    assert seen == {server.url(n): photo(n) for n in (0, 1, 2, 100, 101, 102)}
    assert len(server.book.asked) == 6
    own = table.filter(pl.col("list") == third.tally.list_name)
    assert own["image_id"].to_list() == ids


def test_ids_of_two_lists_that_differ_in_case_are_two_files_also_where_case_does_not_count(
    server: PhotoServer, get: Get
) -> None:
    first: Rows = [{"id": "Gate", "url": server.url(0), "landmark_id": "x"}]
    second: Rows = [{"id": "gate", "url": server.url(1), "landmark_id": "x"}]
    get(first)
    done = get(second, name="other.csv")
    table = done.catalog.table
    assert table["image_id"][0] == "Gate"
    assert {path.casefold() for path in table["path"]} == {path.casefold() for path in files(done)}
    assert len({path.casefold() for path in table["path"]}) == 2
    assert [(done.work.root / path).read_bytes() for path in table["path"]] == [photo(0), photo(1)]


def test_a_copy_of_a_list_under_another_name_fetches_nothing_again(
    server: PhotoServer, get: Get
) -> None:
    get(listed(server, 3))
    done = get(listed(server, 4), name="copy.csv")
    assert ends(done) == [("duplicate", "duplicate bytes")] * 3 + [KEPT]
    assert len(server.book.asked) == 4


def test_imported_and_downloaded_images_are_dealt_together(
    server: PhotoServer, get: Get, tmp_path: Path
) -> None:
    photos = photo_folder(tmp_path / "photos", {"landmark_0": 5, "tower": 5})
    (photos / "tower" / "same.jpg").write_bytes(photo(1))
    import_photos(tmp_path / "work", lists=Lists(photos))
    done = get(listed(server, 10, n_landmarks=2))
    table = done.catalog.table
    assert dict(done.catalog.counts()) == {"kept": 20, "duplicate: duplicate bytes": 1}
    assert sum(split(tmp_path / "work").split.counts().values()) == 20
    again = import_photos(tmp_path / "work", lists=Lists(photos))
    # The list that was read last stands last.
    before, after = (found.sort("list", "row") for found in (table, again.catalog.table))
    assert after.equals(before)
    assert len(files(done)) == 21


def test_shards_are_dealt_and_trained_on_as_files_are(
    server: PhotoServer, get: Get, tmp_path: Path, tiny_backbone: Path
) -> None:
    rows = listed(server, 24, n_landmarks=3)
    for landmark in range(3):
        for number, content in enumerate(alike_photos(100 + landmark, 8)):
            server.said[f"/{landmark + 3 * number}.jpg"] = Said(content=content)
    done = get(rows, output="shards", shard_images=10)
    read = FolderStore(done.work.root).read
    for row in done.catalog.table.iter_rows(named=True):
        assert read(row["path"]) == server.said[f"/{row['row'] - 1}.jpg"].content
    assert {path.name for path in (done.work.root / "shards").iterdir()} == {
        f"0000{number}.tar" for number in range(3)
    }
    split(tmp_path / "work", settings=SplitSettings(ratio=(0.5, 0.0, 0.5)))
    describing = DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,))
    assert train(tmp_path / "work", describing=describing).n_images == 12


def test_the_whole_way_begins_with_a_list(
    server: PhotoServer, tmp_path: Path, tiny_backbone: Path
) -> None:
    for number in range(24):
        server.said[f"/{number}.jpg"] = Said(content=alike_photos(number % 3, 8)[number // 3])
    done = run(
        tmp_path / "work",
        lists=Addresses(
            write_list(tmp_path / "list.csv", listed(server, 24, n_landmarks=3)), SETTINGS
        ),
        splitting=SplitSettings(ratio=(0.5, 0.0, 0.5)),
        describing=DescribeSettings(backbone=str(tiny_backbone), sides_px=(64,)),
    )
    assert isinstance(done.gathered, Downloaded)
    assert done.evaluated is not None
    assert done.evaluated.scores.gap.value is not None


# the list and the hosts, before anything is asked for


def test_a_look_says_what_is_left_and_changes_nothing(
    server: PhotoServer, get: Get, tmp_path: Path
) -> None:
    rows = listed(server, 9)
    rows[1]["url"], rows[2]["id"] = "None", rows[3]["id"]
    urls = write_list(tmp_path / "list.csv", rows)
    found = look(tmp_path / "work", urls=urls, settings=SETTINGS)
    assert (found.n_wanted, found.counts[Verdict.FETCH], sum(found.counts.values())) == (7, 7, 9)
    assert found.cost.n_rows == 7
    assert not (tmp_path / "work").exists()
    assert not server.book.asked
    server.said["/5.jpg"] = NOT_FOUND
    get(rows)
    assert look(tmp_path / "work", urls=urls, settings=SETTINGS).n_wanted == 0
    for cause, n_wanted in (("not found", 1), ("gone", 0)):
        found = look(tmp_path / "work", urls=urls, settings=SETTINGS, retry_failed=cause)
        assert found.n_wanted == n_wanted


def test_after_a_kill_the_paths_that_are_known_are_read_some_at_a_time(
    server: PhotoServer, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def known(paths: Iterator[pl.Series]) -> KnownPaths:
        assert next(paths, None) is not None  # the journal's, all of them
        several = list(paths)
        sizes.extend(map(len, several))
        return KnownPaths(several)

    rows = listed(server, 7)
    done = get(rows)
    with Journal.open(done.work.journal_path) as journal:
        journal.begin()
    monkeypatch.setattr(download_run, "PATHS_AT_ONCE", 3)
    monkeypatch.setattr(download_run, "KnownPaths", known)
    assert ends(get(rows)) == [KEPT] * 7
    assert sizes == [3, 3, 1]
    assert len(files(done)) == 7


def test_hosts_that_want_a_contact_are_named_before_anything_is_asked_for(
    server: PhotoServer, get: Get, tmp_path: Path
) -> None:
    table = tmp_path / "hosts.toml"
    table.write_text(
        '[[rule]]\nhosts = ["127.0.0.1"]\ncontact_required = true\nsource = "https://rules.test"\nrate_per_s = 99\n'
    )
    with pytest.raises(
        SettingsError,
        match=r"127\.0\.0\.1:\d+ \(3 rows of the list\).*rules\.test.*add .*--contact",
    ):
        get(listed(server, 3), given={"hosts": table})
    assert not server.book.asked
    assert (
        get(listed(server, 3), given={"hosts": table}, contact="me@example.org").tally.n_kept == 3
    )
    assert "me@example.org" in server.book.asked[0].headers["user-agent"]


def test_two_at_once_in_one_work_folder_are_refused(
    server: PhotoServer, get: Get, tmp_path: Path
) -> None:
    with (
        WorkFolder(tmp_path / "work").locked(),
        pytest.raises(InputError, match="in use by another"),
    ):
        get(listed(server, 1))


# while it runs


def test_thousands_of_rows_of_a_dead_host_hold_up_no_others(server: PhotoServer, get: Get) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        at = f"http://127.0.0.1:{closed.getsockname()[1]}"
        rows: Rows = [
            {"id": f"d{n}", "url": f"{at}/{n}.jpg", "landmark_id": "x"} for n in range(5000)
        ]
        looking = Looking()
        looking.look = lambda now: looking.stopping.ask() if now.n_kept == 300 else None
        done = get(rows + listed(server, 300), given={"attended": looking})
    assert done.was_stopped
    assert done.tally.n_kept == 300
    # The first cooling of a host that does not answer takes half a minute.
    assert looking.told[-1].elapsed_s < 25
    assert ends(done)[:5000].count(PENDING) > 4900


def test_a_download_tells_how_far_it_is(server: PhotoServer, get: Get) -> None:
    server.delay_s, server.said["/7.jpg"] = 0.05, NOT_FOUND
    looking = Looking()
    get(listed(server, 200), given={"attended": looking})
    done = [now.n_kept + now.n_failed for now in looking.told]
    assert done == sorted(done)
    assert done[-1] == 200
    assert looking.told[-1].causes == {"not found": 1}
    assert 0 < max(now.n_running for now in looking.told) <= SETTINGS.concurrency
    assert any(now.eta_s is not None and now.hosts for now in looking.told[:-1])


def test_a_full_disk_pauses_a_download_and_no_photo_fails_for_it(
    server: PhotoServer, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking, sync = Looking(), os.fsync

    def refused_at_first(handle: int) -> None:
        if not any(now.waits_for for now in looking.told):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    monkeypatch.setattr(os, "fsync", refused_at_first)
    monkeypatch.setattr("cairn.stages.download.space.TRY_AGAIN_S", 0.1)
    done = get(listed(server, 60), given={"attended": looking})
    assert ends(done) == [KEPT] * 60
    assert {now.waits_for for now in looking.told} == {
        None, "the disk is full: free some space, and the download goes on by itself"
    }  # fmt: skip
    assert not list(done.work.root.rglob("*.part"))


def test_a_disk_that_will_be_full_before_the_end_is_told_before_anything_is_fetched(
    server: PhotoServer, get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Memory()
    monkeypatch.setattr("cairn.pipeline.downloading.free_for", lambda path: Free(10**6, 10**9))
    get(listed(server, 9), given={"watch": noted})
    assert [text[:27] for text in noted.notes] == ["the disk has 0.00 GB and ro"]
    urls = write_list(tmp_path / "more.csv", listed(server, 30))
    assert "it will be full before the end" in look(tmp_path / "work", urls=urls).room
    monkeypatch.setattr("cairn.pipeline.downloading.free_for", lambda path: Free(10**12, 10**9))
    assert look(tmp_path / "work", urls=urls).room.endswith(" left: enough")
    get(listed(server, 30), given={"watch": noted})
    assert len(noted.notes) == 1


def test_a_disk_with_little_left_pauses_before_it_is_full(
    server: PhotoServer, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = Looking()

    def free_at(path: Path) -> Free:
        return Free(10**12 if any(now.waits_for for now in looking.told) else 10**6, None)

    monkeypatch.setattr("cairn.pipeline.fetching.free_at", free_at)
    done = get(listed(server, 9), given={"attended": looking}, spare_disk_mb=2)
    assert done.tally.n_kept == 9
    assert "the disk has 1.0 MB left, less than the 2 MB" in str(looking.told[0].waits_for)
    assert looking.told[-1].waits_for is None


def test_stopped_at_once_a_download_leaves_no_file_that_the_next_run_keeps_by_chance(
    server: PhotoServer, get: Get
) -> None:
    looking = Looking()
    looking.look = lambda now: [looking.stopping.ask() for _ in range(2)] if now.n_kept else None
    rows, server.delay_s = listed(server, 400), 0.02
    stopped = get(rows, given={"attended": looking})
    assert stopped.was_stopped
    astray = stopped.work.root / "images/landmark_3/left.jpg"
    astray.write_bytes(b"what a thread wrote when nobody waited for it any more")
    done = get(rows)
    assert done.tally.n_kept == 400
    assert files(done) == set(done.catalog.table["path"])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is looked up in /proc")
def test_memory_stays_flat_over_thousands_of_rows(server: PhotoServer, tmp_path: Path) -> None:
    running = begun(
        tmp_path / "work", write_list(tmp_path / "list.csv", listed(server, 3000)), mark="memory"
    )
    seen: list[tuple[int, int]] = []
    while running.poll() is None:
        seen.append((len(server.book.asked), resident_bytes("memory")))
        time.sleep(0.05)
    assert "3,000 rows: 3,000 images" in running.communicate()[0]
    early = max(n_bytes for n_asked, n_bytes in seen if n_asked < 1000)
    most = max(n_bytes for _, n_bytes in seen)
    assert early <= most < early + 20e6 < 320e6


def test_what_a_setting_refused_is_tried_once_the_setting_has_changed(
    server: PhotoServer, tmp_path: Path
) -> None:
    urls = write_list(tmp_path / "list.csv", listed(server, 3))
    closed = SETTINGS.model_copy(update={"allow_private": False})
    refused = download(tmp_path / "work", urls=urls, settings=closed)
    assert refused.tally.ends == (("failed", "private address", 3),)
    assert look(tmp_path / "work", urls=urls, settings=closed).n_wanted == 0
    assert look(tmp_path / "work", urls=urls, settings=SETTINGS).n_wanted == 3
    small = SETTINGS.model_copy(update={"max_bytes": 1000})
    assert download(tmp_path / "work", urls=urls, settings=small).tally.n_kept == 0
    assert download(tmp_path / "work", urls=urls, settings=SETTINGS).tally.n_kept == 3


class Killed(BaseException):
    """Ends a run as a kill would: nothing after it is done."""


def refused_by_size(get: Get, rows: Rows, **more: Any) -> None:
    assert ends(get(rows, max_bytes=1000, **more)) == [("failed", "too many bytes")] * len(rows)


def stopped_at(n_kept: int) -> Looking:
    looking = Looking()
    looking.look = lambda now: looking.stopping.ask() if now.n_kept >= n_kept else None
    return looking


def test_a_limit_that_was_raised_is_raised_also_for_the_rows_that_an_interrupted_run_left(
    server: PhotoServer, get: Get
) -> None:
    rows = listed(server, 60)
    refused_by_size(get, rows)
    server.delay_s = 0.05
    stopped = get(rows, given={"attended": stopped_at(4)}, concurrency=2)
    assert stopped.was_stopped
    left = ends(stopped)
    assert (left.count(KEPT) >= 4, left.count(PENDING) > 0, len(set(left))) == (True, True, 2)
    server.delay_s = 0.0
    assert ends(get(rows)) == [KEPT] * 60


def test_a_limit_that_was_raised_between_two_lists_is_raised_for_both(
    server: PhotoServer, get: Get
) -> None:
    rows, others = listed(server, 6)[:3], listed(server, 6)[3:]
    refused_by_size(get, rows)
    assert ends(get(others, name="other.csv")) == [KEPT] * 3
    assert ends(get(rows)) == [KEPT] * 3
    assert [server.n_asked(number) for number in range(6)] == [2, 2, 2, 1, 1, 1]


def test_a_run_that_was_killed_before_it_wrote_a_card_has_noted_its_limits(
    server: PhotoServer, get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise Killed

    rows = listed(server, 3)
    with monkeypatch.context() as patched:
        patched.setattr(download_run, "write_rows", kill)
        with pytest.raises(Killed):
            get(rows, max_bytes=1000)
    assert not (tmp_path / "work/cards/download.json").exists()
    urls, small = tmp_path / "list.csv", SETTINGS.model_copy(update={"max_bytes": 1000})
    assert look(tmp_path / "work", urls=urls, settings=small).n_wanted == 0
    assert look(tmp_path / "work", urls=urls, settings=SETTINGS).n_wanted == 3
    assert ends(get(rows)) == [KEPT] * 3
