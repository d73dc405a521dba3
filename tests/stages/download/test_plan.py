import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cairn.base.errors import InputError, SettingsError
from cairn.base.settings import SelectSettings
from cairn.stages.download import gathering
from cairn.stages.download.lists import open_list
from cairn.stages.download.naming import stem_of
from cairn.stages.download.plan import Plan, make_plan
from cairn.stages.download.problems import ProblemKind
from cairn.stages.download.verdicts import Verdict

OFTEN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
IDS, URLS = st.sampled_from(["a", "A", "b", "c/d", "con"]), st.sampled_from([*"123", "None", "ftp"])
ROWS = st.lists(st.tuples(IDS, URLS, st.sampled_from(["", "x", "X", "y"])), min_size=1, max_size=12)
Fields = tuple[str, str, str]


def planned(
    path: Path,
    rows: list[Fields],
    selecting: SelectSettings | None = None,
    *,
    header: str = "id,url,landmark_id",
) -> Plan:
    """A plan of rows whose addresses are given in short: `1` for `http://h/1`; the list stays open."""
    long = [
        (i, url if url in ("None", "ftp") else f"http://h{url}/", mark) for i, url, mark in rows
    ]
    path.write_text("\n".join([header, *map(",".join, long)]) + "\n")
    found = open_list(path)
    try:
        return make_plan(found, selecting=selecting)
    except InputError:
        found.close()
        raise


def slowly_planned(rows: list[Fields]) -> list[tuple[Verdict, int]]:
    """Verdict and twin of each row, with dicts and without choosing."""
    first_of_id: dict[str, int] = {}
    first_of_url: dict[str, int] = {}
    found: list[tuple[Verdict, int]] = []
    for place, (image_id, url, _) in enumerate(rows):
        if url in ("None", "ftp"):
            wrong = Verdict.NO_ADDRESS if url == "None" else Verdict.BAD_ADDRESS
            found.append((wrong, -1))
        elif (first := first_of_id.setdefault(image_id, place)) != place:
            found.append((Verdict.SAME_ID, found[first][1] if found[first][1] >= 0 else first))
        elif (first := first_of_url.setdefault(url, place)) != place:
            found.append((Verdict.SAME_ADDRESS, first))
        else:
            found.append((Verdict.FETCH, -1))
    return found


@OFTEN
@given(rows=ROWS)
def test_verdicts_and_twins_are_those_of_the_slow_version(
    tmp_path: Path, rows: list[Fields]
) -> None:
    plan = planned(tmp_path / "l.csv", rows)
    found = [(Verdict(v), int(t)) for v, t in zip(plan.verdict, plan.twin, strict=True)]
    plan.source.close()
    assert found == slowly_planned(rows)
    assert sum(plan.counts().values()) == len(plan) == len(rows)


@OFTEN
@given(rows=ROWS)
def test_no_two_images_have_the_same_place_and_no_place_leaves_the_folder(
    tmp_path: Path, rows: list[Fields]
) -> None:
    plan = planned(tmp_path / "l.csv", rows)
    places = [plan.place(position) for position in np.flatnonzero(plan.to_fetch).tolist()]
    plan.source.close()
    assert len({place.lower() for place in places}) == len(places)
    assert all(place.count("/") == 2 and ".." not in place for place in places)


@OFTEN
@given(rows=ROWS, less=st.integers(0, 3), which=st.integers(0, 2), seed=st.integers(0, 3))
def test_a_larger_start_adds_to_a_smaller_one(
    tmp_path: Path, rows: list[Fields], less: int, which: int, seed: int
) -> None:
    name = ["landmarks", "per_landmark", "sample"][which]
    fetched = []
    for n_wanted in (less + 1, less + 2):
        selecting = SelectSettings.model_validate({"seed": seed, name: n_wanted})
        try:
            plan = planned(tmp_path / "l.csv", rows, selecting)
        except SettingsError:
            return
        fetched.append(set(np.flatnonzero(plan.to_fetch).tolist()))
        plan.source.close()
    assert fetched[0] <= fetched[1]


def test_so_many_landmarks_and_photos_are_chosen_as_were_asked_for(tmp_path: Path) -> None:
    rows = [(f"id{i}", str(i), f"mark{i % 7}") for i in range(70)]
    plan = planned(tmp_path / "l.csv", rows, SelectSettings(landmarks=3, per_landmark=4))
    assert sorted(Counter(plan.landmark[plan.to_fetch].tolist()).values()) == [4, 4, 4]
    assert plan.counts()[Verdict.NOT_CHOSEN] == 58
    plan.source.close()
    sampled = planned(tmp_path / "l.csv", rows, SelectSettings(sample=5))
    assert sampled.to_fetch.sum() == 5
    sampled.source.close()


