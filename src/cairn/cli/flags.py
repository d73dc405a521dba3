"""Words in: what was typed and what a TOML file says become checked settings, all wrong ones told at once."""

import argparse
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cairn.base.checks import nearest_name
from cairn.base.errors import InputError, SettingsError
from cairn.base.settings import SECTIONS, Settings
from cairn.base.settings.recipes import FROZEN, read_recipe, recipe_names

Model = TypeVar("Model", bound=Settings)
SETTINGS_FLAG = "--settings"
# What pydantic says in the words of programs, in those of people.
_PLAIN = {
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "bool_parsing": "yes or no",
    "too_short": "one or more, with commas between them",
}


@dataclass(frozen=True)
class Word:
    """A positional argument; `many` takes one or more."""

    name: str
    help: str
    many: bool = False


@dataclass(frozen=True)
class Option:
    """A flag that is no setting: a file to read, or a switch.

    bare: what the flag means where no value follows it; None: a value must follow.
    """

    flag: str
    help: str
    is_switch: bool = False
    value: str = "FILE"
    required: bool = False
    bare: str | None = None


@dataclass(frozen=True)
class Shape:
    """What a command takes; `sections` are the settings by their section of a TOML file.

    has_recipe: the setting `recipe` names a file of settings that those given stand above.
    together: what is wrong with the sections beside each other, given them and the names of settings that were chosen.
    """

    words: tuple[Word, ...] = ()
    options: tuple[Option, ...] = ()
    sections: Mapping[str, type[Settings]] = field(default_factory=dict)
    has_recipe: bool = False
    together: Callable[[Mapping[str, Settings], Collection[str]], list[str]] | None = None


@dataclass(frozen=True)
class Given:
    """What a command was given, checked; `typed` are the settings that were typed, by name."""

    words: Mapping[str, str]
    lists: Mapping[str, list[str]]
    options: Mapping[str, str]
    switches: frozenset[str]
    sections: Mapping[str, Settings]
    typed: frozenset[str] = frozenset()

    def require_untyped(self, *models: type[Settings], because: str) -> None:
        """Nothing, where no flag of these settings was typed; otherwise raises SettingsError, `because` said of each."""
        self.require_untyped_names(
            [name for model in models for name in model.model_fields], because=because
        )

    def require_untyped_names(self, names: Iterable[str], *, because: str) -> None:
        """Nothing, where the flag of none of these settings was typed; otherwise raises SettingsError as above."""
        known = [name for name in names if name in self.typed]
        if known:
            raise SettingsError(
                [
                    f"{_flag(name)} would change nothing here: {because}"
                    for name in dict.fromkeys(known)
                ]
            )

    def settings(self, section: str, model: type[Model]) -> Model:
        """The settings of `section`, which are of the type `model`."""
        found = self.sections[section]
        if not isinstance(found, model):
            raise TypeError(f"section {section} holds {type(found).__name__}, not {model.__name__}")
        return found

    def path(self, flag: str) -> Path | None:
        """The path that an option was given, or None."""
        return Path(self.options[flag]) if flag in self.options else None


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises what it would have printed."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError([f"{message}; see: {self.prog} --help"])


def parser(name: str, summary: str, shape: Shape) -> argparse.ArgumentParser:
    """The parser of one command, whose --help lists every setting with its default."""
    made = _Parser(
        prog=f"cairn {name}", description=summary, allow_abbrev=False,
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=32, width=100),
    )  # fmt: skip
    for word in shape.words:
        made.add_argument(
            word.name.lower(), metavar=word.name, help=word.help, nargs="+" if word.many else None
        )
    for option in shape.options:
        if option.is_switch:
            made.add_argument(option.flag, help=option.help, action="store_true")
        else:
            made.add_argument(
                option.flag, help=option.help, metavar=option.value, required=option.required,
                nargs=None if option.bare is None else "?", const=option.bare,
            )  # fmt: skip
    if shape.sections:
        made.add_argument(
            SETTINGS_FLAG, metavar="TOML", help="a file of settings, a [section] a stage"
        )
    for flag, help_text, metavar, is_bool in _setting_flags(shape.sections):
        if is_bool:
            made.add_argument(
                flag, help=help_text, action=argparse.BooleanOptionalAction, default=None
            )
        else:
            made.add_argument(flag, help=help_text.replace("%", "%%"), metavar=metavar)
    made.add_argument(
        "--debug", action="store_true", help="show where in the code an error came from"
    )
    return made


def _setting_flags(sections: Mapping[str, type[Settings]]) -> Iterable[tuple[str, str, str, bool]]:
    seen: set[str] = set()
    for model in sections.values():
        for name, info in model.model_fields.items():
            if name in seen:
                continue
            seen.add(name)
            choices = [
                str(choice) for choice in get_args(info.annotation) if isinstance(choice, str)
            ]
            shown = "|".join(choices) if choices else name.rsplit("_", 1)[-1].upper()
            help_text = f"{info.description} [{shown_default(info.default)}]"
            yield _flag(name), help_text, shown, info.annotation is bool


