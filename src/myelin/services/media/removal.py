"""Media that go: what somebody removes, what erased users uploaded, files that nothing refers to any more."""

import asyncio
from collections.abc import Iterable

from myelin.db.connection import Database
from myelin.services.media.files import ContentFiles
from myelin.store.media import MediaName, MediaStore, ThumbnailStore
from myelin.telemetry.ambient import Clock

REMOVED_AT_ONCE = 200
RETRIED_EVERY_S = 600
SWEPT_EVERY = 144
"""Rounds between two looks through all files: a day."""
MAX_RETRIED = 10_000
"""Files that are tried again; the look through all files finds the rest."""


class MediaRemoval:
    """Removes media IDs, and their files and thumbnails where no other media ID has the same content."""

    def __init__(self, server_name: str, database: Database, files: ContentFiles, clock: Clock) -> None:
        self._server_name = server_name
        self._store = MediaStore(database)
        self._thumbnails = ThumbnailStore(database)
        self._files = files
        self._clock = clock
        self._left: set[bytes] = set()

    async def run(self) -> None:
        """Tidy up from time to time, for ever."""
        rounds = 0
        while True:
            await self.retry()
            await self.remove_erased()
            if rounds % SWEPT_EVERY == 0:
                await self.sweep()
            rounds += 1
            await asyncio.sleep(RETRIED_EVERY_S)

    async def deactivated(self, user_id: str, *, is_erased: bool) -> None:  # noqa: ARG002  (a DeactivationListener)
        """With an erased account goes what it uploaded."""
        if is_erased:
            await self.remove_erased()

    async def remove(self, origin: str, media_id: str) -> bool:
        """Remove one media ID, of this server or a copy of another's; False if there is none."""
        row = await self._store.media(origin, media_id)
        if row is None:
            return False
        await self.remove_all([MediaName(row.origin, row.media_id, row.sha256, row.size)])
        return True

    async def remove_uploads(self, user_id: str) -> int:
        """Remove all that a user uploaded; how many media IDs."""
        removed = 0
        while found := await self._store.uploads(user_id, REMOVED_AT_ONCE):
            await self.remove_all(found)
            removed += len(found)
        return removed

    async def remove_erased(self) -> int:
        """Remove all that erased users uploaded, also what arrived after they were; how many media IDs."""
        removed = 0
        while found := await self._store.uploads_of_erased(REMOVED_AT_ONCE):
            await self.remove_all(found)
            removed += len(found)
        return removed

    async def remove_all(self, media: Iterable[MediaName]) -> None:
        """Remove media IDs and what only they had."""
        for one in media:
            await self._store.delete_media(one.origin, one.media_id)
            if one.sha256 is not None:
                await self._drop(one.sha256)

    async def retry(self) -> None:
        """Remove files that were too new when their media ID went: another may have been about to be written."""
        left, self._left = self._left, set()
        for sha256 in left:
            await self._drop(sha256)

    async def sweep(self) -> int:
        """Remove files that no media ID refers to, as a process leaves them that dies on the way; how many."""
        removed = 0
        for folder in await self._files.folders():
            for sha256 in await self._files.contents(folder):
                removed += await self._drop(sha256)
                await asyncio.sleep(0)
        return removed

    async def _drop(self, sha256: bytes) -> bool:
        """Remove content unless a media ID has it; False also where it is too new."""
        if await self._store.uses(sha256):
            return False
        if not await self._files.remove(sha256, self._clock.now_ms()):
            if len(self._left) < MAX_RETRIED:
                self._left.add(sha256)
            return False
        await self._thumbnails.delete_thumbnails(sha256)
        return True
