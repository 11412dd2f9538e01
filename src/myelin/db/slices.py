"""Long work in slices: what is read or gone through at once keeps everybody else waiting."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")

AT_ONCE = 500
"""Rows or rooms that are worked on without a pause: some milliseconds."""


async def sliced(items: Sequence[T], at_once: int = AT_ONCE) -> AsyncIterator[Sequence[T]]:
    """The items in slices, in their order; others have their turn between two of them."""
    for start in range(0, len(items), at_once):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + at_once]
