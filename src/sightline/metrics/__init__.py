"""Predictions + labels -> numbers. One file, one metric; each exposes `TASK`, one or several, and `measure(sample)`.

A metric that says nothing for the case at hand (top-5 of three classes) returns None. numpy alone.
"""

from sightline.metrics._asked import Asked
from sightline.metrics._bins import Bin
from sightline.metrics._interval import rate
from sightline.metrics._paired import Difference, of_average_precision, of_means, of_rates
from sightline.metrics._redrawn import Redrawn, redrawn
from sightline.metrics._sample import Figure, Rate, Sample
from sightline.registry import Registry

__all__ = [
    "MAIN", "METRICS", "Asked", "Bin", "Difference", "Figure", "Rate", "Redrawn", "Sample", "names_of",
    "of_average_precision", "of_means", "of_rates", "rate", "redrawn",
]  # fmt: skip

METRICS = Registry("sightline.metrics", "metric", ("TASK", "measure"))
MAIN = {"single": "accuracy", "multi": "mean_average_precision", "number": "r2"}  # the one figure of a task


def names_of(task: str) -> list[str]:
    """The metrics of a task."""
    return [name for name in METRICS.names() if task in _tasks_of(name)]


def _tasks_of(name: str) -> tuple[str, ...]:
    tasks: str | tuple[str, ...] = METRICS.get(name).TASK
    return (tasks,) if isinstance(tasks, str) else tasks
