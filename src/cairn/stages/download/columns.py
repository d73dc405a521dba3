"""The first line of a list: how its lines are cut, and which column says what."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cairn.base.checks import nearest_name
from cairn.base.errors import InputError, SettingsError
from cairn.stages.download.lines import Cut, Malformed, cut_line

# What each meaning's column is called elsewhere, dearest name first.
NAMES: Mapping[str, tuple[str, ...]] = {
    "url": (
        "url", "image_url", "photo_url", "img_url", "original_url", "file_url", "link", "image_link",
        "address", "href", "src", "uri", "urls",
    ),
    "id": ("id", "image_id", "photo_id", "imageid", "photoid", "img_id", "image", "key", "uid"),
    "landmark": (
        "landmark_id", "landmark", "landmarkid", "landmark_ids", "label", "class", "place",
        "place_id", "class_id", "category",
    ),
    "licence": ("licence", "license", "licence_url", "license_url", "rights"),
    "author": ("author", "creator", "artist", "photographer", "credit"),
    "name": ("landmark_name", "place_name", "name"),
    "latitude": ("latitude", "lat"),
    "longitude": ("longitude", "lon", "lng", "long"),
}  # fmt: skip
SAME_MEANING = {"license": "licence", "landmark_id": "landmark", "image_id": "id", "address": "url"}
DELIMITERS = (",", "\t", ";", "|")
# No line that is well formed holds it, so a list of one column is never cut.
NO_DELIMITER = "\0"
ADDRESS = re.compile(r"https?://", re.IGNORECASE)
ASK = "name the columns with --columns url=NAME,id=NAME,landmark=NAME"


@dataclass(frozen=True)
class Columns:
    """How the lines of a list are cut, and at which place of them each meaning stands.

    at: the place of a meaning's column by the names of `NAMES`; absent where the list has none.
    """

    cut: Cut
    at: Mapping[str, int]
    has_header: bool


def read_columns(first_line: str, *, mapping: str, suffix: str, what: str) -> Columns:
    """The columns that the first line of a list names, or one column where it is an address itself.

    mapping: `url=link,id=key`; what it does not name is guessed from the header.
    suffix: `.csv`, `.tsv` or `.txt`; it decides where the line itself does not.
    what: the list, as messages call it.
    Raises InputError where no column can hold the addresses, SettingsError where `mapping` is wrong.
    """
    fields = _header(first_line, suffix)
    if fields is None:
        raise InputError(
            f"the first line of {what} is not well formed: {first_line[:80]!r}; names of columns, such "
            "as id,url,landmark_id, were expected; mend its quotes"
        )
    delimiter, names = fields
    if any(ADDRESS.match(name) for name in names):
        is_alone = len(names) == 1 or (
            delimiter != "\t" and suffix != ".csv" and ADDRESS.match(first_line.strip()) is not None
        )
        return _without_header(first_line.strip(), what, is_address=is_alone and not mapping)
    at = _mapped(mapping, names, what) if mapping else {}
    for meaning, place in _guessed(names):
        if meaning not in at and place not in at.values():
            at[meaning] = place
    if "url" not in at:
        raise InputError(
            f"{what} has the columns {_told(names)}; one with the addresses of photos, such as url, was "
            f"expected; {ASK}"
        )
    _require_once(names, at, what)
    return Columns(Cut(delimiter, len(names), at["url"]), at, has_header=True)


def _header(line: str, suffix: str) -> tuple[str, list[str]] | None:
    """The delimiter that cuts the line into most names, with them; None where no one can."""
    found: list[tuple[int, str, list[str]]] = []
    ordered = sorted(DELIMITERS, key=lambda delimiter: (delimiter == "\t") != (suffix == ".tsv"))
    for delimiter in ordered:
        names = cut_line(line, delimiter)
        if names is not None and not isinstance(names, Malformed):
            found.append((len(names), delimiter, [name.strip() for name in names]))
    if not found:
        return None
    most = max(n for n, _, _ in found)
    _, delimiter, names = next(each for each in found if each[0] == most)
    return (NO_DELIMITER if most == 1 else delimiter), names


def _without_header(line: str, what: str, *, is_address: bool) -> Columns:
    """The columns of a list that begins with its first row, if that is one address and nothing else."""
    if not is_address:
        raise InputError(
            f"the first line of {what} holds an address where names of columns were expected: {line[:80]!r}; "
            "write a line such as id,url,landmark_id above it, or put one address on each line of a .txt file"
        )
    return Columns(Cut(NO_DELIMITER, 1, 0), {"url": 0}, has_header=False)


def _plain(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().casefold())


def _guessed(names: Sequence[str]) -> Iterator[tuple[str, int]]:
    plain = [_plain(name) for name in names]
    for meaning, known in NAMES.items():
        place = next((plain.index(name) for name in known if name in plain), None)
        if place is not None:
            yield meaning, place


def _mapped(mapping: str, names: Sequence[str], what: str) -> dict[str, int]:
    at: dict[str, int] = {}
    problems = []
    for pair in mapping.split(","):
        meaning, equals, name = (part.strip() for part in pair.partition("="))
        meaning = SAME_MEANING.get(meaning.casefold(), meaning.casefold())
        if not equals or not name:
            problems.append(
                f"columns: {pair!r} is no pair; MEANING=COLUMN was expected, such as url=link"
            )
        elif meaning not in NAMES:
            problems.append(
                f"columns: {meaning!r} is no meaning; one of {', '.join(NAMES)} was expected"
                f"{nearest_name(meaning, NAMES)}"
            )
        elif meaning in at:
            problems.append(f"columns: {meaning} is given twice; each meaning once was expected")
        elif name not in names:
            problems.append(
                f"columns: {what} has no column {name!r}; one of {_told(names)} was expected"
                f"{nearest_name(name, names)}"
            )
        else:
            at[meaning] = names.index(name)
    if problems:
        raise SettingsError(problems)
    return at


def _require_once(names: Sequence[str], at: Mapping[str, int], what: str) -> None:
    twice = [names[place] for place in at.values() if names.count(names[place]) > 1]
    if twice:
        raise InputError(
            f"{what} has {names.count(twice[0])} columns called {twice[0]!r}; one was expected, so that it is "
            "clear which is meant; rename the others"
        )


def _told(names: Sequence[str]) -> str:
    told = ", ".join(name[:40] or "(no name)" for name in names[:12])
    return told if len(names) <= 12 else f"{told} and {len(names) - 12} more"
