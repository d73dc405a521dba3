"""`make run URLS=list.csv`: from addresses to a scored recogniser, in one command."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.make import landmark_folder
from tests.models.nets import net_folder
from tests.serving import PhotoServer, Said, write_list

ROOT = Path(__file__).parents[2]
REAL_PHOTOS = ROOT.parent / "shared/photos"
REAL_BACKBONE = ROOT.parent / "shared/weights/mobilenetv2_100.in1k"
MOST_LANDMARKS, MOST_PHOTOS = 8, 10
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed"),
]


def served(photos: Path, server: PhotoServer, folder: Path) -> Path:
    """A list of the photos of some landmarks and of none, which the server has; two of its rows are lost."""
    landmarks = sorted(path for path in photos.iterdir() if path.is_dir())[: MOST_LANDMARKS + 1]
    rows: list[dict[str, object]] = []
    for landmark in landmarks:
        for photo in sorted(landmark.glob("*.jpg"))[:MOST_PHOTOS]:
            path = f"/{landmark.name}/{photo.name}"
            server.said[path] = Said(content=photo.read_bytes())
            url = f"http://127.0.0.1:{server.ports[0]}{path}"
            rows.append(
                {"key": f"{landmark.name}-{photo.stem}", "link": url, "place": landmark.name}
            )
    gone = f"http://127.0.0.1:{server.ports[0]}/gone.jpg"
    server.said["/gone.jpg"] = Said(status=404, content=b"gone")
    rows += [
        {"key": "gone", "link": gone, "place": landmarks[-1].name},
        {"key": "none", "link": "None", "place": landmarks[-1].name},
    ]
    return write_list(folder / "list.csv", rows)


@pytest.mark.parametrize("kind", ["made-up", "real"])
def test_make_run_goes_from_addresses_to_a_scored_recogniser(kind: str, tmp_path: Path) -> None:
    photos, backbone, side = REAL_PHOTOS, REAL_BACKBONE, "224"
    if kind == "made-up":
        photos, backbone = landmark_folder(tmp_path / "photos"), net_folder(tmp_path / "net")
        side = "64"
    elif not photos.is_dir() or not backbone.is_dir():
        pytest.skip("the real photos and weights are not on this machine")
    with PhotoServer() as server:
        urls = served(photos, server, tmp_path)
        flags = f"--allow-private --columns url=link,id=key,landmark=place --sides-px {side} --host-rate 1000"
        given = {"URLS": urls, "WORK": tmp_path / "work", "BACKBONE": backbone, "RATIO": "50/0/50"}
        words = [f"{name}={value}" for name, value in given.items()]
        ran = subprocess.run(
            ["make", "run", *words, f"ARGS={flags}"], cwd=ROOT, capture_output=True, text=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    catalog = pl.read_parquet(tmp_path / "work/catalog.parquet")
    n_rows = len(urls.read_text().splitlines()) - 1
    assert len(catalog) == n_rows
    assert (catalog["status"] == "kept").sum() >= n_rows - 4
    scores = json.loads((tmp_path / "work/reports/default/scores.json").read_text())
    assert scores["counts"]["known"] > 0
    if kind == "real":
        # Nearest neighbours of this network alone reach 0.8 on all 65 landmarks.
        assert scores["gap"]["value"] > 0.7
    assert "next: " in ran.stdout
