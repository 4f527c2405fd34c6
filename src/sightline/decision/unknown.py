"""Whether a picture is of the kind that a network learned from: how strange it is, and how many known ones are so.

Comes in: logits and features of pictures that trained, of others that did not, and of the one that is asked; goes out:
a score, and its rank among the pictures that did not train. All that is promised is how often a known picture is called
unknown; how many unknown ones are found depends on what they are. numpy alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.data.reading.blas import one_blas_thread
from sightline.decision.answers import Answers, Floats
from sightline.errors import RunError

# What a method keeps, by its name; the order of preference where two do the same.
METHODS = ("combined", "knn_pixels", "knn", "vim", "energy", "msp")
NEAREST = 5  # neighbours, of at most a few thousand
SHRUNK = 1e-3  # the share of the mean variance that every direction has at least
FOLDS = 20  # so that a part's pictures look as strange as those that none was fitted to, but for a hundredth
CHUNK = 16  # pictures; always so many at once, so that a score does not depend on what else is asked


@dataclass(frozen=True)
class Unknown:
    """A method, what it keeps, and the `scores` (n,) of known pictures that did not train, ascending.

    `rate`: the share of known pictures that may be called unknown.
    """

    method: str
    kept: Mapping[str, Floats]
    scores: NDArray[np.float64]
    rate: float

    def strangeness(self, answers: Answers) -> NDArray[np.float64]:
        """(N,): the more, the stranger."""
        return strangeness(self.method, self.kept, answers)

    def familiarity(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how strange pictures are, (N,): the share of known ones at least as strange, it counted: a p-value.

        Of known pictures it is below any number for at most that share (Vovk et al., 2005).
        """
        num_less = np.searchsorted(self.scores, found, "left")
        return np.asarray((1 + len(self.scores) - num_less) / (1 + len(self.scores)))

    def of(self, answers: Answers) -> NDArray[np.float64]:
        """The familiarity of pictures, (N,)."""
        return self.familiarity(self.strangeness(answers))

    def stored(self) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
        """Arrays and facts, of which `opened` makes it again."""
        kept = {name: values.astype(np.float16) if name == "bank" else values for name, values in self.kept.items()}
        return {**kept, "scores": self.scores}, {"method": self.method, "rate": repr(self.rate)}

    @staticmethod
    def opened(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, str], where: str) -> "Unknown":
        """Of what was stored. Raises RunError where that is something else."""
        method = facts.get("method", "")
        kept = {name: np.asarray(values, np.float32) for name, values in arrays.items() if name != "scores"}
        if method not in METHODS or set(kept) != set(_KEEPS[method]) or "scores" not in arrays or "rate" not in facts:
            raise RunError(f"{where} does not hold what pictures of something else are told by; train again")
        return Unknown(method, kept, arrays["scores"], float(facts["rate"]))

    def is_unknown(self, familiarity: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which pictures are called unknown, (N,)."""
        return np.asarray(familiarity <= self.rate)


def calibrated(method: str, kept: Mapping[str, Floats], known: NDArray[np.float64], rate: float) -> Unknown:
    """By the scores (n,) of known pictures that did not train."""
    return Unknown(method, kept, np.sort(known), rate)


def fitted(method: str, trained: Answers, unseen: Answers) -> dict[str, Floats]:
    """What a method keeps of pictures that trained; where it sums several scores, weighed by those of `unseen` ones."""
    kept: dict[str, Floats] = {}
    for part in _SUMS.get(method, (method,)):
        kept |= _FITS[part](trained) if part in _FITS else {}
    if method in _SUMS:
        kept["spread"] = _spread([_SCORES[part](kept, unseen) for part in _SUMS[method]])
    return kept


def strangeness(method: str, kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    """(N,): the more, the stranger. A picture whose logits or features are no finite numbers is the strangest of all.

    msp     1 less the largest probability (Hendrycks and Gimpel, 2017)
    energy  less the logarithm of the sum of the logits' exponentials (Liu et al., 2020)
    knn     the distance to the 5th nearest of the pictures that trained, of features as directions (Sun et al., 2022)
    vim     the part of the features that those of training do not span, on the scale of logits, less the energy
            (Wang et al., 2022)
    pixels  how far the picture's brightness, contrast, edges and colours are from those of training (Mahalanobis'
            distance): what a network was never taught to see it may take for anything
    knn_pixels  knn and, where it is above its median, pixels, each in units of its spread
    combined    the same with the mean of knn and msp
    """
    with one_blas_thread():  # several wait for each other where the decoding of the next pictures takes cores
        found = [_score(method, kept, _padded(answers, i)) for i in range(0, len(answers), CHUNK)]
    scores = np.concatenate(found)[: len(answers)] if found else np.zeros(0)
    return np.where(np.isfinite(scores), scores, np.inf).astype(np.float64)


def compared(
    names: Sequence[str], trained: Answers, known: Answers, strange: Answers
) -> dict[str, tuple[NDArray[np.float64], ...]]:
    """How strange each method finds known pictures and strange ones; what several sum is computed once."""
    parts, found = dict.fromkeys(part for name in names for part in _SUMS.get(name, (name,))), {}
    for part in parts:
        kept = _FITS[part](trained) if part in _FITS else {}
        found[part] = tuple(strangeness(part, kept, answers) for answers in (known, strange))
    for name in set(names) & set(_SUMS):
        summed = [found[part] for part in _SUMS[name]]
        kept = {"spread": _spread([of_known for of_known, _ in summed])}
        found[name] = tuple(_summed(kept, each) for each in zip(*summed, strict=True))
    return {name: found[name] for name in names}


def fitted_to_themselves(trained: Answers, groups: NDArray[np.intp]) -> tuple[dict[str, Floats], NDArray[np.float64]]:
    """What knn_pixels keeps of pictures that trained (n,), and how strange each is by those of other groups (n,) alone.

    Features of a frozen network know no labels, so that these are as strange as new ones are. How pictures look is
    fitted anew without each of FOLDS parts, for those of that part. There must be two groups.
    """
    kept = _fit_knn(trained) | _fit_pixels(trained)
    looks, fold = np.empty(len(trained)), np.unique(groups, return_inverse=True)[1] % FOLDS
    for k in range(min(FOLDS, int(fold.max()) + 1)):
        looks[fold == k] = _pixels(_fit_pixels(trained.take(fold != k)), trained.take(fold == k))
    parts = [_distances_among(kept["bank"], groups), looks]
    kept["spread"] = _spread(parts)
    return kept, _summed(kept, parts)


def _score(method: str, kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    if method in _SUMS:
        return _summed(kept, [_SCORES[part](kept, answers) for part in _SUMS[method]])
    return _SCORES[method](kept, answers)


def _spread(parts: Sequence[NDArray[np.float64]]) -> Floats:
    """The median of each score, and how far above it the 95 % quantile is, (P, 2)."""
    middle, high = np.quantile(np.stack(parts), (0.5, 0.95), axis=1)
    return np.stack([middle, np.maximum(high - middle, 1e-9)], axis=1).astype(np.float32)


def _summed(kept: Mapping[str, Floats], parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean of all scores but the last, and of the last what is above its median: each in units of its spread."""
    spread = kept["spread"].astype(np.float64)
    *others, last = ((part - middle) / width for part, (middle, width) in zip(parts, spread, strict=True))
    return np.asarray(sum(others) / len(others) + np.maximum(last, 0))


