import errno
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cairn.base.errors import DiskError, InputError
from cairn.records.catalog import FAILED, KEPT
from cairn.stages.download import journal as module
from cairn.stages.download.journal import OUTCOME_SCHEMA, Journal, Keys, Outcome

WRITER = """
import sys
from pathlib import Path
from cairn.stages.download.journal import Journal, Outcome
journal, first = Journal.open(Path(sys.argv[1])), int(sys.argv[2])
journal.begin()
for start in range(first, first + 1_000_000, 10):
    keys = range(start, start + 10)
    journal.record([Outcome(key=k, status="kept", attempts=1, fetched_at_ms=k) for k in keys])
    print(start + 10, flush=True)
"""


def kept(key: int, *, path: str = "images/a.jpg", digest: str = "cd" * 32) -> Outcome:
    return Outcome(
        key=key, status=KEPT, path=path, width_px=4, height_px=3, size_bytes=key, digest=digest,
        kept_digest="ab" * 32, likeness=bytes(64), attempts=1, fetched_from="https://host/a.jpg",
        http_status=200, fetched_at_ms=1_700_000_000_123,
    )  # fmt: skip


def failed(key: int, cause: str = "not found") -> Outcome:
    return Outcome(
        key=key, status=FAILED, cause=cause, detail="words", http_status=404, attempts=3, fetched_at_ms=5
    )  # fmt: skip


def keys(*numbers: int) -> Keys:
    return np.array(numbers, np.int64)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.open(tmp_path / "journal.sqlite") as opened:
        yield opened


def test_what_was_recorded_is_there_when_the_journal_is_opened_again(tmp_path: Path) -> None:
    outcomes = [kept(-(2**63)), kept(2**63 - 1), failed(0)]
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        journal.record(outcomes)
    with Journal.open(tmp_path / "journal.sqlite") as journal:
        found = journal.outcomes(keys(-(2**63), 2**63 - 1, 0))
    times = found["fetched_at"].dt.epoch("ms").alias("fetched_at_ms")
    read = found.drop("fetched_at").insert_column(-1, times).rows(named=True)
    assert [Outcome(**row) for row in read] == [*outcomes]
    assert found.schema == OUTCOME_SCHEMA
    assert [path.name for path in tmp_path.iterdir()] == ["journal.sqlite"]


def test_the_last_word_on_a_key_counts(journal: Journal) -> None:
    journal.record([failed(1), kept(2), failed(1, "gone")])
    journal.record([kept(1), failed(2)])
    assert journal.kept_keys().tolist() == [1]
    assert journal.failed().rows() == [(2, "not found")]
    assert journal.outcomes(keys(1, 2, 2, 3))["key"].to_list() == [1, 2]


def test_recording_twice_is_recording_once(journal: Journal) -> None:
    journal.record([kept(1), failed(2)])
    once = journal.outcomes(keys(1, 2))
    journal.record([kept(1), failed(2)])
    assert journal.outcomes(keys(1, 2)).equals(once)
    assert sum(len(table) for table in journal.files()) == 1


def test_an_empty_journal_knows_nothing(journal: Journal) -> None:
    assert journal.kept_keys().tolist() == []
    assert journal.failed().is_empty()
    assert journal.outcomes(keys(1)).schema == OUTCOME_SCHEMA
    assert list(journal.files()) == []


def test_outcomes_of_many_keys_are_found_among_many_in_any_order(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 100)
    numbers = np.unique(np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 950))
    np.random.default_rng(1).shuffle(numbers)
    journal.record([failed(int(number)) for number in numbers])
    wanted = numbers[::2]
    assert journal.outcomes(wanted[::-1])["key"].to_list() == wanted.tolist()
    assert journal.failed()["key"].to_list() == numbers.tolist()


def test_images_are_told_by_where_they_lie(journal: Journal) -> None:
    journal.record([kept(1), kept(2, path="shards/00000.tar#1024+5"), failed(3)])
    assert [table.rows() for table in journal.files(inside="shards/")] == [
        [(2, "shards/00000.tar#1024+5", 2)]
    ]
    assert [len(table) for table in journal.files()] == [2]


