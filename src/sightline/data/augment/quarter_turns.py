"""Turn by none, one, two or three right angles: for pictures without an up (Cohen and Welling, 2016, on why).

No pixel is interpolated. A frame that is not square is turned by none or two.
"""

from sightline.data.augment import Draw, View
from sightline.data.augment._ops import by_group

MAY_CHANGE_LABEL = True


def augment(view: View, draw: Draw) -> View:
    """(N, C, H, W) -> same shape."""
    numbers = draw.uniform("quarter_turns")[:, 0]
    turns = (4 * numbers).astype(int) if view.frame[0] == view.frame[1] else 2 * (2 * numbers).astype(int)
    return view.replaced(
        by_group(
            view.images,
            turns,
            {
                1: lambda images, rows: images.rot90(1, (2, 3)),
                2: lambda images, rows: images.rot90(2, (2, 3)),
                3: lambda images, rows: images.rot90(3, (2, 3)),
            },
        )
    )
