"""Mirror left and right, each picture with probability one half."""

from sightline.data.augment import Draw, View, framed
from sightline.data.augment._ops import some

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    view = framed(view)
    mirrored = draw.uniform("flip")[:, 0] < 0.5
    return view.replaced(some(view.images, mirrored, lambda images, rows: images.flip(3)))
