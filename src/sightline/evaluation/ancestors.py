"""Which pictures a run knows: those that trained it, and those that trained the runs that it came from.

Comes in: a run; goes out: hashes of pixels. Must not know data sets.
"""

from collections.abc import Iterable
from pathlib import Path

from sightline import config
from sightline.errors import RunError
from sightline.run import RECIPE, SPLIT, WEIGHTS, Run

HANDED_ON = ("weights", "teacher")  # of a recipe: paths of runs, or of other weights


def known_to(runs: Iterable[Run]) -> dict[str, Run]:
    """Hash of a picture's pixels -> the run that it trained: one of these, or of those that they came from."""
    found = dict[str, Run]()
    for run in with_ancestors(runs):
        for pixels in pixels_of(run, "train"):
            found.setdefault(pixels, run)
    return found


def pixels_of(run: Run, split: str) -> list[str]:
    """Hashes of the pictures of one of a run's splits; none where it was copied without the list."""
    lines = run.split() if (run.path / SPLIT).is_file() else []
    return [line["pixels"] for line in lines if line["split"] == split]


def with_ancestors(runs: Iterable[Run]) -> list[Run]:
    """These, and whatever they started from or were taught by, and so on, as far as it is where it was."""
    found, left = dict[Path, Run](), list(runs)
    while left:
        run = left.pop(0)
        if found.setdefault(run.path.resolve(), run) is run and (run.path / RECIPE).is_file():
            recipe = config.read_toml(run.path / RECIPE)
            left += [one for key in HANDED_ON if (one := run_at(str(recipe.get(key) or ""))) is not None]
    return list(found.values())


def run_at(weights: str) -> Run | None:
    """The run that a setting such as `weights` names; None where it names other weights, or one that is gone."""
    path = Path(weights).expanduser()
    try:
        return Run.open(path.parent if path.name == WEIGHTS else path) if weights else None
    except RunError:
        return None
