from pathlib import Path

import pytest

from cairn.pipeline import whole_folders
from cairn.pipeline.whole_folders import held_bundle, whole_folder


def write(path: Path, content: str) -> None:
    with whole_folder(path) as fresh:
        (fresh / "file").write_text(content)


@pytest.mark.parametrize("can_swap", [True, False])
def test_a_new_folder_takes_the_place_of_the_old_and_leaves_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, can_swap: bool
) -> None:
    if not can_swap:
        monkeypatch.setattr(whole_folders, "swapped", lambda one, other: False)
    for content in ("first", "second"):
        write(tmp_path / "place", content)
        assert (tmp_path / "place/file").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_what_breaks_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    write(tmp_path / "place", "first")
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "place", "half of what cannot be written: \ud800")
    assert (tmp_path / "place/file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_who_waits_for_a_bundle_gets_it_when_it_is_free(tmp_path: Path) -> None:
    with held_bundle(tmp_path / "place"):
        pass
    with held_bundle(tmp_path / "place", waits=True):
        assert (tmp_path / ".place.lock").is_file()
