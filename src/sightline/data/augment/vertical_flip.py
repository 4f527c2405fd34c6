"""Mirror top and bottom, each picture with probability one half: for cells, satellites and other views from above."""

from sightline.data.augment import Draw, View
from sightline.data.augment.flip import mirrored

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    return mirrored(view, draw.uniform("vertical_flip")[:, 0] < 0.5, 2)
