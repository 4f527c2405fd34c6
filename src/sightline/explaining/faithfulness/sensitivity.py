"""Sensitivity: by how much the map changes where the picture is changed by what nobody sees (Yeh et al., 2019,
On the (in)fidelity and sensitivity of explanations), as a share of the map.
"""

import numpy as np
from numpy.typing import NDArray

from sightline.explaining.faithfulness._asked import Asked

BETTER = "lower"
SAYS = "how much the map changes with noise that nobody sees"

NUM_DRAWN, NOISE = 1, 0.02 * 255  # uniform, at most so many grey levels up or down


def measure(asked: Asked) -> NDArray[np.float64]:
    """(N,) from 0 on."""
    pixels = asked.subject.pixels
    norms = np.sqrt(np.square(asked.maps, dtype=np.float64).sum(axis=(1, 2)))
    found = np.zeros(len(pixels))
    for number in range(NUM_DRAWN):
        noise = np.random.default_rng([asked.seed, 0x5E5, number]).uniform(-NOISE, NOISE, pixels.shape[1:])
        changed = asked.again((pixels + noise).clip(0, 255).astype(np.float32))
        apart = np.sqrt(np.square(changed - asked.maps, dtype=np.float64).sum(axis=(1, 2)))
        found = np.maximum(found, np.divide(apart, norms, out=np.zeros_like(apart), where=norms > 0))
    return found
