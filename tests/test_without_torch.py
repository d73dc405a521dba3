"""Demo, recognize and serve run where torch cannot be imported at all."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

# Looking whether torch is there is allowed (polars does); loading it is not.
BLOCK = """
import sys
from importlib.machinery import ModuleSpec

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torchvision", "timm", "onnx", "onnxruntime"}:
            return ModuleSpec(name, self)

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked in this test")

    def exec_module(self, module):
        raise ImportError("blocked")

sys.meta_path.insert(0, Blocked())
"""


def environment(root: Path) -> dict[str, str]:
    """One in which Python loads the block at its start."""
    (root / "sitecustomize.py").write_text(BLOCK)
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def blocked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return environment(tmp_path_factory.mktemp("block"))


def cairn(arguments: list[str], blocked: dict[str, str]) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "cairn.cli.main", *arguments],
        env=blocked,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, blocked: dict[str, str]) -> tuple[Path, str]:
    work = tmp_path_factory.mktemp("demo") / "work"
    return work, cairn(["demo", "--work", str(work)], blocked)


def test_the_block_blocks(blocked: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "import torch"], env=blocked, capture_output=True, text=True
    )
    assert "torch is blocked in this test" in ran.stderr


@pytest.mark.slow
def test_the_demo_reaches_its_scores_and_names_what_it_left(demo: tuple[Path, str]) -> None:
    work, said = demo
    scores = json.loads((work / "reports/default/scores.json").read_text())
    assert scores["gap"]["value"] > 0.8
    assert scores["top1"]["value"] > 0.85
    assert scores["distractors_refused"]["value"] > 0.9
    assert scores["counts"]["distractors"] == 60
    for words in (
        "GAP with distractors",
        "report.html",
        "models/default",
        "next, on your own photos",
    ):
        assert words in said


@pytest.mark.slow
def test_the_command_that_the_demo_proposes_recognises_its_photo(
    demo: tuple[Path, str], blocked: dict[str, str]
) -> None:
    line = next(line for line in demo[1].splitlines() if line.startswith("try it: cairn "))
    said = cairn([*line.removeprefix("try it: cairn ").split(), "--json"], blocked)
    answer = json.loads(said)
    assert answer["landmarks"][0]["landmark_id"] == Path(answer["image"]).parent.name


@pytest.mark.slow
def test_serving_answers_over_http(demo: tuple[Path, str], blocked: dict[str, str]) -> None:
    bundle, photo = demo[0] / "models/default", next((demo[0] / "images").glob("*/*.jpg"))
    process = subprocess.Popen(
        [sys.executable, "-m", "cairn.cli.main", "serve", str(bundle), "--port", "0"],
        env=blocked, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for _ in range(200):
            try:
                answered = httpx.post(
                    f"{url}/v1/recognize",
                    files={"image": ("a.jpg", photo.read_bytes())},
                    timeout=20,
                )
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        assert answered.status_code == 200
        assert answered.json()["landmarks"]
    finally:
        process.terminate()
        process.communicate(timeout=20)
