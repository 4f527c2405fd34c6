"""One answer, explained: a map in the network's frame, and where that lies in the picture.

Comes in: what was found; goes out: the map in the picture's own coordinates, pictures and files of it. Must not know
networks.
"""

import io
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.data.preprocess import Pixels, Window
from sightline.data.warp import Floats
from sightline.decision import AnyPrediction
from sightline.explainers._frame import between
from sightline.explaining.overlay import enlarged, outline, overlay, with_scale
from sightline.run import write_json

TOP = 0.995  # of a map's values are within its colours; a few points far above all others would hide them


@dataclass(frozen=True)
class Explanation:
    """Why a picture was answered as it was, as `method` has it.

    answer           what the run answered
    target, against  why `target`, and not `against` where that is given: names of classes, or of a number
    map              (height, width) float32 in the network's frame: in `unit`s, below 0 what speaks against it
    frame            (height, width, C) what the network saw
    window           the part of the picture that the network saw, in the picture's pixels
    picture          (H, W, 1 or 3) uint8, upright, perhaps smaller than it is
    size             height and width of the picture, upright, as it is
    """

    path: str
    method: str
    answer: AnyPrediction
    target: str
    against: str | None
    map: Floats = field(repr=False)
    unit: str
    signed: bool
    frame: Pixels = field(repr=False)
    window: Window
    picture: NDArray[np.uint8] = field(repr=False)
    size: tuple[int, int]

    @property
    def question(self) -> str:
        """`why cat` or `why cat and not dog`."""
        return f"why {self.target}" + ("" if self.against is None else f" and not {self.against}")

    @cached_property
    def top(self) -> float:
        """The value at the end of the colours: nearly all values, without their sign, are below it."""
        values = np.abs(self.map)
        return float(np.quantile(values, TOP)) or float(values.max())

    def on_picture(self, height: int | None = None, width: int | None = None) -> Floats:
        """The map in the picture's own coordinates, (H, W), or scaled to a given size; NaN where it was not seen."""
        height, width = height or self.size[0], width or self.size[1]
        window = self.window.scaled(height / self.size[0], width / self.size[1])
        places = [
            ((np.arange(side) + 0.5 - start) / length * num - 0.5, num)
            for side, start, length, num in (
                (height, window.top, window.height, self.map.shape[0]),
                (width, window.left, window.width, self.map.shape[1]),
            )
        ]
        (above, below, down), (left, right, beside) = (between(*one) for one in places)
        rows = self.map[above] * (1 - down[:, None]) + self.map[below] * down[:, None]
        found = rows[:, left] * (1 - beside) + rows[:, right] * beside
        for axis, (place, num) in enumerate(places):
            outside = (place < -0.5) | (place > num - 0.5)
            found[outside if axis == 0 else (slice(None), outside)] = np.nan
        return np.asarray(found, np.float32)

    def overlay(self, scale: bool = True) -> Image.Image:
        """The picture, grey, under the map's colours; with `scale` what they stand for is written below."""
        picture = enlarged(self.picture)
        share = self.on_picture(*picture.shape[:2]) / (self.top or 1.0)
        drawn = Image.fromarray(overlay(picture, share, self.signed))
        return (
            with_scale(drawn, self.top, self.signed, self.unit, f"{self.question} ({self.method})") if scale else drawn
        )

    def outlined(self, mask: NDArray[np.bool_]) -> Image.Image:
        """The picture with the outline of a part of the frame, (height, width)."""
        picture = enlarged(self.picture)
        inside = replace(self, map=mask.astype(np.float32)).on_picture(*picture.shape[:2]) >= 0.5
        return Image.fromarray(outline(picture, inside))

    def _repr_png_(self) -> bytes:
        """How notebooks show it."""
        buffer = io.BytesIO()
        self.overlay().save(buffer, "PNG")
        return buffer.getvalue()

    def to_json(self) -> dict[str, Any]:
        """All but arrays, as plain values."""
        return {
            "path": self.path, "method": self.method, "target": self.target, "against": self.against,
            "answer": asdict(self.answer), "unit": self.unit, "signed": self.signed, "scale_top": self.top,
            "height": self.size[0], "width": self.size[1], "window": asdict(self.window),
            "frame": list(self.map.shape),
        }  # fmt: skip

    def save(self, stem: str | Path) -> None:
        """Three files: `stem`.png, the overlay; `stem`.npz, the map as `map` in the picture's coordinates (H, W)
        float16, NaN where it was not seen, and as `frame` in the network's, float32; `stem`.json, the rest.
        """
        stem = Path(stem)
        stem.parent.mkdir(parents=True, exist_ok=True)
        self.overlay().save(stem.with_name(f"{stem.name}.png"))
        np.savez_compressed(
            stem.with_name(f"{stem.name}.npz"), map=self.on_picture().astype(np.float16), frame=self.map
        )
        write_json(stem.with_name(f"{stem.name}.json"), self.to_json())