def shown_default(value: object) -> str:
    """A default in the form that the command line takes it: 80/10/10, avg,gem, yes."""
    if isinstance(value, tuple):
        if len(value) == 3 and all(isinstance(part, float) for part in value):
            return "/".join(f"{100 * part:g}" for part in value)
        return ",".join(f"{part:g}" if isinstance(part, float) else str(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def parse(name: str, summary: str, shape: Shape, arguments: Sequence[str]) -> Given:
    """What `arguments` give the command.

    Raises SettingsError with everything that is wrong in them and in the TOML file together.
    """
    made = parser(name, summary, shape)
    found, unknown = made.parse_known_args(arguments)
    values = {key: value for key, value in vars(found).items() if value is not None}
    flags = [option.flag for option in shape.options]
    flags += [flag for flag, *_ in _setting_flags(shape.sections)]
    problems = [_unknown_word(word, flags) for word in unknown if word.startswith("-")]
    if not problems and unknown:
        problems = [f"{' '.join(unknown)} was not expected; see: cairn {name} --help"]
    from_file, wrong = _from_file(values.pop(SETTINGS_FLAG[2:], None), shape.sections)
    recipe = _of_recipe(values, from_file) if shape.has_recipe else {}
    sections: dict[str, Settings] = {}
    for section, model in shape.sections.items():
        typed = {key: values[key] for key in model.model_fields if key in values}
        try:
            told = {**recipe.get(section, {}), **from_file.get(section, {}), **typed}
            sections[section] = model.model_validate(told)
        except ValidationError as error:
            wrong += [_sentence(detail, typed) for detail in _first_of_each(error.errors())]
    if shape.together:
        wrong += shape.together(sections, _chosen(shape.sections, values, from_file))
    if problems or wrong:
        raise SettingsError(list(dict.fromkeys([*problems, *wrong])))
    return _given(shape, values, sections)


def _of_recipe(
    typed: Mapping[str, object], from_file: Mapping[str, Mapping[str, object]]
) -> dict[str, dict[str, object]]:
    """The settings of the recipe that was named; nothing of one that there is not, which is told with all that is wrong."""
    name = str(typed.get("recipe", from_file.get("train", {}).get("recipe", FROZEN)))
    return read_recipe(name) if name in recipe_names() else {}


def _chosen(
    sections: Mapping[str, type[Settings]],
    values: Mapping[str, object],
    from_file: Mapping[str, Mapping[str, object]],
) -> frozenset[str]:
    """The names of settings that a person chose: typed, or in the file."""
    return frozenset(
        name
        for section, model in sections.items()
        for name in model.model_fields
        if name in values or name in from_file.get(section, {})
    )


def _given(shape: Shape, values: Mapping[str, object], sections: Mapping[str, Settings]) -> Given:
    words, lists = {}, {}
    for word in shape.words:
        value = values[word.name.lower()]
        if isinstance(value, list):
            lists[word.name] = [str(part) for part in value]
        else:
            words[word.name] = str(value)
    keys = {option.flag: option.flag[2:].replace("-", "_") for option in shape.options}
    options = {
        option.flag: str(values[keys[option.flag]])
        for option in shape.options
        if not option.is_switch and keys[option.flag] in values
    }
    switches = frozenset(o.flag for o in shape.options if o.is_switch and values.get(keys[o.flag]))
    fields = {name for model in shape.sections.values() for name in model.model_fields}
    return Given(words, lists, options, switches, sections, frozenset(fields & values.keys()))


def _unknown_word(word: str, flags: Sequence[str]) -> str:
    flag = word.split("=")[0]
    return f"there is no {flag}{nearest_name(flag, flags)}"


def _from_file(
    path: object, sections: Mapping[str, type[Settings]]
) -> tuple[dict[str, dict[str, object]], list[str]]:
    """The settings of a TOML file by section, and a sentence for each key it should not have."""
    if path is None:
        return {}, []
    try:
        content = tomllib.loads(Path(str(path)).read_text())
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; a TOML file of settings was expected; check its name"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} is no TOML: {error}; lines such as [split] and seed = 1 were expected; mend it"
        ) from error
    known = SECTIONS
    problems = []
    for section, keys in content.items():
        if section not in known or not isinstance(keys, dict):
            problems.append(
                f"{path} has [{section}], which is no stage{nearest_name(section, known)}"
            )
            continue
        fields = known[section].model_fields
        problems += [
            f"{path} has {key} in [{section}], which is no setting{nearest_name(key, fields)}"
            for key in keys
            if key not in fields
        ]
    known_keys = {
        section: {key: value for key, value in keys.items() if key in known[section].model_fields}
        for section, keys in content.items()
        if section in sections and isinstance(keys, dict)
    }
    return known_keys, problems


def _first_of_each(details: Sequence[ErrorDetails]) -> list[ErrorDetails]:
    """What is wrong with each setting first: a list whose only part is wrong is not empty as well."""
    firsts: dict[object, ErrorDetails] = {}
    for number, detail in enumerate(details):
        firsts.setdefault(detail["loc"][0] if detail["loc"] else number, detail)
    return list(firsts.values())


def _sentence(detail: ErrorDetails, typed: Mapping[str, object]) -> str:
    """One wrong setting in words: what was given, what was expected."""
    if not detail["loc"]:
        return str(detail["ctx"]["error"]) if "ctx" in detail else detail["msg"]
    name = str(detail["loc"][0])
    shown = _flag(name) if name in typed else name
    if detail["type"] in _PLAIN:
        return f"{shown} is {detail['input']!r}; expected: {_PLAIN[detail['type']]}"
    expected = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    for twice in (" was expected", " were expected"):
        expected = expected.replace(twice, "")
    return f"{shown} is {detail['input']!r}; expected: {expected}"
