"""Parts of the pictures that train, and a head fitted on each. Comes in: what a training of all begins with; goes out:
the answers to the test by each head. Features are computed once, so parts take seconds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any  # recipe fields of several types

import numpy as np
import torch

from sightline.engines.torch import TorchEngine, default_device
from sightline.growth.measure import Rows
from sightline.metrics import Sample
from sightline.training import finish, objectives, settle
from sightline.training.options import Options
from sightline.training.progress import Progress
from sightline.training.transfer import head
from sightline.training.untrained import Untrained

SMALL = 2_000  # pictures; heads on fewer are solved sooner by one thread, 3.8 s where two that share cores took 28


def samples(
    begun: Untrained, settings: Mapping[str, Any], options: Options, parts: list[Rows], progress: Progress
) -> Iterator[Sample]:
    """The answers to the test by a head that was fitted on the rows of each part."""
    table, what = begun.table, begun.what
    test = table.parts.rows("test")
    rows = np.sort(np.concatenate([parts[-1], test]))
    plan = settle.plan_for(begun.network, begun.batches, what.recipe, begun.objective, options)
    config = finish.run_config(begun.network, table, what.preprocessing, plan)
    engine = TorchEngine.build(begun.network, config, default_device())
    batches = replace(begun.batches, rows=rows)
    x, widths, _ = head.of_all_stages(engine, batches, progress, table.records["hash"], begun.cache)
    num_threads = torch.get_num_threads()
    labels, asked = table.dataset.labels, x[np.searchsorted(rows, test)]
    for part in parts:
        torch.set_num_threads(1 if len(part) < SMALL else num_threads)
        y = labels[part]
        objective = objectives.build(y, len(table.dataset.classes), what.recipe)
        groups = table.dataset.group_numbers(part)
        w, b = head.solved(x[np.searchsorted(rows, part)], widths, torch.from_numpy(y), objective, groups)
        logits = (asked @ w.T + b).numpy()
        decision = objective.decision(logits[:0], labels[:0])
        outputs = decision.outputs(logits)
        yield Sample(outputs, labels[test], decision.decided(outputs), table.dataset.group_numbers(test))
