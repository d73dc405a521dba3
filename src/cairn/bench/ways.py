"""How each contender of the download bench is called, and where it leaves the photos that it kept."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cairn.base.errors import InputError
from cairn.images.decoders import ENVIRONMENT

CAIRN, IMG2DATASET, OLD_SCRIPT = "Cairn", "img2dataset", "the old script"
BARE, BARE_FILES = "bare, from memory", "bare, into files"
SIDE_PX = 256
REQUESTS_AT_ONCE = 64
# Without it img2dataset asks the internet for news of a library that it uses.
_QUIET = {"NO_ALBUMENTATIONS_UPDATE": "1"}
_PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True)
class Ground:
    """What one run reads and where it writes.

    addresses: a CSV `id,url,landmark_id` whose ids are the numbers of its rows from 0.
    photos: the folder of the photos behind the addresses, which repeat in the order of their names.
    """

    addresses: Path
    photos: Path
    out: Path
    n_images: int
    quality: int


@dataclass(frozen=True)
class Way:
    """A contender: the words that run it, and the file that it kept for each row's number."""

    words: Callable[[Ground], list[str]]
    kept: Callable[[Path], dict[int, Path]]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Field:
    """Who takes part: the contenders by name, the versions of those that are not ours, why others are left out."""

    ways: dict[str, Way]
    versions: dict[str, str]
    left_out: dict[str, str]


def field_of(*, img2dataset: Path | None, ours_only: bool) -> Field:
    """Cairn, its peers and its limit; img2dataset is the Python of an environment that has it.

    Raises InputError if that Python does not have it.
    """
    found = {CAIRN: Way(_cairn, _kept_by_id)}
    if ours_only:
        return Field(found, {}, {})
    versions, left_out = {}, {}
    if img2dataset is None:
        left_out[IMG2DATASET] = (
            "it needs an environment of its own; make one with Python 3.11 and install img2dataset==1.47.0 there; "
            "then name its Python with --img2dataset"
        )
    else:
        versions[IMG2DATASET] = _version(img2dataset)
        found[IMG2DATASET] = Way(_img2dataset(img2dataset), _kept_by_address, _QUIET)
    found[OLD_SCRIPT] = Way(_old_script, _kept_by_id)
    # The limit has what Cairn gives its own decoding processes: one thread, memory that is not given back.
    found[BARE] = Way(_bare("memory"), _kept_by_id, ENVIRONMENT)
    found[BARE_FILES] = Way(_bare("files"), _kept_by_id, ENVIRONMENT)
    return Field(found, versions, left_out)


def _version(python: Path) -> str:
    code = "from importlib import metadata; print(metadata.version('img2dataset'))"
    try:
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise InputError(
            f"{python} is no Python with img2dataset; the Python of an environment that has it was expected; "
            "install img2dataset==1.47.0 there, or leave --img2dataset away"
        ) from None
    return ran.stdout.strip()


def _cairn(ground: Ground) -> list[str]:
    # One server stands for many: the manners that protect a single host are switched off.
    return [
        sys.executable, "-m", "cairn", "download", str(ground.out), "--urls", str(ground.addresses),
        "--max-side-px", str(SIDE_PX), "--quality", str(ground.quality), "--allow-private",
        "--concurrency", str(REQUESTS_AT_ONCE), "--host-concurrency", str(REQUESTS_AT_ONCE),
        "--host-rate", "1000000",
    ]  # fmt: skip


def _img2dataset(python: Path) -> Callable[[Ground], list[str]]:
    return lambda ground: [
        str(python.absolute()), str(_PEERS / "run_img2dataset.py"), str(ground.addresses), str(ground.out),
        str(SIDE_PX), str(ground.quality), str(ground.n_images),
    ]  # fmt: skip


def _old_script(ground: Ground) -> list[str]:
    script = _PEERS / "run_old_script.py"
    return [sys.executable, str(script), str(ground.addresses), str(ground.out), str(SIDE_PX)]


def _bare(mode: str) -> Callable[[Ground], list[str]]:
    return lambda ground: [
        sys.executable, str(_PEERS / "run_bare.py"), str(ground.photos), str(ground.out),
        str(SIDE_PX), str(ground.quality), str(ground.n_images), mode,
    ]  # fmt: skip


def _kept_by_id(out: Path) -> dict[int, Path]:
    return {int(path.stem): path for path in out.rglob("*.jpg")}


def _kept_by_address(out: Path) -> dict[int, Path]:
    """As img2dataset leaves them: named by shard and place, with the address in a JSON file beside."""
    found = {}
    for path in out.rglob("*.jpg"):
        address = json.loads(path.with_suffix(".json").read_text())["url"]
        found[int(Path(address).stem)] = path
    return found
