import asyncio
import errno
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cairn.base.errors import CairnError, DiskError
from cairn.images.fetch.causes import FetchCause, FetchError
from cairn.images.keeping import KeptImage
from cairn.images.pixels import Cause, PixelError
from cairn.stages.download.journal import Outcome
from cairn.stages.download.orders import Ended
from cairn.stages.download.progress import Counts, Snapshot, Stopping
from cairn.stages.download.space import Free, Room
from cairn.stages.gld.datasets import DATASETS
from cairn.stages.gld.id_table import Numbers
from cairn.stages.gld.part_rows import PartRows
from cairn.stages.gld.sought import Sought
from cairn.stages.gld.tar_crew import TARS_ON_DISK, TarCrew
from cairn.stages.gld.tar_orders import TarHands, TarOrders
from cairn.stages.gld.tars import TarCause, TarError, TarReader, member_name
from tests.stages.gld.published import image_id, packed

IDS = [image_id(number) for number in range(12)]
FULL = OSError(errno.ENOSPC, "full")
BAD = b"bad"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("download.space.TRY_AGAIN_S", "download.ticking.TICK_S", "gld.tar_crew.TICK_S",
                 "gld.tar_crew.LOOK_AGAIN_S"):  # fmt: skip
        monkeypatch.setattr(f"cairn.stages.{name}", 0.002)


def full_disk() -> DiskError:
    error = DiskError("the disk is full")
    error.__cause__ = FULL
    return error


