"""How each contender of the scrub bench is called, and how what it found is read."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from cairn.base.errors import InputError
from cairn.base.files import write_text
from cairn.base.settings import DescribeSettings, Settings, settings_folder
from cairn.bench.hits import hits_from, hits_of
from cairn.bench.measured import SAID, Cost, run_measured
from cairn.records import findings as kinds
from cairn.records.catalog import Catalog
from cairn.records.findings import Findings
from cairn.records.split import Split

CAIRN, CLEANVISION = "Cairn", "cleanvision"
PHASH, CNN = "imagededup PHash", "imagededup CNN"
PEERS = (CLEANVISION, PHASH, CNN)
_SCRIPTS = Path(__file__).parent / "peers"
# What the peers call their checks, in the words of findings; cleanvision also tells light and grey images.
CALLED = {
    "exact_duplicates": kinds.EXACT_COPY,
    "near_duplicates": kinds.NEAR_COPY,
    "duplicate": kinds.NEAR_COPY,
    "blurry": kinds.BLURRED,
    "dark": kinds.DARK,
    "low_information": kinds.BLANK,
    "odd_aspect_ratio": kinds.ODD_SHAPE,
    "odd_size": kinds.TOO_SMALL,
}
_PHASE = re.compile(r"^(.+?): (?:[\d,]+ in )?([\d.]+) s$", re.MULTILINE)


@dataclass(frozen=True)
class Finished:
    """What one contender found in one planted set, and what that cost.

    phases: seconds by name, where it tells them. parts: of photos, where it has dealt them.
    """

    hits: pl.DataFrame
    cost: Cost
    phases: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cleaners:
    """The Pythons of those who take part besides Cairn, by name; why others do not; the versions of those who do."""

    pythons: dict[str, Path]
    left_out: dict[str, str]
    versions: dict[str, str]


def cleaners_of(*, cleanvision: Path | None, imagededup: Path | None) -> Cleaners:
    """The peers that can run; each is the Python of an environment that has the package of that name.

    Raises InputError where such a Python does not have it.
    """
    found = Cleaners({}, {}, {})
    for package, python, names in (
        ("cleanvision", cleanvision, (CLEANVISION,)),
        ("imagededup", imagededup, (PHASH, CNN)),
    ):
        if python is None:
            reason = (
                f"it needs an environment of its own; make one, install {package} there, then name its Python with "
                f"--{package}"
            )
            found.left_out.update(dict.fromkeys(names, reason))
        else:
            found.versions[package] = _version(python, package)
            found.pythons.update(dict.fromkeys(names, python))
    return found


def _version(python: Path, package: str) -> str:
    code = f"from importlib import metadata; print(metadata.version('{package}'))"
    try:
        ran = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise InputError(
            f"{python} is no Python with {package}; the Python of an environment that has it was expected; install "
            f"{package} there, or leave --{package} away"
        ) from None
    return ran.stdout.strip()


def run_peer(name: str, python: Path, place: Path) -> Finished:
    """What a peer finds in `place/photos`. Raises InputError where it fails."""
    out = place / f"{name.replace(' ', '-')}.json"
    script = (
        ["run_cleanvision.py"] if name == CLEANVISION else ["run_imagededup.py", name.split()[1]]
    )
    words = [str(python.absolute()), str(_SCRIPTS / script[0]), *script[1:], "photos", out.name]
    cost = run_measured(words, cwd=place)
    rows = json.loads(out.read_text())["hits"]
    told = [
        (CALLED[check], photo, other, score)
        for check, photo, other, score in rows
        if check in CALLED
    ]
    return Finished(hits_from(told), cost)


def run_cairn(place: Path, describing: DescribeSettings) -> tuple[Cost, Finished]:
    """What the import of `place/photos` into `place/work` costs, and what scrub finds there once it is split."""
    settings = _told(place / "settings.toml", {"describe": describing})
    imported = run_measured(_words("import", "work", "--folder", "photos"), cwd=place)
    # Findings that lie there would only be read again, and nothing measured; the split is to know nothing of them.
    for made in ("cards/scrub.json", "findings.parquet"):
        (place / "work" / made).unlink(missing_ok=True)
    run_measured(_words("split", "work", "--fresh"), cwd=place)
    cost = run_measured(_words("scrub", "work", "--settings", settings.name), cwd=place)
    phases = {name: float(s) for name, s in _PHASE.findall((place / SAID).read_text())}
    found = Findings.read(place / "work/findings.parquet")
    catalog = Catalog.read(place / "work/catalog.parquet")
    dealt = Split.read(place / "work/split.parquet")
    return imported, Finished(hits_of(found, catalog), cost, phases, parts_of(dealt, catalog))


def parts_of(dealt: Split, catalog: Catalog) -> dict[str, str]:
    """The part of each photo that is in one, by its path."""
    placed = dealt.table.drop_nulls("part").select("image_id", "part")
    sources = catalog.kept.select("image_id", "source")
    return dict(sources.join(placed, on="image_id").select("source", "part").iter_rows())


def _words(*words: str) -> list[str]:
    return [sys.executable, "-m", "cairn", *words]


def _told(path: Path, sections: Mapping[str, Settings]) -> Path:
    """A TOML file of the settings that were given; a folder is named so that it is found from anywhere."""
    lines = []
    for section, settings in sections.items():
        lines.append(f"[{section}]")
        for name, value in settings.model_dump(mode="json", exclude_unset=True).items():
            lines.append(f"{name} = {json.dumps(_found_from_anywhere(value))}")
    write_text(path, "\n".join(lines) + "\n")
    return path


def _found_from_anywhere(value: JsonValue) -> JsonValue:
    folder = settings_folder(value) if isinstance(value, str) else None
    return str(folder.expanduser().absolute()) if folder else value


def last_sentence(error: InputError) -> str:
    """The end of what a peer said before it failed, in one line."""
    lines: Sequence[str] = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "it failed"
