"""What the network knows before it trains: pictures that trained the runs which it starts from, or is taught by.

Comes in: a Table, and its recipe; goes out: the Table, with notes. Must not know networks.
"""

from dataclasses import replace

import numpy as np

from sightline.data.reading.records import hexadecimal
from sightline.errors import DataError
from sightline.evaluation.ancestors import known_to, pixels_of, run_at
from sightline.training.prepare import Table
from sightline.training.progress import Progress
from sightline.training.recipe import Recipe


def checked(table: Table, recipe: Recipe, progress: Progress) -> Table:
    """The table, with a note where pictures that select or calibrate are known.

    Raises DataError where pictures of the test are: its figures would flatter.
    """
    runs = [run for path in (recipe.weights, recipe.teacher) if (run := run_at(path or "")) is not None]
    if not runs:
        return table
    known = known_to(runs)
    for run in runs:  # what is twice in a data set may have trained and tested that run, whose own test said so
        for pixels in pixels_of(run, "test"):
            known.pop(pixels, None)
    by = np.array([str(known[pixels].path) if pixels in known else "" for pixels in hexadecimal(table.records)])
    test = table.parts.rows("test")
    if (seen := test[by[test] != ""]).size:
        raise DataError(
            f"{len(seen)} of the {len(test)} pictures of the test, such as {table.dataset.paths[seen[0]]}, trained "
            f"{by[seen[0]]}, from which this training would start or learn, so its figures would flatter; take a run "
            "that was split likewise (--fold), or other weights, or leave these out (--exclude)"
        )
    rows = np.concatenate([table.parts.rows(part) for part in ("val", "calibration")])
    seen = rows[by[rows] != ""]
    if not seen.size:
        return table
    note = (
        f"{len(seen)} of the {len(rows)} pictures that select and calibrate trained {by[seen[0]]} before: "
        "probabilities may be surer than they should be"
    )
    progress.say(note)
    return replace(table, notes=(*table.notes, note))
