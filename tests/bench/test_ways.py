"""The contenders of the download bench: who takes part, and that the limit does the work that Cairn does."""

import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cairn.base.errors import InputError
from cairn.bench import ways
from cairn.images.keeping import Fit, keep
from cairn.images.pixels import Limits
from tests.make import jpeg


def peer(name: str) -> ModuleType:
    path = Path(ways.__file__).parent / "peers" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_its_python_img2dataset_is_left_out_with_the_reason() -> None:
    field = ways.field_of(img2dataset=None, ours_only=False)
    assert list(field.ways) == [ways.CAIRN, ways.OLD_SCRIPT, ways.BARE, ways.BARE_FILES]
    assert "--img2dataset" in field.left_out[ways.IMG2DATASET]


def test_ours_only_is_cairn_alone() -> None:
    assert ways.field_of(img2dataset=None, ours_only=True).ways.keys() == {ways.CAIRN}


@pytest.mark.parametrize("python", [Path(sys.executable), Path("no/such/python")])
def test_a_python_without_img2dataset_is_refused(python: Path) -> None:
    with pytest.raises(InputError, match="is no Python with img2dataset"):
        ways.field_of(img2dataset=python, ours_only=False)


def test_photos_of_img2dataset_are_known_by_their_address(tmp_path: Path) -> None:
    (tmp_path / "00001").mkdir()
    kept = tmp_path / "00001/000010003.jpg"
    kept.write_bytes(jpeg(0))
    kept.with_suffix(".json").write_text(json.dumps({"url": "http://127.0.0.1:9/253.jpg"}))
    assert ways._kept_by_address(tmp_path) == {253: kept}


def test_the_limit_keeps_what_cairn_keeps() -> None:
    content = jpeg(3, width=640, height=480)
    limit = peer("run_bare").shrunk(content, 64, 92)
    ours = keep(content, fit=Fit(max_side_px=64, quality=92), limits=Limits()).content
    apart = [np.asarray(Image.open(io.BytesIO(one)), np.float32) for one in (limit, ours)]
    assert np.abs(apart[0] - apart[1]).mean() < 1


def test_the_old_script_squashes_to_a_square(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(1))
    job = ("7", photo.as_uri(), str(tmp_path), 32)
    assert peer("run_old_script").fetch(job) == 0
    with Image.open(tmp_path / "7.jpg") as kept:
        assert kept.size == (32, 32)
