"""Files that clients upload, at once or to a media ID reserved before (spec: "Content repository")."""

from typing import NamedTuple

from myelin.config.sections.storage import Media as MediaConfig
from myelin.matrix.errors import Forbidden, LimitExceeded, MatrixError, NotFound, TooLarge
from myelin.services.media.files import ContentFiles
from myelin.services.media.incoming import Upload, check_media_id
from myelin.services.media.waiting import Arrivals
from myelin.store.media import MediaStore
from myelin.telemetry.ambient import Clock, Randomness

MEDIA_ID_LENGTH = 24
EXPIRED_KEPT_MS = 86_400_000
"""How long an expired media ID is remembered: an upload that began in time may still be arriving."""

_MEDIA_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Reserved(NamedTuple):
    """A media ID that waits for its upload until a moment, in milliseconds since the epoch."""

    content_uri: str
    unused_expires_at: int


class Uploads:
    """Takes files in."""

    def __init__(
        self,
        server_name: str,
        config: MediaConfig,
        store: MediaStore,
        files: ContentFiles,
        arrivals: Arrivals,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._server_name = server_name
        self._config = config
        self._store = store
        self._files = files
        self._arrivals = arrivals
        self._clock = clock
        self._randomness = randomness

    @property
    def max_size(self) -> int:
        """The largest file that may be uploaded, in bytes."""
        return self._config.max_upload_size

    def check_size(self, announced: int | None) -> None:
        """Raises TooLarge if the client says beforehand that its file is."""
        if announced is not None and announced > self.max_size:
            raise TooLarge(f"The file is larger than {self.max_size} bytes")

    async def upload(self, user_id: str, upload: Upload) -> str:
        """Keep a file; its mxc:// URI. Raises TooLarge."""
        media_id = new_media_id(self._randomness)
        content = await self._files.receive(upload.chunks, self.max_size)
        await self._store.add_media(
            origin=self._server_name,
            media_id=media_id,
            sha256=content.sha256,
            size=content.size,
            content_type=upload.content_type,
            filename=upload.filename,
            uploader=user_id,
            now=self._clock.now_ms(),
        )
        return f"mxc://{self._server_name}/{media_id}"

    async def reserve(self, user_id: str) -> Reserved:
        """A media ID to upload to later. Raises LimitExceeded when too many of the user's are waiting."""
        now = self._clock.now_ms()
        pending = await self._store.pending(user_id, now)
        if pending.waiting >= self._config.pending_uploads_per_user:
            raise LimitExceeded(
                "Too many media IDs are waiting for their upload",
                retry_after_ms=max(1, (pending.first_expires_ts or now) - now),
            )
        media_id = new_media_id(self._randomness)
        expires_ts = now + self._config.pending_upload_lifetime_ms
        await self._store.reserve_media(self._server_name, media_id, user_id, now, expires_ts)
        return Reserved(f"mxc://{self._server_name}/{media_id}", expires_ts)

    async def check_may_fill(self, user_id: str, server_name: str, media_id: str) -> None:
        """Raises NotFound, Forbidden or M_CANNOT_OVERWRITE_MEDIA if the user may not upload to this media ID."""
        check_media_id(server_name, media_id)
        row = await self._store.media(server_name, media_id)
        if row is None or server_name != self._server_name:
            raise NotFound("No such media ID was created here")
        if row.uploader != user_id:
            raise Forbidden("The media ID was created by another user")
        if row.sha256 is not None:
            raise _cannot_overwrite()
        if row.expires_ts is not None and row.expires_ts <= self._clock.now_ms():
            raise NotFound("The media ID has expired")

    async def fill(self, user_id: str, server_name: str, media_id: str, upload: Upload) -> None:
        """Give a reserved media ID its file. Raises what `check_may_fill` does, and TooLarge."""
        await self.check_may_fill(user_id, server_name, media_id)
        content = await self._files.receive(upload.chunks, self.max_size)
        filled = await self._store.fill_media(
            origin=server_name,
            media_id=media_id,
            sha256=content.sha256,
            size=content.size,
            content_type=upload.content_type,
            filename=upload.filename,
        )
        if not filled:
            raise _cannot_overwrite()
        self._arrivals.arrived(server_name, media_id)

    async def forget_expired(self) -> None:
        """Forget media IDs that nobody uploaded to, and files that were never finished."""
        now = self._clock.now_ms()
        await self._store.delete_expired(now - EXPIRED_KEPT_MS)
        await self._files.remove_abandoned(now)


def new_media_id(randomness: Randomness) -> str:
    """A media ID that nobody can guess."""
    return randomness.string(MEDIA_ID_LENGTH, _MEDIA_ID_ALPHABET)


def _cannot_overwrite() -> MatrixError:
    return MatrixError("The media has been uploaded already", errcode="M_CANNOT_OVERWRITE_MEDIA")
