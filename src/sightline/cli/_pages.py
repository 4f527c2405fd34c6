"""Where the page of a command goes, and that it stands in nobody's way."""

import tempfile
from pathlib import Path

from sightline.errors import ConfigError


def usual_page(source: str, command: str) -> Path:
    """runs/NAME-COMMAND.html; in the system's folder for temporary files where `runs` would lie among the pictures."""
    data, here = Path(source), Path.cwd().resolve()
    is_inside = data.is_absolute() and (data == here or data in here.parents)
    folder = Path(tempfile.gettempdir()) / "sightline" if is_inside else Path("runs")
    return folder / f"{data.name.split('.')[0] or 'data'}-{command}.html"


def check_free(path: Path | None, command: str, *starts: str) -> None:
    """Raise ConfigError where a file stands that is no earlier page of the command, nor begins as one of `starts`."""
    if path is None or not path.exists():
        return
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(2_000).decode("utf-8", "replace")
        if start.startswith(starts) or f'<meta name="generator" content="sightline {command}' in start:
            return
    raise ConfigError(f"{path} exists already and was not written by sightline {command}; name another file")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
