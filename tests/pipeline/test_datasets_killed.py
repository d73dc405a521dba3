"""A download of tars that is killed again and again ends as an undisturbed one does."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cairn.records.catalog import KEPT, Catalog
from cairn.stages.gld import datasets
from tests.stages.gld.published import Published, small
from tests.stages.gld.range_server import Served, serving

pytestmark = pytest.mark.slow
N_A_TAR = 30
SCRIPT = """
import sys
from contextlib import nullcontext
from pathlib import Path

from cairn.base.settings import DownloadSettings
from cairn.pipeline.dataset_choice import DatasetChoice
from cairn.pipeline.datasets import DatasetDownload
from cairn.stages.download import ticking
from cairn.stages.download.progress import Attendance
from cairn.stages.gld import datasets
from tests.stages.gld.published import small

datasets.DATASETS["gld-v2"] = small()
ticking.TICK_S = 0.001
settings = DownloadSettings(allow_private=True, spare_disk_mb=0, decoders=1, max_side_px=64)
attendance = Attendance(lambda now: print(now.n_kept, flush=True))
choice = DatasetChoice("gld-v2", base=sys.argv[1])
asked = DatasetDownload(choice, settings=settings, attended=lambda: nullcontext(attendance))
asked.download(Path(sys.argv[2]))
"""


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setitem(datasets.DATASETS, "gld-v2", small())
    with serving(Served()) as state:
        Published(N_A_TAR).serve(state)
        yield state


def run(served: Served, work: Path, *, kill_after: int | None = None) -> None:
    """A download in a process of its own, killed once it has kept so many photos."""
    words = [sys.executable, "-c", SCRIPT, served.base, str(work)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if kill_after is not None and int(line) >= kill_after:
                process.kill()
                break
        process.stdout.read()
    assert process.returncode == (-signal.SIGKILL if kill_after is not None else 0)


def images(work: Path) -> dict[str, bytes]:
    """Every kept image by its path."""
    return {path.relative_to(work).as_posix(): path.read_bytes() for path in (work / "images").rglob("*.*")}  # fmt: skip


def test_killed_again_and_again_it_ends_as_an_undisturbed_run(
    served: Served, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(served, whole)
    served.asked.clear()
    for kill_after in (2, 5, 1, 9, 14, 3):
        run(served, killed, kill_after=kill_after)
    run(served, killed)
    assert images(killed) == images(whole)
    tables = [Catalog.read(work / "catalog.parquet").table for work in (whole, killed)]
    assert tables[0].drop("fetched_at").equals(tables[1].drop("fetched_at"))
    assert set(tables[1]["status"]) == {KEPT}
    # Photos that the journal knew were not decoded anew: they were kept at different times.
    assert tables[1]["fetched_at"].n_unique() > 5
    assert served.starts("train/images_000.tar") == [0]
    assert not list(killed.rglob("*.tar*"))
