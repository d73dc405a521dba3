"""Work folders with findings to review, and the review page served in a process of its own, which may be killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from cairn.records.catalog import Catalog
from cairn.records.findings import (
    BLURRED,
    EXACT_COPY,
    NEAR_COPY,
    NO_LANDMARK,
    SEVERAL_LANDMARKS,
    WRONG_LANDMARK,
    Findings,
)
from cairn.records.landmarks import Landmarks
from tests.make import jpeg

START_S = 60
NAMES = {"aqueduct": "Old Aqueduct", "belfry": "Belfry of Brünn", "citadel": "The Citadel"}


def image_id(landmark_id: str, number: int) -> str:
    return f"{landmark_id}-{number:03}"


def review_work(root: Path, *, n_photos: int = 12) -> Path:
    """A work folder with `n_photos` photos of each of three landmarks, and findings about half of them.

    Of each landmark photos 0 to 4 have findings: 0 a near copy of 5, 1 a wrong landmark, 2 no landmark, 3 several
    landmarks, 4 blurred; photo 6 is a sure copy of 5; the others have none.
    """
    rows: list[dict[str, object]] = []
    for place, landmark_id in enumerate(NAMES):
        for number in range(n_photos):
            path = f"images/{landmark_id}/{number:03}.jpg"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(jpeg(100 * place + number))
            rows.append({
                "list": "made", "row": len(rows) + 1, "image_id": image_id(landmark_id, number), "source": path,
                "own_landmark_ids": [landmark_id], "landmark_ids": [landmark_id], "status": "kept", "path": path,
                "width_px": 128, "height_px": 96, "size_bytes": 1, "digest": f"{len(rows):064x}",
                "kept_digest": f"{len(rows):064x}", "likeness": b"",
            })  # fmt: skip
    Catalog.of(rows).write(root / "catalog.parquet")
    Landmarks.of({"landmark_id": id_, "name": name} for id_, name in NAMES.items()).write(
        root / "landmarks.parquet"
    )
    Findings.of(made for place, id_ in enumerate(NAMES) for made in _findings(id_, place)).write(
        root / "findings.parquet"
    )
    return root


def _findings(landmark_id: str, place: int) -> list[dict[str, object]]:
    ids = [image_id(landmark_id, number) for number in range(7)]
    other = [name for name in NAMES if name != landmark_id]
    said = {"is_sure": False, "score": 0.9 - 0.1 * place}
    regions = [[5, 5, 60, 90], [70, 10, 120, 80]]
    return [
        said | {"kind": NEAR_COPY, "image_id": ids[0], "evidence": [ids[5]], "reason": "A crop of the other photo."},
        said | {"kind": WRONG_LANDMARK, "image_id": ids[1], "evidence": [image_id(other[0], 8), image_id(other[0], 9)],
                "suggested": other[:1], "reason": f"Its neighbours show {other[0]}."},
        said | {"kind": NO_LANDMARK, "image_id": ids[2], "evidence": [], "suggested": [], "reason": "Nothing supports it."},
        said | {"kind": SEVERAL_LANDMARKS, "image_id": ids[3], "evidence": [image_id(other[0], 7)], "regions": regions,
                "suggested": [landmark_id, other[0]], "reason": "Two parts match two landmarks."},
        said | {"kind": BLURRED, "image_id": ids[4], "evidence": [], "reason": "Hardly an edge in it."},
        said | {"kind": EXACT_COPY, "image_id": ids[6], "evidence": [ids[5]], "is_sure": True, "reason": "The same bytes."},
    ]  # fmt: skip


class ReviewServer:
    """A context in which `cairn review` serves a work folder in a process of its own; `url` is where."""

    def __init__(self, work: Path, *flags: str, port: int = 0) -> None:
        self._command = [sys.executable, "-m", "cairn", "review", str(work), *flags]
        self.port = port
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """The server answers, at the port it had before if there was one."""
        self._process = subprocess.Popen(
            [*self._command, "--port", str(self.port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ,
        )  # fmt: skip
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            said += line
            if line.startswith("open "):
                self.url = line.removeprefix("open ").strip()
                self.port = int(re.findall(r":(\d+)/", self.url)[-1])
                return
        self._process.wait(START_S)
        assert self._process.stderr is not None
        raise AssertionError(f"cairn review ended: {said}{self._process.stderr.read()}")

    @property
    def process_id(self) -> int:
        """Of the server that runs now."""
        return self._process.pid

    def stop(self) -> tuple[int, str]:
        """The exit code, and what else was said on stdout, after Ctrl-C."""
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=START_S)
        return self._process.returncode, said

    def kill(self) -> None:
        """The server is gone, with no time to tidy up."""
        self._process.kill()
        self._process.communicate()
