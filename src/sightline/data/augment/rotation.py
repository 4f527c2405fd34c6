"""Turn by up to 15 degrees to either side (LeCun et al., 1998, distort digits so); bilinear, black corners."""

from sightline.data.augment import Draw, View
from sightline.data.augment._geometry import resample, rotations

MAY_CHANGE_LABEL = False  # a 6 becomes a 9 by far more
REACH = 15.0  # degrees


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    matrices = rotations(REACH * (2 * draw.uniform("rotation")[:, 0] - 1))
    return view.replaced(resample(view.images, matrices))
