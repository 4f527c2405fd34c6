"""The data as the network sees them, on a plane: alike pictures lie together. Comes in: features; goes out: places.

By t-SNE (van der Maaten and Hinton, 2008) of scikit-learn, where that is installed, else by the two directions of most
variance, which keep what is far apart and lose what is near.
"""

import importlib.util

import numpy as np
from numpy.typing import NDArray

from sightline.data.warp import Floats

PERPLEXITY, MIN_PICTURES = 20.0, 10


def placed(features: Floats, seed: int) -> tuple[NDArray[np.float64], str]:
    """(N, D) -> (N, 2) in 0..1, and by what."""
    centred = features - features.mean(axis=0)
    centred = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    _, _, right = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
    main = centred @ right[: min(50, len(right))].T
    for direction in range(main.shape[1]):  # an eigenvector's own sign is chance
        main[:, direction] *= np.sign(main[np.abs(main[:, direction]).argmax(), direction]) or 1
    places, by = main[:, :2], "the two directions of most variance (scikit-learn is not installed)"
    if importlib.util.find_spec("sklearn") is not None and len(features) >= MIN_PICTURES:
        from sklearn.manifold import TSNE

        perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
        found = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(main.astype(np.float32))
        places, by = np.asarray(found, np.float64), "t-SNE"
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    low, high = places.min(axis=0), places.max(axis=0)
    return (places - low) / np.maximum(high - low, 1e-12), by
