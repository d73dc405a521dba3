"""A download that is killed at any moment, and run again, ends as one that was left alone."""

import itertools
import json
import random
import subprocess
import tarfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from cairn.base.files import digest_bytes
from cairn.images.store import FolderStore, Inside
from cairn.records.catalog import KEPT, Catalog
from cairn.stages.download.journal import Journal
from tests.serving import PhotoServer, Said, begun, listed, marked, photo, write_list

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc"),
]
LONGEST_S = 300.0
POLL_S = 0.002
# What depends on when and how often a photo was asked for.
OF_CHANCE = ("fetched_at", "attempts")
Moment = Callable[["Work"], bool]


@dataclass
class Work:
    """A work folder, and the runs that fill it from a list."""

    root: Path
    urls: Path
    server: PhotoServer
    flags: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    n_before: int = 0
    began: float = 0.0

    def begin(self) -> subprocess.Popen[str]:
        self.n_before, self.began = len(self.server.book.asked), time.monotonic()
        return begun(self.root, self.urls, *self.flags, mark=self.mark)

    @property
    def n_asked(self) -> int:
        """Requests of the run that was begun last."""
        return len(self.server.book.asked) - self.n_before

    def finish(self) -> str:
        """What a run says that ends by itself."""
        said, wrong = self.begin().communicate(timeout=LONGEST_S)
        assert "next: cairn split" in said, wrong
        return said

    def kill(self, moment: Moment, *, after_s: float) -> bool:
        """Whether a run was killed, so long after its moment had come; it may have been quicker."""
        run = self.begin()
        while not moment(self) and run.poll() is None:
            assert time.monotonic() - self.began < LONGEST_S
            time.sleep(POLL_S)
        time.sleep(after_s)
        was_there = run.poll() is None
        run.kill()
        run.communicate()
        return was_there

    def require_none_lives(self) -> None:
        deadline = time.monotonic() + 10
        while living := marked(self.mark):
            assert time.monotonic() < deadline, living
            time.sleep(0.05)

    def files(self) -> dict[str, str]:
        """The digest of every image by its path, and the names of all else."""
        paths = [path for path in self.root.rglob("*") if path.is_file()]
        names = {path.relative_to(self.root).as_posix(): path for path in paths}
        return {
            name: digest_bytes(path.read_bytes()) if name.startswith("images/") else ""
            for name, path in names.items()
        }

    def table(self) -> pl.DataFrame:
        return Catalog.read(self.root / "catalog.parquet").table


def after(seconds: float) -> Moment:
    return lambda work: time.monotonic() - work.began >= seconds


def asked(n: int) -> Moment:
    return lambda work: work.n_asked >= n


def writing_the_catalog(work: Work) -> bool:
    return (work.root / "parts" / "download").is_dir()


@pytest.fixture(scope="module")
def server() -> Iterator[PhotoServer]:
    with PhotoServer(3) as running:
        for number in range(0, 2000, 90):
            running.said[f"/{number}.jpg"] = Said(status=404)
        # The same bytes at other addresses: twins, and what a host shows in place of photos.
        for number in range(5, 2000, 70):
            running.said[f"/{number}.jpg"] = Said(content=photo(number - 1))
        for number in range(7, 2000, 300):
            running.said[f"/{number}.jpg"] = Said(content=photo(100_000))
        yield running


