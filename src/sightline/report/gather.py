"""Pictures for the report. Comes in: a row of a data set; goes out: the bytes of a thumbnail."""

import io

from PIL import Image

from sightline.data.dataset import Dataset

NUM_EXAMPLES = 12
THUMBNAIL_SIDE = 256  # pixels; a card is some 220 wide


def thumbnail(dataset: Dataset, row: int) -> bytes:
    """A JPEG, or a PNG where the picture is so small that JPEG would blur it."""
    pixels = dataset.images.pixels(row, THUMBNAIL_SIDE)
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    buffer = io.BytesIO()
    if max(picture.size) <= 64:
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()