@dataclass
class Shelf:
    """Tars in a folder; those of `lost` cannot be had, or not before so many tries."""

    folder: Path
    lost: dict[str, list[CairnError]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ended: dict[str, object] = field(default_factory=dict)
    held: dict[str, set[int]] = field(default_factory=dict)
    n_here: int = 0
    most_here: int = 0
    on_done: Callable[[], object] = lambda: None

    async def tar(self, tar: str) -> Path:
        self.asked.append(tar)
        await asyncio.sleep(0)
        if self.lost.get(tar):
            raise self.lost[tar].pop(0)
        self.n_here += 1
        self.most_here = max(self.most_here, self.n_here)
        return self.folder / tar

    def done(self, tar: str, reader: TarReader, *, ids: Numbers) -> None:
        self.on_done()
        self.ended[tar], self.held[tar] = "done", set(ids.tolist())
        self.n_here -= 1

    def failed(self, tar: str, error: TarError) -> None:
        self.ended[tar] = error.cause
        self.n_here -= 1


@dataclass
class Disk:
    """Output, journal and decoders; `on_write` and `on_record` may raise before."""

    on_write: Callable[[int], object] = lambda index: None
    on_record: Callable[[], object] = lambda: None
    n_writers: int = 2
    ends: dict[int, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    n_decoding: int = 0
    most_decoding: int = 0

    async def keep(self, content: bytes) -> KeptImage:
        self.n_decoding += 1
        self.most_decoding = max(self.most_decoding, self.n_decoding)
        await asyncio.sleep(0.001)
        self.n_decoding -= 1
        if content == BAD:
            raise PixelError(Cause.NOT_AN_IMAGE, "no image")
        return KeptImage(content, ".jpg", 4, 3, "aa", "bb", b"like")

    def write(self, images: Sequence[tuple[int, KeptImage]]) -> list[str | DiskError]:
        assert threading.current_thread() is not threading.main_thread()
        return [self.kept_at(index) for index, _ in images]

    def kept_at(self, index: int) -> str | DiskError:
        try:
            self.on_write(index)
        except DiskError as error:
            return error
        return f"images/{index}.jpg"

    def flush(self) -> None:
        pass

    def record(self, outcomes: Sequence[Outcome]) -> None:
        self.on_record()
        self.outcomes += outcomes
        self.ends |= {outcome.key: outcome.cause or outcome.status for outcome in outcomes}


def shelf(folder: Path, contents: dict[str, bytes] | None = None, *, n_tars: int = 3) -> Shelf:
    """Tars of four photos each; `contents` by id are other bytes."""
    for number in range(n_tars):
        some = IDS[number * 4 : number * 4 + 4]
        members = {member_name(i): (contents or {}).get(i, i.encode()) for i in some}
        (folder / f"{number}.tar").write_bytes(packed(members))
    return Shelf(folder)


def worked(
    shelf: Shelf,
    disk: Disk,
    *,
    tars: Sequence[str] = ("0.tar", "1.tar", "2.tar"),
    wanted: Sequence[int] = range(12),
    stopping: Stopping | None = None,
    tell: Callable[[Snapshot], None] = lambda now: None,
    free: Callable[[], Free] = lambda: Free(10**12, None),
    notes: list[str] | None = None,
    **orders: Any,  # whatever else a test orders the crew
) -> Ended:
    """How a crew's run over tars ended; the key of a row is its position."""
    gld = DATASETS["gld-v2"]
    (shelf.folder / "index.csv").write_text("id\n" + "".join(f"{i}\n" for i in IDS))
    is_wanted = np.zeros(12, np.bool_)
    is_wanted[list(wanted)] = True
    paths = {"index.csv": shelf.folder / "index.csv"}

    async def run(rows: PartRows) -> Ended:
        told = TarOrders(
            tars=tars, sought=Sought(rows, is_wanted), key_of=int, n_rows=len(wanted),
            address_of=lambda tar: f"http://host/{tar}", **{"max_bytes": 100, "n_at_once": 3, **orders},
        )  # fmt: skip
        room = Room(free, spare_bytes=1)
        hands = TarHands(shelf, disk, disk, disk, room, Counts(), (notes or []).append)
        crew = TarCrew(told, hands, stopping=stopping or Stopping(), tell=tell)
        async with asyncio.timeout(20):
            return await crew.run()

    with PartRows(gld, gld.part("index"), paths) as rows:
        return asyncio.run(run(rows))


def test_every_photo_of_every_tar_is_kept_and_each_tar_is_done(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path), Disk()
    ended = worked(tars, disk)
    assert disk.ends == dict.fromkeys(range(12), "kept")
    assert tars.ended == dict.fromkeys(("0.tar", "1.tar", "2.tar"), "done")
    assert tars.held["1.tar"] == {int(i, 16) for i in IDS[4:8]}
    assert (ended.counts.n_kept, ended.was_stopped, ended.was_cut) == (12, False, False)
    assert disk.outcomes[0].fetched_from == f"http://host/0.tar#{member_name(IDS[0])}"


def test_only_what_is_looked_for_is_decoded_and_the_tar_knows_all_it_held(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path), Disk()
    worked(tars, disk, wanted=[2, 5])
    assert set(disk.ends) == {2, 5}
    assert len(tars.held["0.tar"]) == 4


def test_a_photo_in_two_tars_is_kept_once(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path), Disk()
    (tmp_path / "1.tar").write_bytes((tmp_path / "0.tar").read_bytes())
    worked(tars, disk)
    assert sorted(outcome.key for outcome in disk.outcomes) == [0, 1, 2, 3, 8, 9, 10, 11]


def test_tars_on_the_disk_and_photos_in_work_are_bounded(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path), Disk()
    worked(tars, disk)
    assert tars.most_here <= TARS_ON_DISK
    assert disk.most_decoding == 3


def test_a_photo_that_is_none_costs_its_row(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path, {IDS[1]: BAD, IDS[2]: b"x" * 101}), Disk()
    ended = worked(tars, disk)
    assert {key: end for key, end in disk.ends.items() if end != "kept"} == {
        1: "not an image", 2: "too many bytes",
    }  # fmt: skip
    assert ended.counts.causes.total() == 2


def test_a_tar_that_cannot_be_had_is_noted_and_the_next_is_read(tmp_path: Path) -> None:
    tars, disk, notes = shelf(tmp_path), Disk(), ["begin"]
    tars.lost["1.tar"] = [FetchError(FetchCause.NOT_FOUND, "gone")]
    worked(tars, disk, notes=notes)
    assert sorted(disk.ends) == [0, 1, 2, 3, 8, 9, 10, 11]
    assert notes == ["begin", "1.tar: not found: gone"]


def test_after_three_lost_in_a_row_the_others_are_left(tmp_path: Path) -> None:
    tars, disk, notes = shelf(tmp_path), Disk(), ["begin"]
    tars.lost = {f"{n}.tar": [FetchError(FetchCause.BUSY, "later")] for n in range(3)}
    worked(tars, disk, tars=["0.tar", "1.tar", "2.tar", "3.tar"], notes=notes)
    assert tars.asked == ["0.tar", "1.tar", "2.tar"]
    assert "the others are left for another run" in notes[-1]


def test_a_tar_that_is_cut_off_gives_what_it_has_and_fails(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path), Disk()
    (tmp_path / "0.tar").write_bytes((tmp_path / "0.tar").read_bytes()[:3000])
    worked(tars, disk)
    assert tars.ended["0.tar"] == TarCause.CUT_OFF
    assert 0 in disk.ends
    assert 3 not in disk.ends
    assert tars.ended["1.tar"] == "done"


def full_times(n: int) -> Callable[..., None]:
    """Raises as a full disk does, the first `n` times."""
    left = [n]

    def refuse(*_: object) -> None:
        if left[0]:
            left[0] -= 1
            raise full_disk()

    return refuse


@pytest.mark.parametrize("where", ["write", "record", "fetch", "done"])
def test_a_full_disk_is_waited_for_and_costs_no_photo(tmp_path: Path, where: str) -> None:
    tars, disk = shelf(tmp_path), Disk()
    waits: list[str | None] = []
    if where == "write":
        disk.on_write = full_times(6)
    elif where == "record":
        disk.on_record = full_times(6)
    elif where == "done":
        tars.on_done = full_times(6)
    else:
        tars.lost["0.tar"] = [full_disk() for _ in range(6)]
    worked(tars, disk, tell=lambda now: waits.append(now.waits_for))
    assert disk.ends == dict.fromkeys(range(12), "kept")
    assert set(tars.ended.values()) == {"done"}
    assert any(wait and "the disk is full" in wait for wait in waits)


def test_while_the_disk_has_too_little_left_nothing_new_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cairn.stages.download.space.LOOK_AGAIN_S", 0)
    tars, disk, asked = shelf(tmp_path), Disk(), [0]

    def free() -> Free:
        asked[0] += 1
        if asked[0] < 20:
            assert not disk.ends
        return Free(0 if asked[0] < 20 else 10**12, None)

    worked(tars, disk, free=free)
    assert len(disk.ends) == 12


def test_a_disk_that_refuses_for_another_reason_ends_the_run(tmp_path: Path) -> None:
    def refuse(index: int) -> None:
        raise DiskError("read-only")

    with pytest.raises(DiskError, match="read-only"):
        worked(shelf(tmp_path), Disk(on_write=refuse))


@pytest.mark.parametrize("times", [1, 2])
def test_asked_to_end_a_tar_that_is_not_read_to_its_end_is_not_done(
    tmp_path: Path, times: int
) -> None:
    tars, disk, stopping = shelf(tmp_path), Disk(), Stopping()

    def ask(index: int) -> None:
        while index == 1 and not (stopping.is_stopping if times == 2 else stopping.is_draining):
            stopping.ask()

    disk.on_write = ask
    ended = worked(tars, disk, stopping=stopping, n_at_once=1)
    assert ended.was_stopped
    assert ended.was_cut == (times == 2)
    assert tars.ended == {}
    assert len(disk.ends) < 8
    assert len(disk.ends) == ended.counts.n_done


def test_too_many_failures_end_the_run(tmp_path: Path) -> None:
    tars, disk = shelf(tmp_path, dict.fromkeys(IDS, BAD)), Disk()
    ended = worked(tars, disk, is_too_much=lambda n_done, n_failed: n_failed >= 2)
    assert ended.failed_too_often
    assert 2 <= len(disk.ends) <= 2 + 3


def test_without_tars_there_is_nothing_to_do(tmp_path: Path) -> None:
    told: list[Snapshot] = []
    worked(shelf(tmp_path), Disk(), tars=[], tell=told.append)
    assert told[-1].hosts == ()


def test_what_is_told_adds_up(tmp_path: Path) -> None:
    told: list[Snapshot] = []
    worked(shelf(tmp_path, {IDS[1]: BAD}), Disk(), tell=told.append)
    last = told[-1]
    assert (last.n_rows, last.n_kept, last.n_failed, last.causes) == (
        12,
        11,
        1,
        {"not an image": 1},
    )
    assert last.hosts[0].host == "host"
    assert (last.n_running, last.waits_for) == (0, None)
