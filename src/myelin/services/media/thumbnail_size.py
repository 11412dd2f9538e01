"""Which size of thumbnail answers a wish: few sizes are made, so that many wishes share a file."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from myelin.config.sections.storage import ThumbnailSize

STEP = 64
"""Wishes that no configured size covers are rounded up to a multiple of this many pixels."""
MAX_SIDE = 4096
"""Nothing larger is made: images of that size are served as they are, or at this."""


class Size(NamedTuple):
    """A size that is made."""

    width: int
    height: int
    method: Literal["crop", "scale"]


def covering_size(sizes: Sequence[ThumbnailSize], wish: Size) -> Size | None:
    """The smallest configured size of the wish's method, and shape if it is a cut, that is not smaller than it."""
    covering = [
        s
        for s in sizes
        if s.method == wish.method
        and s.width >= wish.width
        and s.height >= wish.height
        and (wish.method == "scale" or s.width * wish.height == s.height * wish.width)
    ]
    if not covering:
        return None
    best = min(covering, key=lambda s: s.width * s.height)
    return Size(best.width, best.height, best.method)


def largest_size(sizes: Sequence[ThumbnailSize], method: Literal["crop", "scale"]) -> Size:
    """The largest configured size, of that method if there is one."""
    largest = max([s for s in sizes if s.method == method] or sizes, key=lambda s: s.width * s.height)
    return Size(largest.width, largest.height, largest.method)


def size_just_above(wish: Size) -> Size:
    """A little larger than the wish and in its shape, so that similar wishes share a file."""
    longest = max(wish.width, wish.height)
    factor = min(MAX_SIDE, -(-longest // STEP) * STEP) / longest
    return Size(max(1, round(wish.width * factor)), max(1, round(wish.height * factor)), wish.method)
