"""The errors that Cairn raises; nothing else lives here.

CairnError
├── InputError        something given is wrong: a file, a folder, an array, an answer of a person
│   └── SettingsError one or more settings are wrong; all of them are told together
├── MissingExtra      an optional part of Cairn is not installed
├── Stopped           long work was asked to end before it was done; what was done is kept
├── RankLost          of several processes that train together, another has ended or no longer answers
├── DiskError         the disk is full or refuses; nothing half-written is left behind
└── BundleError       a bundle or backbone folder is incomplete, altered or of another make

Every message has three parts: what is wrong, with the value; what was expected; what to do next.
"""

from collections.abc import Sequence


class CairnError(Exception):
    """The parent of all errors that Cairn raises on purpose."""


class InputError(CairnError):
    """Something that was given cannot be used."""


class SettingsError(InputError):
    """One or more settings are wrong; `problems` holds a sentence for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        lead = "a setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__("\n  ".join([f"{lead}:", *self.problems]))

    def __reduce__(self) -> tuple[type["SettingsError"], tuple[tuple[str, ...]]]:
        return SettingsError, (self.problems,)


class MissingExtra(CairnError):
    """An optional part of Cairn is needed and not installed."""

    def __init__(self, what: str, *, extra: str, otherwise: str) -> None:
        self._told = (what, extra, otherwise)
        super().__init__(
            f"{what} needs the extra '{extra}', which is not installed; "
            f"in the clone of Cairn, install it with: pip install '.[{extra}]'; {otherwise}"
        )

    def __reduce__(self) -> tuple[object, tuple[str, str, str]]:
        return _missing_extra, self._told


def _missing_extra(what: str, extra: str, otherwise: str) -> MissingExtra:
    return MissingExtra(what, extra=extra, otherwise=otherwise)


class Stopped(CairnError):
    """Long work was asked to end before it was done; what was done is kept."""


class RankLost(CairnError):
    """Of several processes that train together, another has ended or no longer answers."""


class DiskError(CairnError):
    """The disk is full or refuses a file."""


class BundleError(CairnError):
    """A bundle or a backbone folder is incomplete, altered or of another make."""
