"""Copies of other servers' media, no more than so many bytes of them: those go first that nobody asked for longest."""

import asyncio

from myelin.services.media.removal import MediaRemoval
from myelin.store.media import MediaRow, MediaStore
from myelin.telemetry.ambient import Clock

NOTED_EVERY_MS = 3_600_000
"""How exactly it is known when a copy was last asked for."""
EVICTED_AT_ONCE = 100
COUNTED_EVERY = 100
"""Copies that are taken in before the sum is read anew: other processes take some in too."""


class RemoteCache:
    """Knows how much there is. `max_bytes` 0: no limit. Media of this server are never touched."""

    def __init__(
        self, server_name: str, max_bytes: int, store: MediaStore, removal: MediaRemoval, clock: Clock
    ) -> None:
        self._server_name = server_name
        self._max_bytes = max_bytes
        self._store = store
        self._removal = removal
        self._clock = clock
        self._bytes: int | None = None
        self._added = 0
        self._lock = asyncio.Lock()

    async def note_use(self, row: MediaRow) -> None:
        """A copy is asked for."""
        now = self._clock.now_ms()
        if row.origin != self._server_name and (row.last_access_ts or row.created_ts) + NOTED_EVERY_MS <= now:
            await self._store.note_access(row.origin, row.media_id, now)

    async def grown(self, size: int) -> None:
        """A copy was taken in: others go where there is too much now."""
        if not self._max_bytes:
            return
        async with self._lock:
            self._added += 1
            if self._bytes is None or self._added % COUNTED_EVERY == 0:
                self._bytes = await self._store.remote_bytes(self._server_name)
            else:
                self._bytes += size
            if self._bytes > self._max_bytes:
                await self._evict()

    async def _evict(self) -> None:
        """Remove the copies that were used longest ago; the newest one stays, whatever its size."""
        self._bytes = total = await self._store.remote_bytes(self._server_name)
        while total > self._max_bytes:
            found = (await self._store.oldest_remote(self._server_name, EVICTED_AT_ONCE + 1))[:-1]
            if not found:
                break
            for one in found:
                if total <= self._max_bytes:
                    break
                await self._removal.remove_all([one])
                total -= one.size or 0
        self._bytes = total