def _distances_among(bank: Floats, groups: NDArray[np.intp]) -> NDArray[np.float64]:
    found = []
    for i in range(0, len(bank), CHUNK):
        alike = np.where(groups[i : i + CHUNK, None] == groups, -1, bank[i : i + CHUNK] @ bank.T)
        found.append(_distance(alike))
    return np.concatenate(found)


def _padded(answers: Answers, begin: int) -> Answers:
    """As many pictures as are always asked at once, some blank: products of other shapes have other last bits."""
    part = answers.take(slice(begin, begin + CHUNK))
    blank = ((0, CHUNK - len(part)), (0, 0))
    return Answers(*(np.pad(values, blank) for values in part.arrays))


def _energy(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    logits = answers.logits.astype(np.float64)
    most = logits.max(axis=1)
    return np.asarray(-most - np.log(np.exp(logits - most[:, None]).sum(axis=1)))


def _msp(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    logits = answers.logits.astype(np.float64)
    return np.asarray(1 - 1 / np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1))


def _directions(features: Floats) -> Floats:
    """Of length 1."""
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12), np.float32)


def _fit_knn(trained: Answers) -> dict[str, Floats]:
    """In half precision, as it is stored."""
    return {"bank": _directions(trained.features).astype(np.float16).astype(np.float32)}


