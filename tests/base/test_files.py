from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cairn.base.errors import DiskError
from cairn.base.files import Card, FileRecord, safe_name, sweep_parts, write_bytes, write_whole


def test_a_write_that_fails_leaves_what_was_there_and_no_half_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")

    def broken(file: object) -> None:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_whole(path, broken)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    def full(file: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(
        DiskError, match=r"the disk is full.*free some space and run the same command"
    ):
        write_whole(tmp_path / "a", full)


def test_a_half_file_of_a_crash_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".a.jpg.x1.part").write_bytes(b"half")
    (tmp_path / "a.jpg").write_bytes(b"whole")
    assert sweep_parts(tmp_path.glob("*")) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "a.jpg"]


@given(st.text(min_size=1))
def test_a_safe_name_is_one_plain_segment(name: str) -> None:
    safe = safe_name(name)
    assert safe not in (".", "..")
    assert not set(safe) & set('/\\:*?"<>|\0')
    assert 0 < len(safe) <= 80


def test_safe_names_keep_plain_names_and_never_meet() -> None:
    assert safe_name("eiffel_tower") == "eiffel_tower"
    awkward = ["CON", "a/b", "a:b", "a b", "塔", "寺", "x" * 300, "x" * 301, "..", "nul.jpg"]
    assert len({safe_name(name) for name in awkward}) == len(awkward)


def test_a_card_holds_until_settings_inputs_or_outputs_change(tmp_path: Path) -> None:
    write_bytes(tmp_path / "out", b"1234")

    def card(**changes: object) -> Card:
        origin = {"stage": "s", "version": "1", "settings": {"a": 1}, "inputs": {"i": "d"}}
        outputs = {"out": FileRecord.of(tmp_path / "out")}
        return Card.model_validate({**origin, "outputs": outputs, **changes})

    made = card()
    made.write(tmp_path / "card.json")
    read = Card.read(tmp_path / "card.json")
    assert read == made
    assert made.still_holds(card(), root=tmp_path)
    for change in ({"settings": {"a": 2}}, {"inputs": {"i": "e"}}, {"version": "2"}):
        assert not made.still_holds(card(**change), root=tmp_path)
    write_bytes(tmp_path / "out", b"1235")
    assert not made.still_holds(card(outputs={}), root=tmp_path)


def test_a_card_that_is_absent_or_damaged_is_none(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    assert Card.read(tmp_path / "none.json") is Card.read(tmp_path / "bad.json") is None
