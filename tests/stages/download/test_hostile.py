"""The whole hostile list of docs/hostile.md goes through `cairn.download`, and each row ends as told there."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cairn
from cairn.base.settings import DownloadSettings
from cairn.images.fetch.addresses import is_public
from cairn.images.pixels import Limits, decode
from cairn.records.catalog import KEPT, Catalog
from tests.hostile.cases import Case, cases
from tests.hostile.hosts import ATTEMPTS, MOST_BYTES
from tests.hostile.listing import placed, write_list
from tests.hostile.names import LOOPBACK, PUBLIC_FACE
from tests.hostile.server import HostileServer
from tests.serving import resident_bytes

# A name that is public only once the command is there; what it gives is checked by what is used of it.
download: Any = getattr(cairn, "download", None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(download is None, reason="there is no cairn.download yet"),
]
LONGEST_S = 120.0
SETTINGS = DownloadSettings(
    max_side_px=256, attempts=ATTEMPTS, dns_s=3, connect_s=3, first_byte_s=5, silence_s=4,
    photo_s=14, max_bytes=MOST_BYTES, spare_disk_mb=0,
)  # fmt: skip
OPEN = [case for case in cases().values() if not case.deed.is_guarded]
GUARDED = [case for case in cases().values() if case.deed.is_guarded]
SAFE_PATH = re.compile(
    r"images/[A-Za-z0-9_][\w.\-]*/[A-Za-z0-9_][\w.\-]*\.(jpg|png|webp)", re.ASCII
)


@dataclass(frozen=True)
class Run:
    """A hostile list that was downloaded: what came of it, and what the server saw."""

    root: Path
    server: HostileServer
    cases: list[Case]
    table: pl.DataFrame
    elapsed_s: float

    def rows_of(self, case: Case) -> list[dict[str, Any]]:
        """The catalog's rows of a case, in the order of the list."""
        return [
            self.table.row(place.row - 1, named=True)
            for place in placed(self.cases)
            if place.case is case
        ]

    def files(self) -> set[str]:
        """Every file of the work folder, by its path in it."""
        work = self.root / "work"
        return {path.relative_to(work).as_posix() for path in work.rglob("*") if not path.is_dir()}


def downloaded(
    root: Path, server: HostileServer, some: list[Case], *, allow_private: bool = True
) -> Run:
    """The run of a list; in a thread, so that one which never ends fails here and not for ever."""
    urls = write_list(root / "list.csv", server, some)
    settings = SETTINGS.model_copy(update={"allow_private": allow_private})
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(
                download(root / "work", urls=urls, settings=settings, lookup=server.lookup)
            )
        # Whatever it is, it belongs to the thread of the test.
        except BaseException as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    began = time.monotonic()
    thread.start()
    thread.join(LONGEST_S)
    assert found, f"the download still runs after {LONGEST_S:g} s"
    if isinstance(found[0], BaseException):
        raise found[0]
    return Run(root, server, some, found[0].catalog.table, time.monotonic() - began)


@pytest.fixture(scope="session")
def open_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The list of everything but what leads inside the network."""
    with HostileServer() as server:
        return downloaded(tmp_path_factory.mktemp("hostile"), server, OPEN)


@pytest.fixture(scope="session")
def guarded_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The list of what leads inside, while one address of the server counts as public and the other does not."""
    with HostileServer() as server, pytest.MonkeyPatch.context() as patch:
        if not server.has_public_face:
            pytest.skip(f"this machine has no address {PUBLIC_FACE}")
        for name, module in list(sys.modules.items()):
            if name.startswith("cairn.images.fetch.") and hasattr(module, "is_public"):
                patch.setattr(module, "is_public", lambda ip: ip == PUBLIC_FACE or is_public(ip))
        yield downloaded(tmp_path_factory.mktemp("guarded"), server, GUARDED, allow_private=False)


