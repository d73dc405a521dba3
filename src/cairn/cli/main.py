"""The door of the command line: finds the command, tells errors in words, gives the exit code.

Exit codes: 0 done, 1 our error, 2 wrong usage, 130 stopped by Ctrl-C, 141 nobody reads the answers.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cairn.version import __version__

DONE, FAILED, WRONG_USAGE, STOPPED, NO_READER = 0, 1, 2, 130, 141


@dataclass(frozen=True)
class Entry:
    """A command: its one line in `cairn --help`, and the function that is it, loaded when called."""

    summary: str
    room: str


# Loaded late, so that `cairn --help` stays quick.
COMMANDS: dict[str, Entry] = {
    "demo": Entry("the whole way on an embedded sample: no network, no torch", "making"),
    "run": Entry("the whole way on your own photos or addresses, to a scored recogniser", "making"),
    "download": Entry("a list of addresses becomes a catalog of checked images", "fetching"),
    "import": Entry("a folder for each landmark becomes a catalog of checked images", "making"),
    "explore": Entry("what the catalog holds: a page with counts, photos and a map", "exploring"),
    "split": Entry("deal the images to train, val and test, copies on one side", "making"),
    "train": Entry("fit head, whitening, fusion and calibration on train and val", "making"),
    "recipes": Entry("the recipes that train knows, and what each is for", "making"),
    "index": Entry("make the bundle: a folder that recognises anywhere", "making"),
    "evaluate": Entry("score the bundle on test, write the report", "making"),
    "add": Entry("photos and landmarks come into a bundle, without training", "changing"),
    "remove": Entry("landmarks and photos go from a bundle, without training", "changing"),
    "recognize": Entry("say which landmarks photos show", "asking"),
    "submit": Entry("write the file of a contest: the best landmark for each photo", "contesting"),
    "score": Entry("score the file of a contest by the truth that was published", "contesting"),
    "scrub": Entry(
        "find copies, wrong landmarks and bad images; apply what was decided", "cleaning"
    ),
    "review": Entry("decide about the doubtful images on a page", "reviewing"),
    "serve": Entry("answer over HTTP", "asking"),
    "export": Entry(
        "write a network as ONNX, OpenVINO bf16 and int8, with a parity report", "exporting"
    ),
    "bench": Entry("measure a stage against its peers or its limit", "measuring"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command line `arguments`, those of the process by default."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help", "help"):
        print(_overview())
        return DONE if given else WRONG_USAGE
    if given[0] in ("-V", "--version"):
        print(f"cairn {__version__}")
        return DONE
    if given[0] not in COMMANDS:
        return _unknown_command(given[0])
    if arguments is None and _may_train(given):
        # Whoever calls with arguments has a process with a life of its own.
        from cairn.base.memory import keep_memory

        keep_memory()
    return _run(given[0], given[1:])


def _may_train(given: Sequence[str]) -> bool:
    # The recipe may stand in a settings file.
    names_one = any(word.split("=")[0] in ("--recipe", "--settings") for word in given)
    trains_to_measure = tuple(given[:2]) in (
        ("bench", "input"),
        ("bench", "recipes"),
        ("bench", "train"),
    )
    return given[0] == "train" or (given[0] == "run" and names_one) or trains_to_measure


def _overview() -> str:
    lines = [f"  {name:<10} {entry.summary}" for name, entry in COMMANDS.items()]
    return "\n".join(
        [
            "cairn: a landmark recogniser for your own photos",
            "",
            "usage: cairn COMMAND [...]      cairn COMMAND --help tells its settings",
            "",
            *lines,
            "",
            "start with: cairn demo",
        ]
    )


def _unknown_command(name: str) -> int:
    from cairn.base.checks import nearest_name

    print(
        f"there is no command {name!r}{nearest_name(name, COMMANDS)}; see: cairn --help",
        file=sys.stderr,
    )
    return WRONG_USAGE


def _run(name: str, arguments: Sequence[str]) -> int:
    from cairn.base.errors import CairnError, SettingsError

    try:
        command: Callable[[Sequence[str]], int] = getattr(
            importlib.import_module(f"cairn.cli.{COMMANDS[name].room}"), f"{name}_command"
        )
        return command(arguments)
    except KeyboardInterrupt:
        print(
            "\nstopped; what was finished is kept: run the same command again to go on",
            file=sys.stderr,
        )
        return STOPPED
    except BrokenPipeError:
        # The reader of our output has gone (`cairn ... | head`): nothing is left to say.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - it stays open to the end
        return NO_READER
    except CairnError as error:
        if "--debug" in arguments:
            raise
        print(f"cairn {name}: {error}", file=sys.stderr)
        return WRONG_USAGE if isinstance(error, SettingsError) else FAILED


if __name__ == "__main__":
    sys.exit(main())
