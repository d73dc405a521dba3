"""Names of files and folders for ids and landmarks: safe everywhere, also where case does not count."""

import re
from collections.abc import Iterable

from cairn.base.files import digest_bytes, safe_name

UNKNOWN_FOLDER = "_unknown"
# One id on each line, each of them surely safe: no dots, and longer than any name that a system reserves.
PLAIN_IDS = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_\-]{4,79}\n)+")
MOST_CHARACTERS = 80
RESERVED_CHARACTERS = 4
# How the names end that `stem_of` gives to crowded ones, as they are read where case does not count.
CROWDED_FORM = re.compile(r"_[0-9a-f]{12}\Z", re.IGNORECASE)


def safe(name: str) -> str:
    """The same as `safe_name`, quicker for the names that most landmarks and images have."""
    is_plain = name.isalnum() and name.isascii() and len(name) <= MOST_CHARACTERS
    if is_plain and (name[0].isdigit() or len(name) > RESERVED_CHARACTERS):
        return name
    return safe_name(name)


def folded(name: str) -> str:
    """What the file of `name` is called where case does not count."""
    return safe(name).lower()


def stem_of(name: str, *, is_crowded: bool) -> str:
    """The name of the file or folder of `name`, without a suffix.

    is_crowded: another name comes so close that their digests have to tell them apart. Names that look as if they
    had such a digest get one of their own: the file of a crowded name is no other's.
    """
    plain = safe(name)
    if not is_crowded and not CROWDED_FORM.search(plain):
        return plain
    return f"{plain[:64]}_{digest_bytes(name.encode())[:12]}"


def crowded(names: Iterable[str]) -> set[str]:
    """Those of `names`, each of them another, whose files would be one where case does not count."""
    first_of: dict[str, str] = {}
    found = set()
    for name in names:
        first = first_of.setdefault(folded(name), name)
        if first != name:
            found |= {first, name}
    return found
