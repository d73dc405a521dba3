"""Curves for TensorBoard: event files, a new one for each run, without holes or doubles where a run was broken off."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from cairn.base.files import disk_errors


class Events:
    """A folder that TensorBoard reads; nothing lies in it before the first `flush`."""

    def __init__(self, folder: Path) -> None:
        # TensorBoard reads the files of a folder in the order of their names.
        self._path = folder / f"events.out.tfevents.{time.time_ns()}"
        self._waiting: list[bytes] = []

    def begin(self, after_step: int) -> None:
        """What earlier runs told of later steps counts no more, for they are taken again."""
        began = SessionLog(status=SessionLog.START)
        self._waiting = [
            _record(Event(wall_time=time.time(), file_version="brain.Event:2")),
            _record(Event(wall_time=time.time(), step=after_step + 1, session_log=began)),
        ]

    def tell(self, step: int, values: Mapping[str, float]) -> None:
        """The values of a step, by the names of their curves."""
        told = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._waiting.append(
            _record(Event(wall_time=time.time(), step=step, summary=Summary(value=told)))
        )

    def flush(self) -> None:
        """All that was told lies on the disk.

        Raises DiskError where it is full.
        """
        with disk_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(b"".join(self._waiting))
        self._waiting = []


# Any: the messages of protobuf have no types.
def _record(event: Any) -> bytes:
    """The event as it stands in a file: its length, the length's checksum, itself, its own checksum."""
    content: bytes = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    checked = (struct.pack("<I", masked_crc32c(part)) for part in (length, content))
    return length + next(checked) + content + next(checked)
