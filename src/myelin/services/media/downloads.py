"""Media by their mxc:// URI: this server's own, and copies of other servers'."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from myelin.matrix.errors import MatrixError, NotFound, TooLarge
from myelin.services.media.files import ContentFiles
from myelin.services.media.incoming import DEFAULT_CONTENT_TYPE, Upload, check_media_id
from myelin.services.media.ports import RemoteMedia
from myelin.services.media.remote_cache import RemoteCache
from myelin.services.media.waiting import Arrivals
from myelin.store.media import MediaRow, MediaStore
from myelin.telemetry.ambient import Clock


class StoredMedia(NamedTuple):
    """Media whose bytes are on this server's disk."""

    origin: str
    media_id: str
    sha256: bytes
    size: int
    content_type: str
    filename: str | None


class Downloads:
    """Finds media, waits for those that are announced, and fetches those of other servers once."""

    def __init__(
        self,
        server_name: str,
        max_remote_size: int,
        store: MediaStore,
        files: ContentFiles,
        arrivals: Arrivals,
        clock: Clock,
        remote: Sequence[RemoteMedia],
        cache: RemoteCache,
    ) -> None:
        self._server_name = server_name
        self._max_remote_size = max_remote_size
        self._store = store
        self._files = files
        self._arrivals = arrivals
        self._clock = clock
        self._remote = remote
        self._cache = cache
        self._fetching: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def media(
        self, server_name: str, media_id: str, *, timeout_ms: int, allow_remote: bool = True
    ) -> StoredMedia:
        """Media of this server or, where allowed, of another.

        Waits up to `timeout_ms` for an upload that is announced. Raises NotFound or M_NOT_YET_UPLOADED.
        """
        check_media_id(server_name, media_id)
        row = await self._store.media(server_name, media_id)
        if row is None and server_name != self._server_name and allow_remote and self._remote:
            await self._fetch(self._remote[0], server_name, media_id, timeout_ms)
            row = await self._store.media(server_name, media_id)
        elif row is not None and row.sha256 is None:
            row = await self._arrivals.wait(
                (server_name, media_id), timeout_ms, lambda: self._arrived(server_name, media_id)
            )
        if row is None:
            raise NotFound("No such media")
        await self._cache.note_use(row)
        return _stored(row)

    async def own(self, media_id: str, *, timeout_ms: int) -> StoredMedia:
        """Media that were uploaded here. Raises NotFound or M_NOT_YET_UPLOADED."""
        return await self.media(self._server_name, media_id, timeout_ms=timeout_ms, allow_remote=False)

    async def _arrived(self, server_name: str, media_id: str) -> MediaRow | None:
        """The row once it has content; None while it waits. Raises NotFound when its time ran out."""
        row = await self._store.media(server_name, media_id)
        if row is None or (row.sha256 is None and (row.expires_ts or 0) <= self._clock.now_ms()):
            raise NotFound("The media was never uploaded")
        return row if row.sha256 is not None else None

    async def _fetch(self, remote: RemoteMedia, server_name: str, media_id: str, timeout_ms: int) -> None:
        """Copy another server's media, once for all who ask for it meanwhile."""
        key = (server_name, media_id)
        running = self._fetching.get(key)
        if running is None:
            running = asyncio.ensure_future(self._copy(remote, server_name, media_id, timeout_ms))
            self._fetching[key] = running
            running.add_done_callback(lambda done: self._fetched(key, done))
        await asyncio.shield(running)

    def _fetched(self, key: tuple[str, str], done: asyncio.Future[None]) -> None:
        del self._fetching[key]
        if not done.cancelled():
            done.exception()  # whoever still waits gets it; if nobody does, nothing is lost

    async def _copy(self, remote: RemoteMedia, server_name: str, media_id: str, timeout_ms: int) -> None:
        async with remote.download(server_name, media_id, timeout_ms=timeout_ms) as file:
            upload = Upload.from_server(file.chunks, file.content_type, file.filename)
            try:
                content = await self._files.receive(upload.chunks, self._max_remote_size)
            except TooLarge as error:
                raise TooLarge("The other server's file is too large", status=502) from error
        await self._store.add_media(
            origin=server_name,
            media_id=media_id,
            sha256=content.sha256,
            size=content.size,
            content_type=upload.content_type,
            filename=upload.filename,
            uploader=None,
            now=self._clock.now_ms(),
        )
        await self._cache.grown(content.size)


def _stored(row: MediaRow) -> StoredMedia:
    if row.sha256 is None or row.size is None:
        raise MatrixError("The media has not been uploaded yet", errcode="M_NOT_YET_UPLOADED")
    content_type = row.content_type or DEFAULT_CONTENT_TYPE
    return StoredMedia(row.origin, row.media_id, row.sha256, row.size, content_type, row.filename)
