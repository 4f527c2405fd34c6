"""Predictions + labels -> numbers. One file, one metric; each exposes `measure(probabilities, labels)`.

probabilities (N, K), labels (N,) indices into the classes. A metric that says nothing for the case at hand
(top-5 of three classes) returns None. numpy alone.
"""

from sightline.registry import Registry

METRICS = Registry("sightline.metrics", "metric", ("measure",))
