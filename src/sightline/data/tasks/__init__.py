"""What the rows of a data set are labelled with: one file, one task. numpy alone.

    single   one class a picture         labels int64   (N,)    indices into the names
    multi    any number of classes       labels uint8   (N, K)  1 where the picture carries the class
    number   one number or several       labels float64 (N, T)  in the user's own units

Shape and type of the labels say which it is. `names` are the classes, or what the numbers measure: the outputs of a
network, in their one order. What else differs by task lies in `decision`, `metrics`, `training.objectives` and
`report.results`, each again with one part a task.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.registry import Registry

Labels = NDArray[np.int64] | NDArray[np.uint8] | NDArray[np.float64]

TASKS = Registry(
    "sightline.data.tasks",
    "task",
    ("check", "check_enough", "check_trained", "counts", "strata", "described", "written", "reordered"),
)


def task_of(labels: Labels) -> str:
    """The task that labels of this shape and type are for."""
    if labels.ndim == 1:
        return "single"
    return "number" if labels.dtype.kind == "f" else "multi"


def counts(labels: Labels, num_names: int) -> NDArray[np.int64]:
    """Pictures of each name, (K,)."""
    found: NDArray[np.int64] = TASKS.get(task_of(labels)).counts(labels, num_names)
    return found
