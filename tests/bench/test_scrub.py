"""What the scrub bench counts: hits held against the truth, recall, precision and curves; and the whole command."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import InputError
from cairn.base.settings import DescribeSettings
from cairn.bench import cleaners, hits, roles, tallies
from cairn.bench.cleaners import CLEANVISION, CNN, PHASH, cleaners_of, run_peer
from cairn.bench.hits import Looked, hits_from, hits_of, judged
from cairn.bench.measured import Cost
from cairn.bench.photo_notes import PhotoNotes
from cairn.bench.planted import PLANTED_SCHEMA, Planted
from cairn.bench.scrub import Contender, ScrubBench
from cairn.bench.scrub_tables import precision_rows
from cairn.bench.tallies import Seen, Share, curve, missed, precisions, recalls
from cairn.cli.main import main
from cairn.records import findings as kinds
from cairn.records.catalog import Catalog
from cairn.records.findings import Findings
from tests.bench.scenes import scene_folder

Pair = tuple[str, str, str | None, float]


def truth(*rows: tuple[str, str, list[str]], elsewhere: str = "") -> Planted:
    made = [
        {"photo": photo, "kind": kind, "variant": "", "strength": 1.0, "roots": roots, "landmark_ids": [], "is_elsewhere": photo == elsewhere}
        for photo, kind, roots in rows
    ]  # fmt: skip
    return Planted(pl.DataFrame(made, schema=PLANTED_SCHEMA).sort("photo"))


PLANTED = truth(
    ("a/exact.jpg", roles.EXACT, ["a/1.jpg"]),
    ("b/small.jpg", roles.RESIZED, ["a/2.jpg"]),
    ("a/moved.jpg", roles.WRONG, ["b/moved.jpg"]),
    ("a/none.jpg", roles.DISTRACTOR, ["_none/1.jpg"]),
    ("a/both.jpg", roles.COMPOSITE_OF_KEPT, ["a/3.jpg", "b/3.jpg"]),
    ("a/dark.jpg", roles.DARK, ["a/dark.jpg"]),
    ("a/blank.jpg", roles.BLANK, []),
    ("b/blank.jpg", roles.BLANK, []),
    elsewhere="b/small.jpg",
)
NOTES = PhotoNotes({"a/7.jpg": 0, "a/8.jpg": 0}, frozenset({"a/9.jpg"}))


def verdicts(*rows: Pair, looked: Looked | None = None) -> dict[tuple[str, str], str]:
    table = judged(hits_from(rows), PLANTED, NOTES, looked or Looked())
    return {
        (kind, photo): verdict
        for kind, photo, verdict in table.select("kind", "photo", "verdict").iter_rows()
    }


@pytest.mark.parametrize(
    ("kind", "photo", "other", "verdict"),
    [
        (kinds.EXACT_COPY, "a/exact.jpg", "a/1.jpg", hits.RIGHT),
        (kinds.EXACT_COPY, "a/1.jpg", "a/exact.jpg", hits.RIGHT),
        (kinds.NEAR_COPY, "b/small.jpg", "a/2.jpg", hits.RIGHT),
        (kinds.EXACT_COPY, "b/small.jpg", "a/2.jpg", hits.NEW),
        (kinds.NEAR_COPY, "b/small.jpg", "a/1.jpg", hits.NEW),
        (kinds.NEAR_COPY, "a/7.jpg", "a/8.jpg", hits.NOTED),
        (kinds.NEAR_COPY, "a/both.jpg", "b/3.jpg", hits.BESIDE),
        (kinds.NEAR_COPY, "a/blank.jpg", "b/blank.jpg", hits.BESIDE),
        (kinds.WRONG_LANDMARK, "a/moved.jpg", None, hits.RIGHT),
        (kinds.WRONG_LANDMARK, "b/small.jpg", None, hits.BESIDE),
        (kinds.WRONG_LANDMARK, "a/2.jpg", None, hits.BESIDE),
        (kinds.WRONG_LANDMARK, "a/none.jpg", None, hits.BESIDE),
        (kinds.WRONG_LANDMARK, "a/9.jpg", None, hits.NOTED),
        (kinds.WRONG_LANDMARK, "a/1.jpg", None, hits.NEW),
        (kinds.NO_LANDMARK, "a/none.jpg", None, hits.RIGHT),
        (kinds.NO_LANDMARK, "a/blank.jpg", None, hits.BESIDE),
        (kinds.SEVERAL_LANDMARKS, "a/both.jpg", None, hits.RIGHT),
        (kinds.TWO_LANDMARKS, "b/small.jpg", None, hits.RIGHT),
        (kinds.TWO_LANDMARKS, "a/2.jpg", None, hits.RIGHT),
        (kinds.TWO_LANDMARKS, "a/1.jpg", None, hits.NEW),
        (kinds.TWO_LANDMARKS, "b/3.jpg", None, hits.BESIDE),
        (kinds.BLURRED, "a/dark.jpg", None, hits.BESIDE),
        (kinds.DARK, "a/dark.jpg", None, hits.RIGHT),
    ],
)
def test_a_hit_is_held_against_what_was_planted(
    kind: str, photo: str, other: str | None, verdict: str
) -> None:
    assert verdicts((kind, photo, other, 0.5)) == {(kind, photo): verdict}


def test_what_a_person_said_holds_for_the_photos_that_copies_were_made_of() -> None:
    looked = Looked(
        {
            (kinds.NEAR_COPY, "a/2.jpg", "a/5.jpg"): True,
            (kinds.WRONG_LANDMARK, "a/6.jpg", ""): False,
        }
    )
    told = verdicts(
        (kinds.NEAR_COPY, "a/5.jpg", "b/small.jpg", 0.9),
        (kinds.WRONG_LANDMARK, "a/6.jpg", None, 0.9),
        (kinds.NO_LANDMARK, "a/6.jpg", None, 0.9),
        looked=looked,
    )
    assert list(told.values()) == [hits.ODD, hits.NEW, hits.FINE]


def test_only_filled_rows_of_what_a_person_said_are_read(tmp_path: Path) -> None:
    path = tmp_path / "looked.csv"
    path.write_text("kind,photo,other,is_odd,seed\nblurred,a/1.jpg,,yes,0\ndark,a/2.jpg,,,0\n")
    assert Looked.read(path).is_odd == {("blurred", "a/1.jpg", ""): True}
    path.write_text("kind,photo\nblurred,a/1.jpg\n")
    with pytest.raises(InputError, match="lacks the columns other, is_odd"):
        Looked.read(path)
    with pytest.raises(InputError, match=r"unplanted\.csv"):
        Looked.read(tmp_path / "none.csv")


def seen(*rows: Pair, seed: int = 0) -> Seen:
    return Seen(seed, PLANTED, judged(hits_from(rows), PLANTED, NOTES, Looked()))


def test_a_planted_photo_is_found_once_however_many_hits_name_it() -> None:
    pair = ("b/small.jpg", "a/2.jpg", 0.9)
    found = recalls([seen((kinds.NEAR_COPY, *pair), (kinds.COPY_ACROSS, *pair)), seen(seed=1)])
    assert (found[roles.RESIZED].found.n, found[roles.RESIZED].found.of) == (1, 2)
    assert found[tallies.ELSEWHERE].found == Share(0, 2)


def test_only_the_first_of_a_queue_count_and_what_is_left_out_takes_no_place() -> None:
    others = [(kinds.WRONG_LANDMARK, f"c/{i}.jpg", None, 0.9) for i in range(tallies.FIRST - 1)]
    excused = (kinds.WRONG_LANDMARK, "a/none.jpg", None, 0.95)
    moved = (kinds.WRONG_LANDMARK, "a/moved.jpg", None, 0.5)
    within = recalls([seen(*others, excused, moved)])[roles.WRONG]
    beyond = recalls([seen(*others, (kinds.WRONG_LANDMARK, "c/x.jpg", None, 0.6), moved)])[roles.WRONG]  # fmt: skip
    assert (within.first.n, within.found.n) == (1, 1)
    assert (beyond.first.n, beyond.found.n) == (0, 1)


def test_precision_leaves_out_what_was_noted_or_excused() -> None:
    rows: list[Pair] = [
        (kinds.NEAR_COPY, "b/small.jpg", "a/2.jpg", 0.9),
        (kinds.NEAR_COPY, "a/7.jpg", "a/8.jpg", 0.9),
        (kinds.NEAR_COPY, "a/blank.jpg", "b/blank.jpg", 0.9),
        (kinds.NEAR_COPY, "a/5.jpg", "a/6.jpg", 0.9),
    ]
    found = precisions([seen(*rows)])[(kinds.NEAR_COPY,)]
    assert found.strict == Share(1, 2)
    assert found.looked == Share(1, 2)


def test_copies_across_parts_are_those_that_the_split_tore_from_their_originals() -> None:
    parts = {"a/1.jpg": "train", "a/exact.jpg": "train", "a/2.jpg": "train", "b/small.jpg": "test"}
    pair: Pair = (kinds.COPY_ACROSS, "b/small.jpg", "a/2.jpg", 0.9)
    found = recalls([replace(seen(pair), parts=parts), seen(pair)])[tallies.ACROSS]
    assert found.found == Share(1, 1)
    assert recalls([replace(seen(), parts=parts)])[tallies.ACROSS].found == Share(0, 1)


def test_precision_is_held_to_its_aim_strictly_and_after_a_look() -> None:
    looked = Looked({(kinds.NEAR_COPY, "a/5.jpg", "a/6.jpg"): True})
    rows: list[Pair] = [
        (kinds.NEAR_COPY, "b/small.jpg", "a/2.jpg", 0.9),
        (kinds.NEAR_COPY, "a/5.jpg", "a/6.jpg", 0.9),
    ]
    hits_seen = judged(hits_from(rows), PLANTED, NOTES, looked)
    contender = Contender("Cairn", (Seen(0, PLANTED, hits_seen),), (Cost(1.0, 1.0, None),))
    found = ScrubBench("x", (0,), (9,), "", (contender,), (), {}, {}, looked)
    head, rows_told = precision_rows(found)
    told = dict(
        zip(head, next(row for row in rows_told if row[0] == kinds.NEAR_COPY), strict=False)
    )
    assert (told["precision"], told["after a look"]) == ("50.0 %", "100.0 %")
    row = next(row for row in rows_told if row[0] == kinds.NEAR_COPY)
    assert [cell for cell in row if "≥" in cell] == ["missed (≥ 99 %)", "reached (≥ 99 %)"]


def test_the_curve_has_precision_and_recall_at_every_rank() -> None:
    rows: list[Pair] = [
        (kinds.WRONG_LANDMARK, "c/1.jpg", None, 0.9),
        (kinds.WRONG_LANDMARK, "a/moved.jpg", None, 0.8),
        (kinds.WRONG_LANDMARK, "c/2.jpg", None, 0.7),
    ]
    drawn = curve(seen(*rows), (kinds.WRONG_LANDMARK,))
    assert drawn["precision"].to_list() == pytest.approx([0, 1 / 2, 1 / 3])
    assert drawn["recall"].to_list() == [0, 1, 1]
    assert curve(seen(), (kinds.WRONG_LANDMARK,)).is_empty()


def test_what_was_missed_is_told_by_the_truth() -> None:
    lost = missed(seen((kinds.WRONG_LANDMARK, "a/moved.jpg", None, 0.8)))
    assert "a/moved.jpg" not in lost["photo"]
    assert len(lost) == len(PLANTED.table) - 1


def test_a_share_of_nothing_has_no_value_and_no_interval() -> None:
    assert Share(0, 0).value is None
    assert Share(0, 0).interval is None
    low, high = Share(9, 10).interval or (0, 0)
    assert low < 0.9 < high


def test_findings_become_hits_by_the_paths_of_photos() -> None:
    row = {"list": "x", "status": "kept", "row": 1}
    catalog = Catalog.of(
        [row | {"image_id": "1", "source": "a/1.jpg"}, row | {"image_id": "2", "source": "a/2.jpg"}]
    )
    shared = {"score": 0.5, "is_sure": True, "reason": "r", "evidence": ["2"]}
    found = Findings.of(
        [
            shared | {"kind": kinds.NEAR_COPY, "image_id": "1"},
            shared | {"kind": kinds.BLURRED, "image_id": "1"},
        ]
    )
    table = hits_of(found, catalog)
    assert table.select("kind", "photo", "other").rows() == [
        (kinds.NEAR_COPY, "a/1.jpg", "a/2.jpg"),
        (kinds.BLURRED, "a/1.jpg", None),
    ]


def test_without_their_pythons_the_peers_are_left_out_with_the_reason() -> None:
    found = cleaners_of(cleanvision=None, imagededup=None)
    assert found.pythons == {}
    assert list(found.left_out) == [CLEANVISION, PHASH, CNN]
    assert "--imagededup" in found.left_out[CNN]


def test_a_python_without_the_peer_is_refused() -> None:
    with pytest.raises(InputError, match="is no Python with cleanvision"):
        cleaners_of(cleanvision=Path(sys.executable), imagededup=None)


def test_what_a_peer_tells_is_read_in_the_words_of_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    told = [["near_duplicates", "a/1.jpg", "a/2.jpg", 1.0], ["light", "a/3.jpg", None, 0.4], ["blurry", "a/3.jpg", None, 0.4]]  # fmt: skip
    code = (
        f"import sys, json; open(sys.argv[2], 'w').write({json.dumps(json.dumps({'hits': told}))})"
    )
    (scripts / "run_cleanvision.py").write_text(code)
    monkeypatch.setattr(cleaners, "_SCRIPTS", scripts)
    found = run_peer(CLEANVISION, Path(sys.executable), tmp_path)
    assert found.hits.select("kind", "photo", "other").rows() == [
        (kinds.BLURRED, "a/3.jpg", None),
        (kinds.NEAR_COPY, "a/1.jpg", "a/2.jpg"),
    ]
    assert found.cost.wall_s > 0


def test_settings_are_told_to_cairn_with_folders_that_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net").mkdir()
    monkeypatch.chdir(tmp_path)
    describing = DescribeSettings(backbone="net", sides_px=(64, 96), keep_shape=False)
    told = cleaners._told(tmp_path / "settings.toml", {"describe": describing}).read_text()
    assert told.splitlines() == [
        "[describe]", f'backbone = "{tmp_path}/net"', "sides_px = [64, 96]", "keep_shape = false"
    ]  # fmt: skip


@pytest.mark.slow
def test_the_command_plants_measures_and_leaves_its_page(
    tmp_path: Path, tiny_backbone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = scene_folder(tmp_path / "scenes", n_photos=10)
    words = ["bench", "scrub", "--folder", str(folder), "--work", str(tmp_path / "kept")]
    words += ["--backbone", str(tiny_backbone), "--sides-px", "64"]
    assert main([*words, "--seeds", "0,1", "--per-kind", "1", "--n-bad", "1", "--n-odd", "1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("52, 52 photos in the planted sets of seeds 0, 1\n")
    exact = next(line for line in said.splitlines() if line.startswith("exact copy "))
    assert "100.0 %" in exact
    assert "left out: cleanvision" in said
    page = (tmp_path / "kept/report.html").read_text()
    assert "What was found of what was planted" in page
    assert "<script" not in page
    assert (tmp_path / "kept/curves.svg").read_text().startswith("<svg xmlns=")
    assert pl.read_parquet(tmp_path / "kept/curves.parquet")["recall"].max() == 1.0
    assert (tmp_path / "kept/unplanted.csv").read_text().startswith("kind,photo,other,is_odd")
