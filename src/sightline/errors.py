"""The tree of errors. Comes in: what went wrong, where, how to mend it. Imports nothing of the project.

    SightlineError                 anything a user can mend; never a traceback on the command line
    ├── ConfigError           4    an option, a recipe or a name that does not exist
    ├── DataError             5    the pictures, the table or the archive
    │   └── BadPicturesError  5    files that cannot be read, all of them listed
    ├── WeightsError          6    a weights file or what it is loaded into
    ├── RunError              7    a run folder: not there, damaged, or from a newer version
    ├── TrainingError         8    training could not go on (NaN, a full disk)
    ├── MissingExtraError     9    an optional package is absent
    └── ExportError          11    a network that cannot be exported, or an export that is not what it came from

The number is the exit code of the command line. Besides these: 0 success, 1 an error of Sightline's own,
2 a mistyped command, 3 some of the inputs of `predict` failed (each has its line), 10 `check` found what --fail-on
names, 130 stopped by Ctrl-C, 143 ended by SIGTERM.
"""

from collections.abc import Iterable

MAX_SHOWN = 200  # characters of a name in a message; a damaged table has names of megabytes


class SightlineError(Exception):
    """Base of all errors a user can mend. The message says what, where and how to mend it."""

    exit_code = 1


class ConfigError(SightlineError):
    exit_code = 4


class DataError(SightlineError):
    exit_code = 5


class BadPicturesError(DataError):
    """Files that cannot be read as pictures. `bad` maps each path to the reason."""

    NUM_SHOWN = 20
    SKIP = "Repair or remove them, or leave them out with --skip-bad (the report will say so)."

    def __init__(self, bad: dict[str, str], mend: str = "Repair or remove them.") -> None:
        self.bad = bad
        shown = [f"  {path}: {reason}" for path, reason in list(bad.items())[: self.NUM_SHOWN]]
        more = len(bad) - len(shown)
        if more:
            shown.append(f"  ... and {more} more")
        noun = "picture" if len(bad) == 1 else "pictures"
        super().__init__(f"{len(bad)} {noun} cannot be read:\n" + "\n".join(shown) + f"\n{mend}")


class WeightsError(SightlineError):
    exit_code = 6


class RunError(SightlineError):
    exit_code = 7


class TrainingError(SightlineError):
    exit_code = 8


class MissingExtraError(SightlineError):
    """An optional package is absent: says what was asked, what is missing and how to install it."""

    exit_code = 9

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f'{what} needs the package {package}: pip install "sightline[{extra}]"')


class ExportError(SightlineError):
    exit_code = 11


class ToldElsewhere(SystemExit):
    """Another process of the same training says what went wrong: this one ends with its exit code, without a word."""


def nearest(name: str, known: Iterable[str], what: str) -> str:
    """A sentence for an unknown `name`: the nearest known names, or all of them where they are few."""
    import difflib

    names, name = list(known), name[:MAX_SHOWN]
    initials = [n for n in names if "".join(word[0] for word in n.split("_") if word) == name]  # lr: learning_rate
    close = initials or difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    message = f"unknown {what} {name!r}."
    if close:
        message += f" Did you mean {' or '.join(close)}?"
    if len(names) <= 40:
        message += f" Known: {', '.join(names)}."
    return message
