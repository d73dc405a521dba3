"""The table of hosts: how often, how wide and on which terms each host may be asked, read from TOML and checked."""

import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from cairn.base.checks import counted, nearest_name
from cairn.base.errors import InputError
from cairn.base.settings import DownloadSettings


class SizeKind(StrEnum):
    """How a host can be asked for a smaller photo; `sizes.smaller_address` holds the ways."""

    GOOGLE = "google"
    WIKIMEDIA = "wikimedia"


@dataclass(frozen=True, slots=True)
class Smaller:
    """A way to a smaller photo, with its numbers: the widths that the host serves, narrowest first."""

    kind: SizeKind
    widths: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostRule:
    """What one host allows.

    hosts: whom the rule speaks of; "*.example.org" is every host below example.org.
    mbit_per_s: 0 is no limit.
    contact_required: nothing may be asked before the user gave a contact.
    source: where the rule can be read up.
    """

    hosts: tuple[str, ...] = ()
    concurrency: int = 4
    rate_per_s: float = 10.0
    mbit_per_s: float = 0.0
    contact_required: bool = False
    smaller: Smaller | None = None
    source: str = ""


SHIPPED = "hosts.toml"
# Redirects may lead to ever new hosts.
MOST_FOUND = 100_000


class HostRules:
    """The rule of each host; hosts that no rule names have the default one."""

    def __init__(self, rules: Sequence[HostRule], *, default: HostRule) -> None:
        self.default = default
        self._rule_of = {name: rule for rule in rules for name in rule.hosts}
        self._found: dict[str, HostRule] = {}

    @staticmethod
    def read(path: Path | None = None, *, settings: DownloadSettings) -> "HostRules":
        """The rules of the table that Cairn brings, and over them those of the file, where one is given.

        A host that both name has the file's rule, and nothing of Cairn's.
        settings: what a rule leaves out, and all of it for hosts without a rule, is as these say.
        Raises InputError with everything that is wrong in the file.
        """
        default = HostRule(concurrency=settings.host_concurrency, rate_per_s=settings.host_rate)
        rules = _rules_of(shipped_table(), name=SHIPPED, default=default)
        if path is not None:
            # Of two rules for one name the later counts.
            rules += _rules_of(_text_of(path), name=path.as_posix(), default=default)
        return HostRules(rules, default=default)

    def of(self, host: str) -> HostRule:
        """The rule of a host, given as "host" or "host:port"; the most exact name wins."""
        rule = self._found.get(host)
        if rule is None:
            if len(self._found) >= MOST_FOUND:
                self._found.clear()
            rule = self._found[host] = self._look_up(host)
        return rule

    def _look_up(self, host: str) -> HostRule:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        found = self._rule_of.get(name)
        while found is None and name:
            name = name.partition(".")[2]
            found = self._rule_of.get(f"*.{name}")
        return found or self.default


def shipped_table() -> str:
    """The text of the table that Cairn brings, with its comments."""
    return (resources.files(__package__) / SHIPPED).read_text(encoding="utf-8")


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.as_posix()} cannot be read as text ({error}); a table of hosts in TOML, as UTF-8, was expected; "
            "start from Cairn's own: cairn download --show-hosts"
        ) from error


def _rules_of(text: str, *, name: str, default: HostRule) -> list[HostRule]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            f"{name} is not TOML ({error}); a table of hosts with [[rule]] parts was expected; "
            "correct it at that place"
        ) from error
    problems = [
        f"unknown part '{part}'{nearest_name(part, ['rule'])}; only [[rule]] parts were expected"
        for part in table.keys() - {"rule"}
    ]
    parts = table.get("rule", [])
    if not (isinstance(parts, list) and all(isinstance(part, dict) for part in parts)):
        problems.append("'rule' is no list of tables; each rule begins with a line [[rule]]")
        parts = []
    rules = [_checked(part, f"rule {i}", default, problems) for i, part in enumerate(parts, 1)]
    problems += _named_twice(rules)
    if problems:
        raise InputError(
            f"{name} has {counted(len(problems), 'fault')}:"
            + "".join(f"\n  {problem}" for problem in problems)
            + "\nwhat each key takes stands in docs/download.md under 'The table of hosts'; correct it and run again"
        )
    return rules


def _named_twice(rules: Sequence[HostRule]) -> list[str]:
    names = [name for rule in rules for name in rule.hosts]
    twice = sorted({name for name in names if names.count(name) > 1})
    return [f"host '{name}' stands in two places; one was expected" for name in twice]


class _Key(NamedTuple):
    """What a key of a rule takes: `read` gives the checked value, or None where it is wrong."""

    read: Callable[[object], object | None]
    expected: str


def _checked(
    part: Mapping[str, object], where: str, default: HostRule, problems: list[str]
) -> HostRule:
    """The rule that `part` states; what is wrong with it is added to `problems`."""
    values: dict[str, object] = {}
    for key, value in part.items():
        known = _KEYS.get(key)
        if known is None:
            problems.append(f"{where}: unknown key '{key}'{nearest_name(key, _KEYS)}")
        elif (checked := known.read(value)) is None:
            problems.append(f"{where}: {key} is {value!r}; {known.expected} was expected")
        else:
            values[key] = checked
    if "hosts" not in part:
        problems.append(f"{where}: hosts is missing; {_KEYS['hosts'].expected} was expected")
    # Each value came out of the reader of its own key, which is what mypy cannot see.
    return replace(default, **values)  # type: ignore[arg-type]


def _names(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    return tuple(str(name).lower() for name in value) if all(map(_is_name, value)) else None


def _is_name(value: object) -> bool:
    if not isinstance(value, str) or not value.isascii():
        return False
    name = value.removeprefix("*.")
    return bool(name) and not any(char in "*/:@ " for char in name) and not name.startswith(".")


def _count(value: object) -> int | None:
    return value if type(value) is int and 1 <= value <= 256 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _rate(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0 else None


def _limit(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and number >= 0 else None


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _words(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _smaller(value: object) -> Smaller | None:
    if not isinstance(value, dict) or not value.keys() <= {"kind", "widths"}:
        return None
    kind, widths = value.get("kind"), value.get("widths", [])
    if kind not in list(SizeKind) or not isinstance(widths, list):
        return None
    are_counts = all(type(width) is int and 1 <= width <= 100_000 for width in widths)
    if not are_counts or (kind == SizeKind.WIKIMEDIA) != bool(widths):
        return None
    return Smaller(SizeKind(kind), tuple(sorted(widths)))


_KEYS = {
    "hosts": _Key(
        _names, 'a list of names as addresses have them, such as ["*.example.org"], without a port,'
    ),
    "concurrency": _Key(_count, "a whole number from 1 to 256"),
    "rate_per_s": _Key(_rate, "a number above 0"),
    "mbit_per_s": _Key(_limit, "a number of 0 or more"),
    "contact_required": _Key(_switch, "true or false"),
    "smaller": _Key(
        _smaller, '{ kind = "google" } or { kind = "wikimedia", widths = [whole numbers] }'
    ),
    "source": _Key(_words, "text"),
}
