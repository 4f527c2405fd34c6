"""Where a user's cache lies."""

import os
import sys
from pathlib import Path


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/sightline`; where that is not set, what the system has in its place."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # the specification has relative ones ignored
        return Path(named) / "sightline"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "sightline" / "Cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "sightline"