def test_what_is_forgotten_is_not_known(journal: Journal) -> None:
    journal.record([kept(1), kept(2), failed(3)])
    journal.forget(keys(2, 3, 4))
    journal.forget(keys())
    assert journal.kept_keys().tolist() == [1]
    assert journal.failed().is_empty()


def test_a_run_that_did_not_end_is_known_to_the_next(tmp_path: Path) -> None:
    told = []
    for ends_well in (True, False, True, True):
        with Journal.open(tmp_path / "journal.sqlite") as journal:
            told.append(journal.begin())
            if ends_well:
                journal.end()
    assert told == [True, True, False, True]


def test_notes_are_kept(journal: Journal) -> None:
    assert journal.note("settings") is None
    journal.write_note("settings", {"quality": 90})
    journal.write_note("settings", {"quality": 92})
    assert journal.note("settings") == {"quality": 92}


def test_a_long_detail_is_cut(journal: Journal) -> None:
    journal.record([replace(failed(1), detail="x" * 10_000)])
    assert journal.outcomes(keys(1))["detail"].str.len_chars().to_list() == [300]


def test_a_batch_that_cannot_be_recorded_whole_is_not_recorded(journal: Journal) -> None:
    with pytest.raises(ValueError, match="non-hexadecimal"):
        journal.record([kept(1), kept(2, digest="no digest")])
    journal.record([kept(3)])
    assert journal.kept_keys().tolist() == [3]


def test_a_full_disk_is_told_and_nothing_is_lost(journal: Journal) -> None:
    journal.record([kept(1)])
    (n_pages,) = journal._database.execute("PRAGMA page_count").fetchone()
    journal._database.execute(f"PRAGMA max_page_count = {n_pages}")
    many = [kept(key) for key in range(2, 1000)]
    with pytest.raises(DiskError, match="the disk is full") as caught:
        journal.record(many)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOSPC
    journal._database.execute("PRAGMA max_page_count = 100000")
    assert journal.kept_keys().tolist() == [1]
    journal.record(many)
    assert len(journal.kept_keys()) == 999


def test_another_process_cannot_open_it_meanwhile(journal: Journal, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is in use by another program"):
        Journal.open(tmp_path / "journal.sqlite")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Journal.open(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(InputError, match="has the format 2; at most 1 was expected, a newer Cairn"):
        Journal.open(path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (a)")
    database.close()
    with pytest.raises(InputError, match="is another program's database"):
        Journal.open(path)


def test_a_file_that_is_no_database_is_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(InputError, match=r"is damaged \(file is not a database\)"):
        Journal.open(path)


def test_a_damaged_page_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with Journal.open(path) as journal:
        journal.record([kept(key) for key in range(1000)])
    content = path.read_bytes()
    path.write_bytes(content[:8192] + bytes(len(content) - 8192))
    with Journal.open(path) as journal, pytest.raises(InputError, match="is damaged"):
        journal.kept_keys()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").write_bytes(b"")
    with pytest.raises(DiskError, match="could not be written"):
        Journal.open(tmp_path / "work" / "journal.sqlite")


@pytest.mark.slow
def test_a_kill_at_any_time_loses_nothing_that_was_recorded(tmp_path: Path) -> None:
    path, rng, known = tmp_path / "journal.sqlite", random.Random(0), 0
    for _ in range(8):
        command = [sys.executable, "-c", WRITER, str(path), str(known)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(rng.randrange(1, 400)):
                line = writer.stdout.readline()
            time.sleep(rng.random() * 0.002)
            os.kill(writer.pid, signal.SIGKILL)
            told = [int(line), *map(int, writer.stdout.read().split("\n")[:-1])][-1]
        with Journal.open(path) as journal:
            found = journal.kept_keys()
            assert not journal.begin()
        assert found.tolist() == list(range(len(found)))
        assert len(found) >= told
        assert len(found) % 10 == 0
        known = len(found)
