"""Facts that contradict each other are refused, with both figures in the message."""

import dataclasses

import numpy as np
import pytest

from sightline.report import Example

from .conftest import MakeFacts, thumbnail


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 170}, "counts 169 pictures, num_samples 170"),
        ({"confusion": np.eye(2, dtype=np.int64)}, r"confusion has shape \(2, 2\) for 3 classes"),
        ({"num_samples": 0}, "num_samples is 0"),
        ({"accuracy": 0.5}, "accuracy is 0.5, confusion has 150 of 169 right"),
        ({"class_rows": ()}, r"class_rows \(0\) and classes \(3\) differ: \['glass', 'metal', 'paper'\]"),
        ({"splits": {"val": np.zeros(2, np.int64)}}, r"'val' has shape \(2,\) for 3 classes"),
    ],
)
def test_contradictions_are_refused(make_facts: MakeFacts, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(make_facts(), **change)  # type: ignore[arg-type]


def test_media_type_is_told_from_the_bytes() -> None:
    assert Example("a.jpg", "a", "a", 0.5, thumbnail("PNG")).media_type == "image/png"
    assert Example("a.png", "a", "a", 0.5, thumbnail("JPEG")).media_type == "image/jpeg"


def test_other_bytes_are_no_thumbnail() -> None:
    with pytest.raises(ValueError, match=r"'a\.png' is no PNG or JPEG: it begins b'<svg onl'"):
        Example("a.png", "a", "a", 0.5, b"<svg onload=alert(1)>")
