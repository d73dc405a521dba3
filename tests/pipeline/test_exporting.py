"""Export: a folder that is whole or not there, and whose network is as near as it says."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from cairn.base.errors import BundleError, InputError
from cairn.base.settings import DescribeSettings, ExportSettings
from cairn.base.watching import Advance, Silent
from cairn.models.backbones import open_backbone
from cairn.models.folders import digest_folder
from cairn.pipeline.describing import embedder_of
from cairn.pipeline.export_photos import ExportPhotos
from cairn.pipeline.exporting import export
from cairn.pipeline.steps import index, train
from cairn.pipeline.work_folder import WorkFolder
from cairn.recognizer import Recognizer
from cairn.records.descriptors import Descriptors
from cairn.records.parity import FormatParity, ParityReport
from cairn.records.split import TEST, Split
from tests.make import photo_folder
from tests.models.nets import top_folder

FEW = ExportSettings(formats=("onnx", "bf16"), rounds=1)
SMALL = DescribeSettings(sides_px=(64,), pooling=("avg",))


class Stopping(Silent):
    """A watch under which somebody presses Ctrl-C in one phase."""

    def __init__(self, phase: str) -> None:
        self.stops_in = phase

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        if name == self.stops_in:
            raise KeyboardInterrupt
        yield lambda steps: None


class Listening(Silent):
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_the_embedded_backbone_keeps_its_parity_in_every_format(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 6, "b": 6})
    done = export("embedded", tmp_path / "out", photos=photos, settings=FEW)
    assert done.parity is not None
    assert [one.name for one in done.parity.formats] == ["onnx", "bf16"]
    assert done.parity.warnings == []
    assert all(one.cosine_least > 0.999 for one in done.parity.formats)
    assert json.loads((done.folder / "parity.json").read_text()) == done.parity.to_json()
    assert "bf16" in (done.folder / "parity.html").read_text()


def test_a_copied_network_gives_the_same_descriptors_in_the_same_way(tmp_path: Path) -> None:
    done = export("embedded", tmp_path / "out", settings=FEW)
    embedded = open_backbone(DescribeSettings(backbone="embedded"), cache=tmp_path, watch=Silent())
    assert digest_folder(done.folder) == embedded.digest
    assert done.parity is None


def test_a_network_with_a_descriptor_of_its_own_is_compared_by_it(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 12})
    done = export(str(top_folder(tmp_path / "net")), tmp_path / "out", photos=photos, settings=FEW)
    assert done.parity is not None
    assert (done.parity.pooling, done.parity.sides_px) == (("cls",), (64,))
    assert {"openvino/bf16.xml", "openvino/bf16.top.xml"} <= set(done.files)


def test_a_bundle_is_exported_with_what_changes_in_its_answers(
    finished: Path, tmp_path: Path
) -> None:
    work, out = finished / "work", tmp_path / "out"
    done = export(str(work / "models/default"), out, photos=work, settings=FEW)
    assert done.parity is not None
    change = done.parity.formats[1].answers
    assert change is not None
    assert change.n_queries == len(Split.read(work / "split.parquet").image_ids(TEST))
    assert change.same_top_share > 0.9
    assert change.gap_change is not None
    assert done.parity.answers_left_out is None


def test_photos_of_nobody_tell_how_many_answers_stay(finished: Path, tmp_path: Path) -> None:
    bundle = finished / "work/models/default"
    done = export(str(bundle), tmp_path / "out", photos=finished / "photos", settings=FEW)
    assert done.parity is not None
    change = done.parity.formats[1].answers
    assert change is not None
    assert (change.n_queries, change.gap_change) == (done.parity.n_photos, None)


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="exists already"):
        export("embedded", tmp_path / "out", settings=FEW)
    assert list((tmp_path / "out").iterdir()) == []


def test_int8_needs_photos(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"add --photos DIR, or leave int8 out"):
        export("embedded", tmp_path / "out")


def test_too_few_photos_are_refused(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 11})
    with pytest.raises(InputError, match="holds 11 photos that can be used; 12 or more"):
        export("embedded", tmp_path / "out", photos=photos, settings=FEW)


def test_photos_that_cannot_be_read_are_passed_over_but_not_all(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 12})
    for path in photos.rglob("*.jpg"):
        path.write_bytes(b"no photo")
    with pytest.raises(InputError, match="none of 4 photos"):
        export("embedded", tmp_path / "out", photos=photos, settings=FEW)


def test_photos_that_have_gone_are_passed_over_and_counted(tmp_path: Path) -> None:
    photos = ExportPhotos.of(photo_folder(tmp_path / "photos", {"a": 12}), ExportSettings())
    gone, broken, *rest = photos.calibration
    (tmp_path / "photos" / gone).unlink()
    (tmp_path / "photos" / broken).write_bytes(b"no photo")
    watch = Listening()
    assert len(list(photos.pixels(photos.calibration, max_side_px=64, watch=watch))) == len(rest)
    assert watch.notes == [f"2 of 8 photos have gone or cannot be read, and are passed over (first: {gone})"]  # fmt: skip


def test_an_exported_network_is_described_by_as_it_was_compared(tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 12})
    done = export(str(top_folder(tmp_path / "net")), tmp_path / "out", photos=photos, settings=FEW)
    assert done.parity is not None
    work, way = WorkFolder(tmp_path / "work"), DescribeSettings(backbone=str(done.folder))
    settings = embedder_of(way, work=work, watch=Silent()).settings
    assert (settings.pooling, settings.sides_px) == (done.parity.pooling, done.parity.sides_px)
    assert not settings.keep_shape
    given = way.model_copy(update={"pooling": ("gem",), "keep_shape": True})
    settings = embedder_of(given, work=work, watch=Silent()).settings
    assert (settings.pooling, settings.sides_px, settings.keep_shape) == (("gem",), (64,), True)


def test_a_processor_without_bf16_is_told_of_where_bf16_is_told(tmp_path: Path) -> None:
    row = FormatParity("bf16", (), 1, 1.0, 1.0, 1.0, (1.0,))
    parity = ParityReport("net", "d", "torch", (64,), ("cls",), 1, 0, "an old one", False, (row,), None)  # fmt: skip
    assert "does not compute in bf16" in str(parity.remark)
    assert replace(parity, has_bf16=True).remark is None
    assert replace(parity, formats=()).remark is None


@pytest.mark.parametrize("phase", ["reference", "compare"])
def test_ctrl_c_leaves_nothing_half(phase: str, tmp_path: Path) -> None:
    photos = photo_folder(tmp_path / "photos", {"a": 12})
    with pytest.raises(KeyboardInterrupt):
        export("embedded", tmp_path / "out", photos=photos, settings=FEW, watch=Stopping(phase))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_photos_of_test_are_neither_calibrated_nor_compared_on(
    finished: Path, tmp_path: Path
) -> None:
    work = finished / "work"
    drawn = ExportPhotos.of(work, ExportSettings(n_compared=1000, n_calibration=1000))
    of_test = set(Split.read(work / "split.parquet").image_ids(TEST))
    ids = {Path(path).stem for path in drawn.compared + drawn.calibration}
    assert ids
    assert not ids & of_test
    # One in no part may be a copy of one in test.
    shutil.copytree(work, tmp_path / "work")
    table = Split.read(work / "split.parquet").table
    in_no_part = pl.col("image_id") == min(ids)
    table = table.with_columns(pl.when(~in_no_part).then("part").alias("part"))
    table.write_parquet(tmp_path / "work/split.parquet")
    fewer = ExportPhotos.of(tmp_path / "work", ExportSettings(n_compared=1000, n_calibration=1000))
    assert {Path(path).stem for path in fewer.compared + fewer.calibration} == ids - {min(ids)}
    assert not set(drawn.compared) & set(drawn.calibration)


def test_int8_of_a_backbone_without_one_says_what_makes_it(
    tiny_backbone: Path, tmp_path: Path
) -> None:
    settings = DescribeSettings(backbone=str(tiny_backbone), describe_in="int8")
    with pytest.raises(BundleError, match=r"has no model\.int8\.onnx .* cairn export BACKBONE OUT"):
        open_backbone(settings, cache=tmp_path, watch=Silent())


@pytest.mark.slow
def test_a_bundle_made_in_int8_carries_the_int8_network_and_recognises_anywhere(
    finished: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    shutil.copytree(finished / "work", tmp_path / "work")
    card = json.loads((finished / "work/training/default/card.json").read_text())
    source = card["settings"]["describe"]["backbone"]
    done = export(
        source,
        tmp_path / "out",
        photos=tmp_path / "work",
        describing=SMALL,
        settings=ExportSettings(rounds=1),
    )
    assert done.parity is not None
    assert [one.name for one in done.parity.formats] == ["onnx", "bf16", "int8", "int8 openvino"]
    assert min(one.cosine_median for one in done.parity.formats) > 0.99
    written = json.loads((done.folder / "export.json").read_text())["formats"]
    assert written["int8 openvino"] == ["openvino/int8.xml", "openvino/int8.bin"]
    describing = DescribeSettings(backbone=str(done.folder), sides_px=(64,), describe_in="int8")
    train(tmp_path / "work", name="int8", describing=describing)
    bundle = index(tmp_path / "work", name="int8").bundle.rename(tmp_path / "moved")
    assert (bundle / "network.onnx").read_bytes() == (done.folder / "model.int8.onnx").read_bytes()
    photo = next((finished / "photos/landmark_1").glob("*.jpg"))
    known, plain = Recognizer.load(bundle), Recognizer.load(finished / "work/models/default")
    assert known.recognize(photo).answer == "landmark_1"
    with pytest.raises(InputError, match="the same backbone, weights and settings were expected"):
        known.recognize_descriptors(
            Descriptors(("a",), known.index.vectors[:1], plain.embedder.source)
        )