@pytest.fixture
def run(case: Case, request: pytest.FixtureRequest) -> Run:
    """The run that a case was part of."""
    name = "guarded_run" if case.deed.is_guarded else "open_run"
    found: Run = request.getfixturevalue(name)
    return found


def each(some: Iterable[Case]) -> Callable[..., Any]:
    return pytest.mark.parametrize(
        "case", [pytest.param(case, id=f"{case.told.group}: {case.name}") for case in some]
    )


def named(name: str, group: str = "Statuses") -> Case:
    return cases()[f"{group}: {name}"]


@each(cases().values())
def test_a_case_ends_as_the_table_says(case: Case, run: Run) -> None:
    ended = [(row["status"], row["cause"]) for row in run.rows_of(case)]
    numbers = range(1, len(case.rows) + 1)
    assert ended == [(case.status(number), case.cause(number)) for number in numbers]


@each(case for case in cases().values() if KEPT in case.told.status)
def test_a_kept_image_shows_what_was_sent(case: Case, run: Run) -> None:
    for number, row in enumerate(run.rows_of(case), start=1):
        if row["status"] != KEPT:
            continue
        content = (run.root / "work" / row["path"]).read_bytes()
        seen, photo = decode(content, limits=Limits()), case.photo(number)
        assert (row["width_px"], row["height_px"], row["size_bytes"]) == (
            *seen.full_size_px, len(content),
        )  # fmt: skip
        if photo.shows is not None:
            height, width = photo.shows.shape[:2]
            assert seen.full_size_px == (case.deed.shows_px or (width, height))
        if photo.shows is not None and case.deed.shows_px is None:
            off_by = np.abs(seen.pixels.astype(int) - photo.shows).mean()
            assert off_by <= photo.tolerance


@each(case for case in cases().values() if case.deed.asked is not None)
def test_a_host_is_asked_as_often_as_makes_sense(case: Case, run: Run) -> None:
    assert len(run.server.book.of(case.slug)) == case.deed.asked


def test_every_row_of_the_list_is_in_the_catalog_once(open_run: Run, guarded_run: Run) -> None:
    for run in (open_run, guarded_run):
        assert run.table["row"].to_list() == [place.row for place in placed(run.cases)]


def test_every_kept_file_has_a_row_and_no_other_file_is_left(open_run: Run) -> None:
    paths = open_run.table["path"].drop_nulls().to_list()
    assert {path for path in open_run.files() if path.startswith("images/")} == set(paths)
    assert len({path.casefold() for path in paths}) == len(set(paths))
    assert not [path for path in paths if not SAFE_PATH.fullmatch(path)]


def test_no_half_written_file_is_left(open_run: Run) -> None:
    assert not [path for path in open_run.files() if path.endswith(".part") or "/." in path]


def test_nothing_lies_outside_the_work_folder(open_run: Run) -> None:
    assert {path.name for path in open_run.root.iterdir()} == {"list.csv", "work"}
    assert not list(open_run.root.parent.glob("x*"))
    assert not list(Path("/tmp").glob("hostile.*"))


def test_the_whole_list_ends_in_time(open_run: Run, guarded_run: Run) -> None:
    assert open_run.elapsed_s < LONGEST_S
    assert guarded_run.elapsed_s < LONGEST_S / 4


def test_slow_hosts_hold_up_no_others(open_run: Run) -> None:
    book = open_run.server.book
    quick = [book.of(named(name).slug)[0].at for name in ("200", "404", "noai")]
    last = book.of(named("row after it all", "Lines").slug)[0].at
    assert last - min(quick) < 30


def test_no_host_is_asked_more_at_once_than_allowed(open_run: Run) -> None:
    most = open_run.server.book.most_at_once_by_host
    assert max(most.values()) <= SETTINGS.host_concurrency
    assert open_run.server.book.most_at_once <= SETTINGS.concurrency


def test_every_request_says_who_asks_and_gives_no_password(open_run: Run) -> None:
    for asked in open_run.server.book.asked:
        assert asked.headers["user-agent"].startswith("Cairn/")
        assert "authorization" not in asked.headers
        assert "secret" not in str(asked.headers) + asked.path


