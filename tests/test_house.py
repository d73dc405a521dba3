"""The rules of the house that a machine can check: who may import whom, and where torch may live."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cairn

ROOT = Path(cairn.__file__).parent
FLOORS = [
    {"__main__"},
    {"cli"},
    {"web"},
    {"pipeline"},
    {"stages", "bench"},
    {"recognizer", "training", "reports"},
    {"bundles"},
    {"images", "models", "indexes", "engines"},
    {"algorithms"},
    {"records"},
    {"base"},
]
FREE = {"version"}
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
TORCH_ROOMS = {
    "training",
    "algorithms/losses.py",
    "bench/input_torch.py",
    "models/backbones.py",
    "models/exporting.py",
    "models/networks.py",
    "models/runtimes/torch.py",
}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "misc", "core", "manager"}
FILES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """Each module that `path` imports, also inside functions, and whether it stands at the top (depth 0)."""
    tree = ast.parse(path.read_text())
    top = set(map(id, tree.body))
    for node in ast.walk(tree):
        depth = 0 if id(node) in top else 1
        if isinstance(node, ast.Import):
            yield from ((alias.name, depth) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, depth


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__"}
    assert rooms - FREE <= set(FLOOR_OF)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_only_go_down(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        pytest.skip("the face of the package names the rooms it opens")
    for module, _ in imports_of(path):
        if module.split(".")[0] == "cairn" and module != "cairn":
            other = module.split(".")[1]
            if other not in FREE and other != room:
                assert FLOOR_OF[room] < FLOOR_OF[other], f"{path.name} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_torch_lives_in_its_rooms_only(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    if not any(place.startswith(room) for room in TORCH_ROOMS):
        wanted = {"torch", "torchvision", "timm"}
        assert not wanted & {module.split(".")[0] for module, _ in imports_of(path)}


def test_no_room_has_a_name_that_says_nothing() -> None:
    assert not FORBIDDEN_NAMES & {part.removesuffix(".py") for path in FILES for part in path.parts}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_room_says_what_may_live_in_it(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text()))
    assert said
    assert len(said.split()) >= 4


def test_importing_cairn_loads_nothing_heavy() -> None:
    code = "import sys, cairn; print(*{'torch', 'numpy', 'polars', 'pydantic', 'openvino'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""


def test_the_public_names_are_those_of_the_table() -> None:
    assert set(cairn.ROOM_OF) | {"__version__"} == set(cairn.__all__)
    for name in cairn.__all__:
        assert getattr(cairn, name) is not None
    with pytest.raises(AttributeError, match="no public name"):
        _ = cairn.nonsense
