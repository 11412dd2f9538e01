"""The image formats that are decoded, told by their first bytes: no other decoder is ever reachable."""

from typing import NamedTuple

SNIFFED_BYTES = 32


class ImageType(NamedTuple):
    """A format by the decoder's name, and its media type."""

    decoder: str
    content_type: str
    serves_as_thumbnail: bool = True
    """Whether the spec lists it among the types of a thumbnail."""


PNG = ImageType("PNG", "image/png")
JPEG = ImageType("JPEG", "image/jpeg")
GIF = ImageType("GIF", "image/gif")
WEBP = ImageType("WEBP", "image/webp")
AVIF = ImageType("AVIF", "image/avif", serves_as_thumbnail=False)


def image_type(head: bytes) -> ImageType | None:
    """The format of a file that begins with these bytes; None for whatever else it is."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp" and head[8:12] in (b"avif", b"avis"):
        return AVIF
    return None