def test_a_chosen_row_has_the_first_row_of_its_address_fetched_for_it(tmp_path: Path) -> None:
    rows = [("a", "1", "x"), ("b", "1", "y"), ("b", "2", "y"), ("c", "3", "x")]
    for seed in range(20):
        plan = planned(tmp_path / "l.csv", rows, SelectSettings(landmarks=1, seed=seed))
        plan.source.close()
        is_y = plan.verdict[3] == Verdict.NOT_CHOSEN
        assert plan.verdict.tolist() == [0, 2, 1, 7 if is_y else 0]
        assert plan.twin.tolist() == [-1, 0, 0, -1]


def test_rows_that_are_not_chosen_keep_their_twins(tmp_path: Path) -> None:
    rows = [("a", "1", "x"), ("a", "2", "x"), ("b", "1", "x"), ("c", "3", "y")]
    seen = set()
    for seed in range(20):
        plan = planned(tmp_path / "l.csv", rows, SelectSettings(landmarks=1, seed=seed))
        plan.source.close()
        assert plan.twin.tolist() == [-1, 0, 0, -1]
        seen.add(tuple(plan.verdict.tolist()))
    unchosen, fetch = Verdict.NOT_CHOSEN, Verdict.FETCH
    assert (unchosen, unchosen, unchosen, fetch) in seen


def test_landmarks_cannot_be_chosen_of_a_list_without_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the list names no landmark"):
        planned(
            tmp_path / "l.csv",
            [("a", "1", "x")],
            SelectSettings(landmarks=1),
            header="id,url,title",
        )


def test_queues_hold_every_wanted_row_once_in_the_order_of_the_list(tmp_path: Path) -> None:
    rows = [(f"id{i}", str(i * 7 % 3) + f"/{i}", "x") for i in range(20)]
    plan = planned(tmp_path / "l.csv", rows)
    queues = plan.queues(np.arange(20) % 5 != 0)
    assert sorted(queues) == ["h0", "h1", "h2"]
    assert all((np.diff(queue) > 0).all() for queue in queues.values())
    assert sorted(np.concatenate([*queues.values()])) == [i for i in range(20) if i % 5]
    assert plan.queues(np.zeros(20, np.bool_)) == {}
    plan.source.close()


