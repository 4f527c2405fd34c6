"""A run under attack. Comes in: pictures that it answers, and the network behind; goes out: how many stay right.

Gradients are those of the network without the views that a run may average over; whether a picture deceives is asked of
the run as it answers, by the predictor's own loop. torch is imported inside, with the engine.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.data.preprocess import Pixels
from sightline.data.warp import Floats
from sightline.errors import ConfigError
from sightline.evaluation.drawing import drawn
from sightline.evaluation.evaluate import Evaluation
from sightline.evaluation.progress import Track
from sightline.metrics import rate
from sightline.predictor import Predictor
from sightline.robustness.attacks import EPSILONS, Gradient, fgsm, pgd, starts_for
from sightline.robustness.figures import Attacked

if TYPE_CHECKING:
    import torch


FGSM, PGD, ALL = "FGSM", "PGD", "together"
Attack = Callable[[Floats, NDArray[np.int64], NDArray[np.intp]], Floats]  # images, labels, their rows -> points


def drawn_for(tested: Evaluation, num: int, seed: int) -> NDArray[np.intp]:
    """Which of the pictures are attacked: `num` of them, by chance; none where several classes are answered."""
    return drawn(tested.labels, num if tested.task == "single" else 0, seed)


def attacked(
    predictor: Predictor,
    images: Sequence[Pixels],
    tested: Evaluation,
    chosen: NDArray[np.intp],
    seed: int,
    progress: Track,
) -> tuple[Attacked, ...]:
    """FGSM, PGD, and all attacks together, on the pictures `chosen` (n,): who is right under each within each eps.

    PGD and all together count a picture as lost from the first eps on at which it is: a change within it is within
    every larger one. Only those still standing are attacked again.
    """
    if not len(chosen):
        return ()
    labels, rows = tested.labels[chosen].astype(np.int64), tested.rows[chosen]
    pictures = np.stack([images[place] for place in chosen.tolist()]).astype(np.float32)
    clean = np.asarray(tested.decided[chosen] == labels)
    first, second = _gradients_of(predictor)

    def survivors(standing: NDArray[np.bool_], attack: Attack) -> NDArray[np.bool_]:
        """Those of `standing` (n,) that are still answered rightly."""
        places, left = np.flatnonzero(standing), np.zeros(len(standing), bool)
        for start in range(0, len(places), predictor.engine.batch_size):
            part = places[start : start + predictor.engine.batch_size]
            points = attack(pictures[part], labels[part], rows[part])
            decided = predictor.decision.decided(predictor.decision.outputs(predictor.logits(iter(points))))
            left[part] = decided == labels[part]
        return left

    def one_step(eps: int) -> Attack:
        return lambda part, truths, own: fgsm(part, truths, eps, first)

    def steps(eps: int, gradient: Gradient, name: str) -> Attack:
        return lambda part, truths, own: pgd(part, truths, eps, gradient, starts_for(part.shape[1:], own, name, seed))

    found = {FGSM: [clean], PGD: [clean], ALL: [clean]}
    for eps in progress(EPSILONS, len(EPSILONS), "attacks"):
        found[FGSM].append(survivors(clean, one_step(eps)))
        found[PGD].append(survivors(found[PGD][-1], steps(eps, first, "PGD")))
        standing = found[ALL][-1] & found[FGSM][-1] & found[PGD][-1]
        found[ALL].append(survivors(standing, steps(eps, second, "PGD of the lead")))
    groups = tested.sample.groups_of(chosen)
    return tuple(
        Attacked(name, len(chosen), (0, *EPSILONS), tuple(rate(one, groups) for one in hits))
        for name, hits in found.items()
    )


def _gradients_of(predictor: Predictor) -> tuple[Gradient, Gradient]:
    """Of the cross-entropy, and of the lead of the best other class."""
    from sightline.engines.gradients import cross_entropy, gradients, lead
    from sightline.engines.torch import TorchEngine

    engine = predictor.engine
    if not isinstance(engine, TorchEngine):
        raise ConfigError(
            f"robustness: attacks need gradients, which {type(engine).__name__} does not give; --attacked 0"
        )

    def of(loss: "Callable[[torch.Tensor, NDArray[np.int64]], torch.Tensor]") -> Gradient:
        return lambda images, labels: gradients(engine, images, lambda logits: loss(logits, labels))

    return of(cross_entropy), of(lead)
