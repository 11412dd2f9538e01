"""Uploaded media and their thumbnails: what is known of each; the bytes are in files named by their hash."""

from typing import NamedTuple

from myelin.db.query import Store, query


class MediaRow(NamedTuple):
    """One media ID of this server, or a copy of another server's."""

    origin: str
    media_id: str
    sha256: bytes | None
    size: int | None
    content_type: str | None
    filename: str | None
    uploader: str | None
    created_ts: int
    expires_ts: int | None
    last_access_ts: int | None


class MediaName(NamedTuple):
    """A media ID, and what it takes to remove it."""

    origin: str
    media_id: str
    sha256: bytes | None
    size: int | None


class Pending(NamedTuple):
    """A user's media IDs that wait for their upload."""

    waiting: int
    first_expires_ts: int | None


class ThumbnailRow(NamedTuple):
    """A thumbnail that was made; without a size the image itself serves as one."""

    content_type: str
    size: int | None


class MediaStore(Store):
    """Media by origin and media ID."""

    @query(
        "SELECT origin, media_id, sha256, size, content_type, filename, uploader, created_ts, expires_ts,"
        " last_access_ts FROM media WHERE origin = :origin AND media_id = :media_id"
    )
    async def media(self, origin: str, media_id: str) -> MediaRow | None:
        """What is known of a media ID."""

    @query(
        "INSERT INTO media (origin, media_id, sha256, size, content_type, filename, uploader, created_ts)"
        " VALUES (:origin, :media_id, :sha256, :size, :content_type, :filename, :uploader, :now)"
        " ON CONFLICT (origin, media_id) DO NOTHING"
    )
    async def add_media(
        self,
        *,
        origin: str,
        media_id: str,
        sha256: bytes,
        size: int,
        content_type: str,
        filename: str | None,
        uploader: str | None,
        now: int,
    ) -> int:
        """Write media whose file is there; 0 when the media ID is taken."""

    @query(
        "INSERT INTO media (origin, media_id, uploader, created_ts, expires_ts)"
        " VALUES (:origin, :media_id, :uploader, :now, :expires_ts)"
    )
    async def reserve_media(self, origin: str, media_id: str, uploader: str, now: int, expires_ts: int) -> None:
        """Write a media ID that waits for its upload."""

    @query(
        "SELECT COUNT(*), MIN(expires_ts) FROM media"
        " WHERE uploader = :uploader AND sha256 IS NULL AND expires_ts > :now"
    )
    async def pending(self, uploader: str, now: int) -> Pending:
        """The user's media IDs that still wait."""

    @query(
        "UPDATE media SET sha256 = :sha256, size = :size, content_type = :content_type, filename = :filename"
        " WHERE origin = :origin AND media_id = :media_id AND sha256 IS NULL"
    )
    async def fill_media(
        self, *, origin: str, media_id: str, sha256: bytes, size: int, content_type: str, filename: str | None
    ) -> int:
        """Give a reserved media ID its content; 0 when it has some already or is gone."""

    @query("DELETE FROM media WHERE sha256 IS NULL AND expires_ts <= :before")
    async def delete_expired(self, before: int) -> int:
        """Forget reserved media IDs whose time ran out."""

    @query("DELETE FROM media WHERE origin = :origin AND media_id = :media_id")
    async def delete_media(self, origin: str, media_id: str) -> int:
        """Forget a media ID; its file stays."""

    @query("SELECT origin, media_id, sha256, size FROM media WHERE uploader = :uploader LIMIT :limit")
    async def uploads(self, uploader: str, limit: int) -> list[MediaName]:
        """What a user uploaded, or reserved to upload."""

    @query(
        "SELECT origin, media_id, sha256, size FROM media WHERE uploader IN (SELECT user_id FROM erased_users)"
        " LIMIT :limit"
    )
    async def uploads_of_erased(self, limit: int) -> list[MediaName]:
        """What erased users uploaded, or reserved to upload."""

    @query("UPDATE media SET last_access_ts = :now WHERE origin = :origin AND media_id = :media_id")
    async def note_access(self, origin: str, media_id: str, now: int) -> int:
        """Somebody asked for a copy."""

    @query("SELECT COALESCE(SUM(size), 0) FROM media WHERE origin <> :own", slow=True)
    async def remote_bytes(self, own: str) -> int:
        """The size of all copies of other servers' media."""

    @query(
        "SELECT origin, media_id, sha256, size FROM media WHERE origin <> :own"
        " ORDER BY COALESCE(last_access_ts, created_ts), origin, media_id LIMIT :limit",
        slow=True,
    )
    async def oldest_remote(self, own: str, limit: int) -> list[MediaName]:
        """The copies that nobody asked for longest."""

    @query("SELECT COUNT(*) FROM media WHERE sha256 = :sha256")
    async def uses(self, sha256: bytes) -> int:
        """How many media IDs have this content."""


class ThumbnailStore(Store):
    """Thumbnails by the hash of the image, the size, the method, and whether it moves."""

    @query(
        "SELECT content_type, size FROM thumbnails WHERE sha256 = :sha256 AND width = :width AND height = :height"
        " AND method = :method AND animated = :animated"
    )
    async def thumbnail(
        self, sha256: bytes, width: int, height: int, method: str, animated: int
    ) -> ThumbnailRow | None:
        """A thumbnail made before."""

    @query("SELECT COUNT(*) FROM thumbnails WHERE sha256 = :sha256")
    async def thumbnail_count(self, sha256: bytes) -> int:
        """How many thumbnails an image has."""

    @query("DELETE FROM thumbnails WHERE sha256 = :sha256")
    async def delete_thumbnails(self, sha256: bytes) -> int:
        """Forget an image's thumbnails."""

    @query(
        "INSERT INTO thumbnails (sha256, width, height, method, animated, content_type, size, created_ts)"
        " VALUES (:sha256, :width, :height, :method, :animated, :content_type, :size, :now)"
        " ON CONFLICT (sha256, width, height, method, animated) DO UPDATE"
        " SET content_type = excluded.content_type, size = excluded.size"
    )
    async def put_thumbnail(
        self,
        *,
        sha256: bytes,
        width: int,
        height: int,
        method: str,
        animated: int,
        content_type: str,
        size: int | None,
        now: int,
    ) -> None:
        """Write a thumbnail whose file is there."""
