"""SmoothGrad: how strongly the score changes with each pixel, the mean over noisy copies of the picture (Smilkov et
al., 2017, SmoothGrad: removing noise by adding noise).
"""

import numpy as np

from sightline.data.warp import Floats
from sightline.explainers._by_pixel import mean_gradient, strongest
from sightline.explainers._subject import Subject

TITLE, NEEDS, SIGNED, UNIT = "SmoothGrad", "gradient", False, "score a grey level"
SAYS = "pixels by which the score would change most, for or against the answer"
CAUTION = "It shows what would change the answer, not what made it."

NUM_COPIES, NOISE = 25, 0.15  # noise: a standard deviation, as a share of the picture's range


def maps(subject: Subject) -> Floats:
    """(N, height, width)."""
    noise = np.random.default_rng([subject.seed, 0x56]).standard_normal(
        (NUM_COPIES, *subject.pixels.shape[1:]), np.float32
    )

    def copies(picture: Floats) -> Floats:
        return picture + np.float32(NOISE * np.ptp(picture)) * noise

    return strongest(mean_gradient(subject, copies))
