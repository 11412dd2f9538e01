"""What the server and the process that decodes images say to each other: a line of JSON each way."""

from collections.abc import Callable
from typing import Literal

import msgspec


class Job(msgspec.Struct, frozen=True):
    """Make a thumbnail of `source` in the new file `target`."""

    source: str
    target: str
    width: int
    height: int
    method: Literal["crop", "scale"]
    animated: bool
    max_pixels: int
    """An image with more pixels, or an animation with more in all its frames, is not decoded."""


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """How it went: a content type, or a problem."""

    content_type: str = ""
    is_original: bool = False
    """The image itself is small enough; nothing was written."""
    problem: Literal["", "not decodable", "too large", "process ended"] = ""
    detail: str = ""
    """Of a problem, for the log."""


MakeThumbnail = Callable[[Job], Outcome]
