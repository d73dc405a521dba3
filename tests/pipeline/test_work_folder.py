"""What a work folder says of itself where it is not whole."""

from pathlib import Path

import pytest

from cairn.base.errors import InputError
from cairn.pipeline.work_folder import WorkFolder


def test_a_download_that_was_broken_off_is_to_be_run_again_and_not_to_be_imported(
    tmp_path: Path,
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "journal.sqlite").touch()
    with pytest.raises(InputError, match="run the same cairn download again: it goes on"):
        WorkFolder(tmp_path).require()
    (tmp_path / "journal.sqlite").unlink()
    with pytest.raises(InputError, match="run: cairn import work --folder"):
        WorkFolder(tmp_path).require()