@pytest.fixture(scope="module")
def urls(server: PhotoServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of 2,000 rows; some repeat an id or an address, or are none."""
    rows = listed(server, 2000)
    for number in range(20, 2000, 250):
        rows[number]["url"] = rows[number - 9]["url"]
        rows[number + 1]["id"] = rows[number - 8]["id"]
        rows[number + 2]["url"] = "None"
    return write_list(tmp_path_factory.mktemp("list") / "list.csv", rows)


N_KILLS = 20


def moments(rng: random.Random, start_s: float) -> Iterator[Moment]:
    """Before the first request, among the photos, and then while the catalog is written, as often as needed."""
    early = [after(rng.uniform(0.05, 1) * start_s) for _ in range(3)]
    middle = [asked(rng.randint(1, 180)) for _ in range(14)]
    yield from (*early[:2], *middle, early[2])
    yield from itertools.repeat(writing_the_catalog, 5 * N_KILLS)


def test_killed_twenty_times_the_end_is_that_of_an_undisturbed_run(
    server: PhotoServer, urls: Path, tmp_path: Path
) -> None:
    rng = random.Random(20)
    alone, killed = (Work(tmp_path / name, urls, server) for name in ("alone", "killed"))
    alone.finish()
    start_s = server.book.asked[0].at - alone.began
    hits = list[bool]()
    for moment in moments(rng, start_s):
        hits.append(killed.kill(moment, after_s=rng.uniform(0, 0.03)))
        if sum(hits) == N_KILLS:
            break
    # All of them among photos were hit, and as many while the catalog was written as there were to be twenty.
    assert (sum(hits[:17]), sum(hits)) == (17, N_KILLS)
    killed.finish()
    killed.require_none_lives()
    assert killed.files() == alone.files()
    assert killed.table().drop(OF_CHANCE).equals(alone.table().drop(OF_CHANCE))
    assert set(images(killed)) == set(killed.table()["path"].drop_nulls())


def images(work: Work) -> list[str]:
    return [name for name in work.files() if name.startswith("images/")]


def test_shards_of_killed_runs_are_whole(server: PhotoServer, urls: Path, tmp_path: Path) -> None:
    rng = random.Random(3)
    flags = ("--output", "shards", "--shard-images", "150", "--sample", "900")
    work = Work(tmp_path / "work", urls, server, flags)
    for n in (60, 250, 330):
        assert work.kill(asked(n), after_s=rng.uniform(0, 0.5))
    work.finish()
    work.require_none_lives()
    kept = work.table().filter(pl.col("path").is_not_null())
    read = FolderStore(work.root).read
    assert [digest_bytes(read(path)) for path in kept["path"]] == kept["kept_digest"].to_list()
    members = {str(place): told for place, told in samples(work.root)}
    assert members.keys() == set(kept["path"])
    assert len(members) > 800
    for row in kept.iter_rows(named=True):
        told = members[row["path"]]
        assert (told["id"], told["url"]) == (row["image_id"], row["source"])
        assert [told["landmark_id"]] == row["own_landmark_ids"]
    names = sorted(path.name for path in (work.root / "shards").iterdir())
    assert names == [f"{number:05}.tar" for number in range(len(names))]


def samples(root: Path) -> Iterator[tuple[Inside, dict[str, object]]]:
    """Where each image of the shards lies and what is told of it, as WebDataset would find it."""
    for shard in sorted((root / "shards").iterdir()):
        with tarfile.open(shard) as tar:
            members = tar.getmembers()
            keys = [member.name.partition(".")[0] for member in members]
            assert keys[0::2] == keys[1::2]
            assert len(set(keys)) * 2 == len(keys)
            for about, image in zip(members[0::2], members[1::2], strict=True):
                assert (about.name[-5:], image.name[-4:]) == (".json", ".jpg")
                file = tar.extractfile(about)
                assert file is not None
                place = Inside(f"shards/{shard.name}", image.offset_data, image.size)
                yield place, json.loads(file.read())


def test_only_the_photos_under_way_are_fetched_again(
    server: PhotoServer, urls: Path, tmp_path: Path
) -> None:
    work = Work(tmp_path / "work", urls, server, ("--sample", "400"))
    # The journal is told twice a second: something is in it by then, and not all.
    server.delay_s = 0.4
    try:
        assert work.kill(asked(200), after_s=0.1)
    finally:
        server.delay_s = 0.0
    with Journal.open(tmp_path / "work/journal.sqlite") as journal:
        n_recorded = len(journal.kept_keys()) + len(journal.failed())
    assert 0 < n_recorded < 400
    before = len(server.book.asked)
    work.finish()
    assert len(server.book.asked) - before <= 400 - n_recorded
    assert work.table().filter(pl.col("status") == KEPT).height > 350
