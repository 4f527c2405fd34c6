"""Evidence made by hand: records without files."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from sightline.data.checks import Evidence
from sightline.data.copies.signature import signatures
from sightline.data.dataset import ArrayImages, Dataset, encode_labels
from sightline.data.reading.looks import LOOK
from sightline.data.reading.measures import measure
from sightline.data.reading.records import pixel_hash
from sightline.data.split import Split

MakeEvidence = Callable[..., Evidence]


def picture(seed: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A picture of some blobs and noise, unlike that of any other seed."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    grey = np.full((height, width), 90.0)
    for _ in range(8):
        cy, cx, size = generator.uniform(0, height), generator.uniform(0, width), generator.uniform(3, 12)
        grey += generator.uniform(-90, 120) * (np.hypot(y - cy, x - cx) < size)
    grey += generator.normal(0, 6, grey.shape)
    return grey.clip(0, 255).astype(np.uint8)[:, :, None].repeat(3, axis=2)


@pytest.fixture
def make() -> MakeEvidence:
    """(labels, pictures=, paths=, splits=, groups=, parts=, bad=, **fields of the record a row) -> Evidence."""

    def evidence(
        labels: Sequence[str],
        pictures: Sequence[np.ndarray] | None = None,
        paths: Sequence[str] | None = None,
        splits: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        parts: Sequence[str] | None = None,
        bad: Mapping[str, str] | None = None,
        **fields: object,
    ) -> Evidence:
        shown = list(pictures) if pictures is not None else [picture(i) for i in range(len(labels))]
        records = np.zeros(len(shown), LOOK)
        records["hash"] = np.array([pixel_hash(image) for image in shown], "V16")
        measures = measure(shown)
        for name in measures.dtype.names or ():
            records[name] = measures[name]
        records["signature"] = signatures(shown)
        records["height"], records["width"] = np.array([image.shape[:2] for image in shown]).T
        records["format"], records["mode"], records["bits"] = "JPEG", "RGB", 8
        records["num_frames"], records["orientation"] = 1, 1
        for name, values in fields.items():
            records[name] = values
        indices, classes = encode_labels(labels)
        names = list(paths) if paths is not None else [f"{label}/x{i}y.jpg" for i, label in enumerate(labels)]
        dataset = Dataset("here", "folder", ArrayImages(shown), names, indices, classes, groups, splits)
        drawn = None if parts is None else Split(np.array(parts, dtype="<U11"), "By hand.")
        return Evidence(dataset, records, bad or {}, drawn)

    return evidence
