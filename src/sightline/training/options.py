"""What a training is asked for: its data, what to change of the defaults, and how to go about it.

It is the first thing that a training writes, so that one that was killed can go on. Must not know torch.
"""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sightline.data.dataset import Dataset
from sightline.data.storage.names import as_text, is_text
from sightline.errors import ConfigError


@dataclass(frozen=True)
class Options:
    """What a training is asked for besides its recipe.

    minutes   a budget for everything; the number of steps is fixed from it before the first one
    out       the run folder; must not exist, or be empty. None: the next free `runs/NAME`
    fold      (i, k): the i-th of k cross-validation splits
    skip_bad  leave out pictures that cannot be read, and say so, rather than stop
    exclude   a list of pictures to leave out, as `sightline check --quarantine` writes it
    num_workers  threads that decode; None: one a core; 0: none, everything happens in the caller's
    cache     keep decoded pictures on the disk for the next training; the results are the same without
    checkpoint_s  seconds between checkpoints; None: a minute, or as long as keeps their cost below a hundredth
    plan      `off`: float32 as it comes, nothing is measured; a plan's name, or a part of it; None: the fastest
    deterministic  the same bits twice: nothing is measured, torch alone computes, by algorithms that repeat
    num_processes  that train together, each with its share of the batches; started by torchrun, or by `--nproc`
    command   how this training was started, for the report
    note      a sentence for the report, on what its figures are to be read with
    """

    seed: int = 0
    minutes: float | None = None
    out: Path | None = None
    fold: tuple[int, int] | None = None
    skip_bad: bool = False
    exclude: Path | None = None
    num_workers: int | None = None
    tensorboard: bool = False
    cache: bool = True
    checkpoint_s: float | None = None
    plan: str | None = None
    deterministic: bool = False
    num_processes: int = 1
    command: str = "sightline.train(...)"
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed}: must lie between 0 and {2**63 - 1}")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise ConfigError(f"minutes = {self.minutes:g}: must be more than 0; leave it out for no limit")
        if self.num_workers is not None and self.num_workers < 0:
            raise ConfigError(f"workers = {self.num_workers}: must be at least 0; leave it out for all cores")
        if self.checkpoint_s is not None and not 0 <= self.checkpoint_s < math.inf:
            raise ConfigError(f"checkpoint_s = {self.checkpoint_s:g}: must be at least 0; leave it out for a minute")
        if self.deterministic and self.minutes is not None:
            raise ConfigError(
                f"deterministic with minutes = {self.minutes:g}: the clock would decide how many steps are made; give "
                "epochs instead"
            )
        if self.deterministic and self.num_processes > 1:
            raise ConfigError(
                f"deterministic with nproc = {self.num_processes}: the order in which processes add their gradients is "
                "not fixed; train in one"
            )

    def makes_steps(self, epochs: float) -> bool:
        """Whether a recipe of so many epochs makes any, besides fitting a head."""
        return epochs > 0 or self.minutes is not None


@dataclass(frozen=True)
class Request:
    """All that `train` was given. `data`: an absolute path or a name; None where it lay in memory.

    `settings`: fields of the Recipe, and options of the network as `model.name`.
    """

    data: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)  # Any: recipe fields of several types
    options: Options = field(default_factory=Options)

    @staticmethod
    def of(data: str | Path | Dataset, settings: Mapping[str, Any], options: Options) -> "Request":
        """With paths that still hold when it goes on in another working directory."""
        known = (data.source or None) if isinstance(data, Dataset) else absolute(str(data))
        paths = {k: absolute(str(v)) for k, v in settings.items() if k in ("weights", "teacher") and v is not None}
        return Request(known, {**settings, **paths}, options)

    def to_json(self) -> dict[str, Any]:
        options = asdict(self.options)
        for name in ("out", "exclude"):
            options[name] = None if options[name] is None else absolute(str(options[name]))
        return {"data": self.data, "settings": dict(self.settings), "options": options}

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Request":
        """Raises KeyError, TypeError or ConfigError where it is none."""
        values = dict(document["options"])
        for name in ("out", "exclude"):
            values[name] = None if values[name] is None else Path(values[name])
        values["fold"] = None if values["fold"] is None else tuple(values["fold"])
        return Request(document["data"], dict(document["settings"]), Options(**values))


def absolute(place: str) -> str:
    """A path that exists, made absolute; anything else (a name, a URL, a pattern) as it is.

    Raises ConfigError for a name that is no text, which no file of a run could hold.
    """
    if not is_text(place):
        raise ConfigError(f"{as_text(place)}: this name is no UTF-8 text, so that no run could say what it is of")
    path = Path(os.path.expanduser(place))
    return os.path.abspath(path) if path.exists() else place
