from pathlib import Path

import pytest

from cairn.base.settings import DownloadSettings
from cairn.images.fetch.rules import HostRule, SizeKind, Smaller
from cairn.stages.download.cost import Cost, cost_of
from cairn.stages.download.lists import open_list
from cairn.stages.download.plan import make_plan

RULES = {
    "rate": HostRule(rate_per_s=2, concurrency=100),
    "wide": HostRule(rate_per_s=1000, concurrency=1),
    "band": HostRule(rate_per_s=1000, concurrency=100, mbit_per_s=1),
    "small": HostRule(smaller=Smaller(SizeKind.WIKIMEDIA, (250, 500, 1280))),
}


def cost(
    path: Path,
    counts: dict[str, int],
    *,
    changed: dict[str, object] | None = None,
) -> Cost:
    path.write_text("".join(f"http://{host}/{i}\n" for host, n in counts.items() for i in range(n)))
    with open_list(path) as found:
        plan = make_plan(found)
    settings = DownloadSettings.model_validate(changed or {})
    return cost_of(plan, plan.to_fetch, settings=settings, rule_of=RULES.__getitem__)


def test_the_slowest_host_decides_and_says_what_holds_it(tmp_path: Path) -> None:
    found = cost(tmp_path / "l.txt", {"rate": 3600, "wide": 60, "band": 10})
    assert [(host.host, host.held_by) for host in found.slowest] == [
        ("rate", "requests a second"), ("band", "bandwidth"), ("wide", "requests at once"),
    ]  # fmt: skip
    assert found.hours == found.slowest[0].hours == 0.5
    assert (found.n_rows, found.n_files, found.n_hosts) == (3670, 3670, 3)


@pytest.mark.parametrize("changed", [{"concurrency": 1}, {"bandwidth_mbit": 0.1}])
def test_all_hosts_together_have_their_limit_too(
    tmp_path: Path, changed: dict[str, object]
) -> None:
    free = cost(tmp_path / "l.txt", {"rate": 10, "wide": 10})
    assert cost(tmp_path / "l.txt", {"rate": 10, "wide": 10}, changed=changed).hours > free.hours


def test_bytes_grow_with_the_size_that_is_kept_and_asked_for(tmp_path: Path) -> None:
    changes: list[dict[str, object]] = [
        {"max_side_px": 256}, {"max_side_px": 1024}, {"as_it_came": True},
    ]  # fmt: skip
    small, large, whole = (
        cost(tmp_path / "l.txt", {"small": 1000}, changed=changed) for changed in changes
    )
    assert 10_000_000 < small.kept_bytes < 25_000_000
    assert small.kept_bytes < small.received_bytes < large.received_bytes < whole.received_bytes
    assert whole.kept_bytes == whole.received_bytes == 1_500_000_000


def test_shards_are_fewer_files_and_nothing_costs_nothing(tmp_path: Path) -> None:
    assert cost(tmp_path / "l.txt", {"rate": 2001}, changed={"output": "shards"}).n_files == 3
    (tmp_path / "m.txt").write_text("url\nNone\n")
    with open_list(tmp_path / "m.txt") as found:
        plan = make_plan(found)
    nothing = cost_of(
        plan, plan.to_fetch, settings=DownloadSettings(), rule_of=lambda host: HostRule()
    )
    assert (nothing.hours, nothing.n_files, nothing.received_bytes, nothing.slowest) == (
        0,
        0,
        0,
        (),
    )