@pytest.mark.parametrize(
    ("name", "least_s"), [("429 with Retry-After", 2.0), ("503 with a date", 1.9)]
)
def test_a_host_that_asks_for_time_gets_it(open_run: Run, name: str, least_s: float) -> None:
    assert min(open_run.server.book.gaps_s(named(name).slug)) >= least_s


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("spaces", "old%20town%20hall.jpg"),
        ("unicode path", "Bogenbr%C3%BCcke/%E6%A9%8B.jpg?gr%C3%B6%C3%9Fe=1"),
        ("percent escapes", "a%2Fb%20c%c3%bc.jpg?x=%26"),
        ("broken percent escape", "100%25.jpg"),
        ("fragment", "1.jpg"),
        ("dots in the path", "1.jpg"),
    ],
)
def test_addresses_are_sent_as_hosts_expect_them(open_run: Run, name: str, path: str) -> None:
    case = named(name, "Addresses")
    assert [asked.path for asked in open_run.server.book.of(case.slug)] == [f"/{case.slug}/{path}"]


def test_a_name_of_another_script_is_encoded(open_run: Run) -> None:
    (asked,) = open_run.server.book.of(named("unicode host", "Addresses").slug)
    assert asked.host.startswith("xn--bcher-kva.")


def test_a_photo_of_two_landmarks_shows_both(open_run: Run) -> None:
    kept, _ = open_run.rows_of(named("same address, two landmarks", "The same again"))
    assert kept["landmark_ids"] == ["hostile", "hostile-too"]


def test_a_photo_of_no_landmark_is_unlabelled(open_run: Run) -> None:
    (row,) = open_run.rows_of(named("no landmark", "Landmarks"))
    assert row["landmark_ids"] is None
    assert row["path"].startswith("images/_unknown/")


def test_no_request_arrives_inside_the_network(guarded_run: Run) -> None:
    reached = {asked.reached for asked in guarded_run.server.book.asked}
    assert reached == {PUBLIC_FACE}
    assert LOOPBACK != PUBLIC_FACE


def test_a_second_run_asks_again_where_that_may_help_and_nowhere_else(tmp_path: Path) -> None:
    some = [named(name) for name in ("200", "404", "noai", "500 for ever")]
    with HostileServer() as server:
        runs = [downloaded(tmp_path, server, some) for _ in range(2)]
    asked = [len(server.book.of(case.slug)) for case in some]
    assert asked == [1, 1, 1, 2 * ATTEMPTS]
    assert runs[0].table["status"].equals(runs[1].table["status"])


CHILD = """
import sys
from pathlib import Path
import cairn
from tests.hostile.names import Names
settings = cairn.DownloadSettings.model_validate_json(sys.argv[3])
cairn.download(sys.argv[1], urls=Path(sys.argv[2]), settings=settings, lookup=Names().lookup)
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is looked up in /proc")
def test_the_whole_list_takes_less_than_300_megabytes_with_its_decoders(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"allow_private": True, "decoders": 2})
    most = 0
    with HostileServer() as server:
        urls = write_list(tmp_path / "list.csv", server, OPEN)
        command = [
            sys.executable,
            "-c",
            CHILD,
            str(tmp_path / "work"),
            str(urls),
            settings.model_dump_json(),
        ]
        running = subprocess.Popen(
            command,
            env={
                **os.environ,
                "PYTHONPATH": f"{os.environ.get('PYTHONPATH', '')}:.",
                "MARK": "hostile memory",
            },
        )
        deadline = time.monotonic() + LONGEST_S
        while running.poll() is None and time.monotonic() < deadline:
            most = max(most, resident_bytes("hostile memory"))
            time.sleep(0.02)
        running.kill()
    assert running.wait() == 0
    table = Catalog.read(tmp_path / "work/catalog.parquet").table
    assert len(table) == len(placed(OPEN))
    assert 50e6 < most < 300e6