def test_hosts_are_the_same_however_the_address_is_written(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_text(
        "http://Host/1\nHTTP://host:80/2\nhttps://host/3\nhttp://host:81/4\nhttp://host?5=/\n"
        "http://höst/6\nhttp://hos\x07t/7\nhttp://u:p@host/8\nfile:///etc/9\nhttp:///10\nhost/11\n"
    )
    with open_list(path) as found:
        plan = make_plan(found)
    hosts = [plan.hosts[number] if number >= 0 else None for number in plan.host]
    assert hosts == ["host"] * 3 + ["host:81", "host", "xn--hst-sna"] + [None] * 5
    assert plan.counts()[Verdict.BAD_ADDRESS] == 5


def test_keys_stay_the_same_for_ever(tmp_path: Path) -> None:
    rows = [("a", "1", "x"), ("a", "1", "y"), ("a", "2", "x"), ("b", "1", "x"), ("a", "1", "x")]
    plan = planned(tmp_path / "l.csv", rows)
    plan.source.close()
    assert len(set(plan.key[:4].tolist())) == 4
    assert plan.key[0] == plan.key[4] == 770613923705452557


def test_ids_and_landmarks_that_differ_in_case_are_all_told_apart_by_their_digests(
    tmp_path: Path,
) -> None:
    rows = [("Ab", "1", "Tower"), ("aB", "2", "tower"), ("c", "3", "hall"), ("c" * 300, "4", "")]
    one = planned(tmp_path / "l.csv", rows)
    other = planned(tmp_path / "m.csv", rows[1::-1])
    assert [one.place(0), one.place(1)] == [other.place(1), other.place(0)]
    assert one.place(0) == "images/Tower_aeb11001d776/Ab_025b5573cb68"
    assert one.place(2) == "images/hall/c"
    assert one.place(3).startswith("images/_unknown/cccc")
    assert len(one.place(3)) < 100
    for plan in (one, other):
        plan.source.close()


def test_names_that_look_as_if_they_were_told_apart_get_a_digest_of_their_own(
    tmp_path: Path,
) -> None:
    digest = "06d90109c8cc"
    ids = ["Abc", "abc", f"Abc_{digest}", f"aBC_{digest.upper()}"]
    marks = ["Tower", "tower", "Tower_aeb11001d776", "hall"]
    plan = planned(
        tmp_path / "l.csv", [(i, str(n), m) for n, m in enumerate(marks) for i in (f"{m}-{n}",)]
    )
    folders = {plan.place(position).split("/")[1].lower() for position in range(4)}
    plan.source.close()
    assert len(folders) == 4
    plan = planned(tmp_path / "l.csv", [(i, str(n), "x") for n, i in enumerate(ids)])
    places = [plan.place(position) for position in range(4)]
    plan.source.close()
    assert places[0] == f"images/x/Abc_{digest}"
    assert len({place.lower() for place in places}) == 4


@pytest.mark.parametrize(
    "name", ["0123456789abcdef", "IMG_20190401", "a_0123456789ab_c", "photo_1234567890123", "_none"]
)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert stem_of(name, is_crowded=False) == name


def test_the_folder_of_unlabelled_images_is_no_landmarks(tmp_path: Path) -> None:
    plan = planned(
        tmp_path / "l.csv", [("a", "1", "_UNKNOWN"), ("a1", "2", ""), ("b", "3", "_unknown")]
    )
    folders = [plan.place(position).split("/")[1] for position in range(3)]
    plan.source.close()
    assert folders[1] == "_unknown"
    assert len({folder.lower() for folder in folders}) == 3


def test_what_is_odd_is_told_with_its_lines(tmp_path: Path) -> None:
    rows = [
        ("a", "1", "x"), ("a", "2", "x"), ("b", "1", "y"), ("../x", "3", "x"), ("A", "4", "x"),
        ("e", "None", "x"), ("f", "ftp", "x"), ("g,g", "5", "x"), ("h", "6", "a/b"), ("i", "7", "X"),
    ]  # fmt: skip
    plan = planned(tmp_path / "l.csv", rows)
    plan.source.close()
    first = {kind: (told[0][0], told[0][1]) for kind, told in plan.problems.first.items()}
    assert first == {
        ProblemKind.MALFORMED: (9, "the line has 4 fields where 3 were expected"),
        ProblemKind.NO_ADDRESS: (7, "the address is 'None'"),
        ProblemKind.BAD_ADDRESS: (8, "'ftp' cannot be asked: http:// or https:// was expected"),
        ProblemKind.SAME_ID: (3, "the id 'a' is that of line 2"),
        ProblemKind.SAME_ADDRESS: (4, "http://h1/ is the address of line 2"),
        ProblemKind.TWO_LANDMARKS: (4, "the address shows y, on line 2 x"),
        ProblemKind.UNSAFE_ID: (5, "the id '../x' is kept in a file called 'x_d6b96a97'"),
        ProblemKind.UNSAFE_LANDMARK: (
            10,
            "the landmark 'a/b' is kept in a folder called 'a_b_c14cddc0'",
        ),
        ProblemKind.CASE_OF_IDS: (2, "the id 'a' differs from another's in case only"),
        ProblemKind.CASE_OF_LANDMARKS: (2, "the landmark 'x' differs from another's in case only"),
    }
    assert plan.problems.counts[ProblemKind.CASE_OF_IDS] == 2


def test_no_more_than_twenty_of_a_kind_are_told_and_all_are_counted(tmp_path: Path) -> None:
    plan = planned(tmp_path / "l.csv", [("a", "None", "x")] * 50)
    plan.source.close()
    assert plan.problems.counts[ProblemKind.NO_ADDRESS] == 50
    assert len(plan.problems.first[ProblemKind.NO_ADDRESS]) == 20


def test_a_column_that_is_no_landmark_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_LANDMARKS", 5)
    with pytest.raises(InputError, match="names over 5 landmarks"):
        planned(tmp_path / "l.csv", [(str(i), str(i), str(i)) for i in range(9)])


PEAK = r"""
import re, sys
from pathlib import Path
from cairn.stages.download.lists import open_list
from cairn.stages.download.plan import make_plan
with open_list(Path(sys.argv[1])) as found:
    plan = make_plan(found)
print(len(plan), re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak_of(path: Path, n_rows: int) -> int:
    """The bytes of memory that a process of its own takes for the plan of a list of so many rows."""
    rng = random.Random(1)
    with path.open("w") as file:
        file.write("id,url,landmark_id\n")
        file.writelines(
            f"{rng.getrandbits(64):016x},http://upload.example/{i}/{i:x}.jpg,{i % 5000}\n"
            for i in range(n_rows)
        )
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout.split()[0]) == n_rows
    return int(ran.stdout.split()[1]) * 1024


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems count the peak otherwise")
def test_the_plan_of_five_million_rows_takes_less_than_500_megabytes(tmp_path: Path) -> None:
    few, many = (peak_of(tmp_path / "l.csv", n_rows) for n_rows in (50_000, 5_000_000))
    assert many < 500e6
    assert many - few < 100 * (5_000_000 - 50_000)
