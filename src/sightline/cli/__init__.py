"""The command line: one file a command. Comes in: arguments; goes out: an exit code (see `sightline.errors`).

A command's module has a summary as its docstring's first line, `add_arguments(parser)` and `run(args)`, and
imports what is heavy inside `run` only, so that `--help` needs neither torch nor numpy.
"""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from sightline.errors import MissingExtraError, SightlineError, ToldElsewhere, nearest
from sightline.registry import Registry

COMMANDS = Registry("sightline.cli", "command", ("add_arguments", "run"))
TRAIN_PACKAGES = ("torch", "torchvision", "timm")
EPILOG = """exit codes: 0 success, 1 an error of Sightline's own, 2 a mistyped command, 3 some inputs of predict
failed, 4 an option or name that does not exist, 5 the data, 6 the weights, 7 the run folder, 8 training could
not go on, 9 a missing package, 10 check found what --fail-on names, 11 an export that is not what it came from,
130 stopped by Ctrl-C, 143 ended by SIGTERM"""
TERMINATED = 143


class Parser(argparse.ArgumentParser):
    """Suggests the nearest command or option, and never picks it."""

    def __init__(self, **settings: object) -> None:
        super().__init__(allow_abbrev=False, **settings)  # type: ignore[arg-type]

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        args, extra = self.parse_known_args(arguments)
        for word in extra:
            options = [o for o in self._option_string_actions if o.startswith("--")]
            self.error(
                nearest(word.partition("=")[0], options, "option") if word.startswith("-") else f"too much: {word}"
            )
        return args

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\nSee {self.prog} --help.\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. A user's mistake ends in a sentence, never in a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show is no error
    try:
        return _dispatch(words)
    except SightlineError as error:
        return _fail(error, str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name not in TRAIN_PACKAGES:
            raise
        missing = MissingExtraError(f"sightline {words[0]}", error.name, "train")
        return _fail(error, str(missing), missing.exit_code)
    except KeyboardInterrupt as error:
        return _fail(error, "stopped by Ctrl-C", 130)
    except SystemExit as error:
        if error.code != TERMINATED or isinstance(error, ToldElsewhere):
            raise
        return _fail(error, "ended by SIGTERM", TERMINATED)
    except MemoryError as error:
        return _fail(error, str(error) or "memory ran out; close other programs, or take a machine with more", 1)
    except BrokenPipeError:  # the reader of our output has gone, as in `sightline models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = f": {error.filename}" if error.filename else ""
            return _fail(error, f"the disk is full{where}; make room and try again", 8)
        if error.filename is None:
            raise
        return _fail(error, f"{error.filename}: {error.strerror}", 1)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "--version"):
        overview().parse(words or ["--help"])
        return 0
    name = words[0]
    if name not in COMMANDS:
        overview().error(nearest(name, COMMANDS.names(), "command"))
    parser = command_parser(name)
    run = COMMANDS.get(name).run
    args = parser.parse(words[1:])
    args.words = words
    code: int = run(args)
    return code


def overview() -> Parser:
    """The parser behind `sightline --help`."""
    from sightline import __version__

    summaries = "\n".join(f"  {name:10} {_summary(name)}" for name in COMMANDS.names())
    parser = Parser(
        prog="sightline",
        usage="sightline COMMAND ...",
        description=f"From a folder of pictures to a trained, measured, usable network.\n\ncommands:\n{summaries}",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"sightline {__version__}")
    return parser


def command_parser(name: str) -> Parser:
    module = COMMANDS.get(name)
    formatter = argparse.RawDescriptionHelpFormatter
    parser = Parser(prog=f"sightline {name}", description=module.__doc__, formatter_class=formatter)
    module.add_arguments(parser)
    return parser


def _summary(name: str) -> str:
    return (COMMANDS.get(name).__doc__ or "").partition("\n")[0]


def _fail(error: BaseException, message: str, code: int) -> int:
    print("\n".join((f"sightline: {message}", *getattr(error, "__notes__", ()))), file=sys.stderr)
    return code
