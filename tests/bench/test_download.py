"""The bench of downloads: every contender measured in every round, over the same photos."""

from dataclasses import replace
from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.base.settings import DownloadBenchSettings
from cairn.base.watching import Silent
from cairn.bench import download, ways
from cairn.bench.download import Contender, DownloadBench, bench_download
from cairn.bench.measured import Cost

SETTINGS = DownloadBenchSettings(rounds=2, n_images=5)


def contender(name: str, *cpu_s: float) -> Contender:
    costs = tuple(Cost(wall_s=2.0, cpu_s=seconds, peak_bytes=None) for seconds in cpu_s)
    return Contender(name, 1000, costs, start_cpu_s=0.1, error=1.0)


def test_the_share_is_that_of_the_middle_round() -> None:
    ours, other = contender("a", 1, 2, 9), contender("b", 2, 2, 10)
    bench = DownloadBench(1000, 9, 3e5, 92, "", {}, (ours, other), {})
    assert bench.cpu_share("a", "b") == 0.9
    assert bench.cpu_share("a", "c") is None


def test_a_contender_tells_its_costs_for_a_photo() -> None:
    found = contender("a", 1, 2)
    assert found.cpu_ms == (1, 2)
    assert found.images_per_s == (500, 500)
    assert found.peak_bytes is None
    known = replace(found, costs=(Cost(1, 1, 5), Cost(1, 1, 7)))
    assert known.peak_bytes == 7


@pytest.mark.slow
def test_each_contender_keeps_every_photo_in_each_round(tmp_path: Path) -> None:
    measured = bench_download(tmp_path, settings=SETTINGS, img2dataset=None, watch=Silent())
    found = {contender.name: contender for contender in measured.contenders}
    assert list(found) == [ways.CAIRN, ways.OLD_SCRIPT, ways.BARE, ways.BARE_FILES]
    for one in found.values():
        assert len(one.costs) == 2
        assert one.start_cpu_s > 0
        assert 0 < one.error < 4
    assert not (tmp_path / "out").exists()


def test_a_contender_that_loses_a_photo_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle = ways.Way(lambda ground: ["python", "-c", "print('nothing came')"], lambda out: {})
    monkeypatch.setattr(download, "field_of", lambda **_: ways.Field({"idle": idle}, {}, {}))
    monkeypatch.setattr(download, "make_photos", lambda folder, **_: folder.mkdir() or [])
    with pytest.raises(InputError, match=r"kept 0 of 1 photos(?s:.*)nothing came"):
        bench_download(tmp_path, settings=SETTINGS, img2dataset=None, watch=Silent())
