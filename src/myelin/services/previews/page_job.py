"""What the server and the process that reads pages say to each other: a line of JSON each way."""

import msgspec


class ReadPage(msgspec.Struct, frozen=True, tag="page"):
    """Find what describes an HTML page."""

    body: bytes
    charset: str
    """As the Content-Type header says; empty where it says nothing."""


class MeasureImage(msgspec.Struct, frozen=True, tag="image"):
    """Find the size of an image."""

    body: bytes
    max_pixels: int


class PageFacts(msgspec.Struct, frozen=True, omit_defaults=True, tag="page"):
    """What an HTML page says of itself; addresses are as written there."""

    properties: dict[str, str] = {}
    """`og:` and `twitter:` properties; of a repeated one the first."""
    title: str = ""
    description: str = ""
    text: str = ""
    """How its paragraphs begin."""
    images: tuple[str, ...] = ()
    """Where pictures are, the most telling first."""
    base: str = ""
    oembed: str = ""


class ImageFacts(msgspec.Struct, frozen=True, tag="image"):
    """An image that can be shown."""

    content_type: str
    width: int
    height: int


class Unreadable(msgspec.Struct, frozen=True, tag="unreadable"):
    """It is none, or too large."""

    detail: str = ""


PageJob = ReadPage | MeasureImage
PageOutcome = PageFacts | ImageFacts | Unreadable
