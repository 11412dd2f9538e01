"""The size of an image as it is shown; runs in the page worker only."""

import io

from PIL import Image

from myelin.services.media.image_types import SNIFFED_BYTES, image_type
from myelin.services.media.thumbnail_image import DECODERS
from myelin.services.previews.page_job import ImageFacts, MeasureImage, Unreadable

_EXIF_ORIENTATION = 0x0112
_LYING = (5, 6, 7, 8)
assert DECODERS  # registered by their import


def measure_image(job: MeasureImage) -> ImageFacts | Unreadable:
    """Width and height. Raises whatever the decoder does."""
    kind = image_type(job.body[:SNIFFED_BYTES])
    if kind is None:
        return Unreadable("not an image of a known format")
    with Image.open(io.BytesIO(job.body), formats=(kind.decoder,)) as image:
        width, height = image.size
        if width * height > job.max_pixels:
            return Unreadable("too many pixels")
        if image.getexif().get(_EXIF_ORIENTATION, 1) in _LYING:
            width, height = height, width
        return ImageFacts(kind.content_type, width, height)