def _knn(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    return _distance(_directions(answers.features) @ kept["bank"].T)


def _distance(alike: Floats) -> NDArray[np.float64]:
    """(N, M) cosines -> (N,): of the nearest few the farthest."""
    place = min(NEAREST, alike.shape[1])
    return np.asarray(1 - np.partition(alike, -place, axis=1)[:, -place].astype(np.float64))


def _fit_pixels(trained: Answers) -> dict[str, Floats]:
    """The mean (F,) of how pictures look, and what makes distances of differences (F, F)."""
    looks = trained.looks.astype(np.float64)
    centre, covariance = looks.mean(axis=0), np.atleast_2d(np.cov(looks.T))
    covariance += (SHRUNK * np.trace(covariance) / len(covariance) + 1e-9) * np.eye(len(covariance))
    return {"centre": centre.astype(np.float32), "sphere": _inverse_root(covariance).astype(np.float32)}


def _inverse_root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(values))


def _pixels(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm((answers.looks - kept["centre"]) @ kept["sphere"], axis=1), np.float64)


def _fit_vim(trained: Answers) -> dict[str, Floats]:
    """The directions (D, P) with the most variance, half of all; `scale`: what a length beside them is among logits.

    Of more features than pictures they are found by the pictures' own products.
    """
    features = trained.features.astype(np.float64)
    origin = features.mean(axis=0)
    off = features - origin
    if off.shape[1] <= len(off):
        directions = np.linalg.eigh(off.T @ off)[1][:, off.shape[1] // 2 :]
    else:
        values, vectors = np.linalg.eigh(off @ off.T)
        half = len(off) // 2
        directions = off.T @ (vectors[:, half:] / np.sqrt(np.maximum(values[half:], 1e-12)))
    kept = {"origin": origin.astype(np.float32), "most": directions.astype(np.float32)}
    scale = trained.logits.max(axis=1).mean() / max(float(_beside(kept, trained).mean()), 1e-12)
    return kept | {"scale": np.array([scale], np.float32)}


def _beside(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    """The length of what the directions with the most variance leave of the features."""
    off = answers.features - kept["origin"]
    squares = (off.astype(np.float64) ** 2).sum(axis=1) - ((off @ kept["most"]).astype(np.float64) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def _vim(kept: Mapping[str, Floats], answers: Answers) -> NDArray[np.float64]:
    return np.asarray(kept["scale"].astype(np.float64) * _beside(kept, answers) + _energy(kept, answers))


_SCORES = {"pixels": _pixels, "knn": _knn, "vim": _vim, "energy": _energy, "msp": _msp}
_SUMS = {"combined": ("msp", "knn", "pixels"), "knn_pixels": ("knn", "pixels")}
_FITS: dict[str, Callable[[Answers], dict[str, Floats]]] = {"pixels": _fit_pixels, "knn": _fit_knn, "vim": _fit_vim}
_KEEPS = {
    "combined": ("bank", "centre", "sphere", "spread"), "knn_pixels": ("bank", "centre", "sphere", "spread"),
    "knn": ("bank",), "vim": ("origin", "most", "scale"), "energy": (), "msp": (),
}  # fmt: skip
