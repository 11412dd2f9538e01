"""Locks by name, which are there only while somebody needs them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from myelin.matrix.errors import LimitExceeded

NO_LIMIT = 2**31
RETRY_AFTER_MS = 5_000


class Locks:
    """One after the other in each room or for each server, different ones side by side."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, name: str, most: int = NO_LIMIT) -> AsyncIterator[None]:
        """Wait for those that came before. Raises LimitExceeded where these are `most` already."""
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        if users >= most:
            raise LimitExceeded("Too many requests of this kind wait already", retry_after_ms=RETRY_AFTER_MS)
        self._locks[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = lock, users - 1
