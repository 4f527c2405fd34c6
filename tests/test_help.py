"""Help is quick and suggests: it imports nothing heavy, and a mistyped name is answered with the nearest."""

import subprocess
import sys

import pytest

from sightline import __version__
from sightline.cli import COMMANDS, main

HEAVY = ("torch", "torchvision", "timm", "numpy", "PIL", "rich", "jinja2", "safetensors", "sklearn", "pyarrow")
PROBE = f"""
import sys
from sightline.cli import main
try:
    main(sys.argv[1:])
except SystemExit as stop:
    assert not stop.code, stop.code
print("LOADED", *sorted(set(sys.modules) & set({HEAVY!r})))
"""


def loaded_after(*words: str) -> tuple[str, list[str]]:
    """What `sightline WORDS` prints, and which heavy packages are imported afterwards."""
    done = subprocess.run([sys.executable, "-c", PROBE, *words], capture_output=True, text=True, check=True)
    printed, _, loaded = done.stdout.rpartition("LOADED")
    return printed, loaded.split()


@pytest.mark.parametrize("name", COMMANDS.names())
def test_help_of_a_command_imports_nothing_heavy(name: str) -> None:
    printed, loaded = loaded_after(name, "--help")
    assert printed.startswith(f"usage: sightline {name}")
    assert loaded == []


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    printed, loaded = loaded_after("--help")
    assert [name for name in COMMANDS.names() if f"\n  {name} " not in printed] == []
    assert loaded == []
    assert loaded_after()[0] == printed


def test_version() -> None:
    printed, loaded = loaded_after("--version")
    assert printed == f"sightline {__version__}\n"
    assert loaded == []


def test_python_m_sightline_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "sightline", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"sightline {__version__}\n"


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [
        (["trian", "photos"], "Did you mean train?"),
        (["train", "photos", "--epoch", "3"], "Did you mean --epochs"),
        (["predict", "run", "a.jpg", "--jsn"], "Did you mean --json"),
        (["train", "photos", "--fit", "pda"], "pad"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(
    words: list[str], suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert suggestion in message
    assert "--help" in message


def test_an_abbreviated_option_is_never_picked(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "run", "--js"])
    assert stop.value.code == 2
    assert "--json" in capsys.readouterr().err
