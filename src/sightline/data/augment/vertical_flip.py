"""Mirror top and bottom, each picture with probability one half: for cells, satellites and other views from above."""

from sightline.data.augment import Draw, View, framed
from sightline.data.augment.flip import mirrored

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    view = framed(view)
    return view.replaced(mirrored(view.images, draw.uniform("vertical_flip")[:, 0] < 0.5, 2))
