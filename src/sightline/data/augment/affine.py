"""Turn, shift, scale and shear at once, in one bilinear resampling (Simard et al., 2003); black beyond the picture."""

from sightline.data.augment import Draw, View
from sightline.data.augment._geometry import affines, resample

MAY_CHANGE_LABEL = False
DEGREES = 10.0  # of turning and of shearing, to either side
SHIFT = 0.1  # of the side
SCALE = 0.1  # to either side of 1


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    numbers = 2 * draw.uniform("affine", 5) - 1
    height, width = view.frame
    shift = SHIFT * numbers[:, 1:3] * (width, height)
    matrices = affines(DEGREES * numbers[:, 0], shift, 1 + SCALE * numbers[:, 3], DEGREES * numbers[:, 4])
    return view.replaced(resample(view.images, matrices))
