"""What training tells: JSON lines and curves, each step once, however often a run is broken off."""

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
proto = pytest.importorskip("tensorboardX.proto.event_pb2")

from cairn.base.errors import DiskError  # noqa: E402 - tensorboardX has to be there first
from cairn.training.telling import Log, read_log  # noqa: E402

Curves = dict[str, dict[int, float]]


def log_in(folder: Path) -> Log:
    return Log(folder / "log.jsonl", folder / "tensorboard")


def events_of(path: Path) -> Iterator[object]:
    """The events of a file, read as the form says: length, checksum, event, checksum."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        yield proto.Event.FromString(content[at + 12 : at + 12 + length])
        at += 16 + length


def curves_in(folder: Path) -> Curves:
    """What TensorBoard shows of a folder: a run that begins purges what was told of its steps."""
    curves: Curves = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in events_of(path):
            if event.HasField("session_log"):  # type: ignore[attr-defined]  # protobuf has no types
                for curve in curves.values():
                    for step in [one for one in curve if one >= event.step]:  # type: ignore[attr-defined]
                        del curve[step]
            for value in event.summary.value:  # type: ignore[attr-defined]
                curves.setdefault(value.tag, {})[event.step] = value.simple_value  # type: ignore[attr-defined]
    return curves


def test_every_number_is_in_the_lines_and_in_its_curve(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.keep_until(0)
    log.tell("train", step=1, epoch=0.5, loss=2.0, gradient_norm=math.nan)
    log.tell("val", step=2, epoch=1.0, gap=0.25)
    log.flush()
    assert list(read_log(tmp_path / "log.jsonl")) == [
        {"step": 1, "epoch": 0.5, "loss": 2.0, "gradient_norm": None},
        {"step": 2, "epoch": 1.0, "gap": 0.25},
    ]
    assert curves_in(tmp_path / "tensorboard") == {"train/loss": {1: 2.0}, "val/gap": {2: 0.25}}


def test_a_run_that_goes_on_tells_no_step_twice(tmp_path: Path) -> None:
    for first, last, loss in ((1, 5, 1.0), (4, 7, 2.0)):
        log = log_in(tmp_path)
        log.keep_until(first - 1)
        for step in range(first, last + 1):
            log.tell("train", step=step, loss=loss)
        log.flush()
    wanted = {1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0, 7: 2.0}
    assert curves_in(tmp_path / "tensorboard") == {"train/loss": wanted}
    told = {line["step"]: line["loss"] for line in read_log(tmp_path / "log.jsonl")}
    assert told == wanted


def test_a_half_line_of_a_killed_run_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    log_in(tmp_path).keep_until(9)
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1, "loss": 2.0}\n'


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("a file")
    log = log_in(tmp_path)
    log.keep_until(0)
    log.tell("train", step=1, loss=2.0)
    with pytest.raises(DiskError, match="tensorboard"):
        log.flush()
