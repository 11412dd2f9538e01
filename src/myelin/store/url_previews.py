"""Previews of URLs, and the images in them, until they run out."""

from typing import NamedTuple

from myelin.db.query import Store, query


class KnownPreview(NamedTuple):
    """The JSON of a preview; None where there was none to be had."""

    preview: str | None


class PreviewImage(NamedTuple):
    """An image that was kept for a preview."""

    media_id: str
    sha256: bytes


class UrlPreviewStore(Store):
    """Previews by the hash of their URL."""

    @query("SELECT preview FROM url_previews WHERE url_hash = :url_hash AND expires_ts > :now")
    async def preview(self, url_hash: bytes, now: int) -> KnownPreview | None:
        """The preview as long as it is fresh."""

    @query(
        "INSERT INTO url_previews (url_hash, preview, expires_ts) VALUES (:url_hash, :preview, :expires_ts)"
        " ON CONFLICT (url_hash) DO UPDATE SET preview = excluded.preview, expires_ts = excluded.expires_ts"
    )
    async def put_preview(self, url_hash: bytes, preview: str | None, expires_ts: int) -> None:
        """Remember a preview."""

    @query("DELETE FROM url_previews WHERE expires_ts <= :now")
    async def delete_expired(self, now: int) -> int:
        """Forget what ran out."""

    @query("INSERT INTO url_preview_images (media_id, sha256, expires_ts) VALUES (:media_id, :sha256, :expires_ts)")
    async def add_image(self, media_id: str, sha256: bytes, expires_ts: int) -> None:
        """Note until when an image is kept."""

    @query("SELECT media_id, sha256 FROM url_preview_images WHERE expires_ts <= :now ORDER BY expires_ts LIMIT :most")
    async def expired_images(self, now: int, most: int) -> list[PreviewImage]:
        """Images that ran out, the oldest first."""

    @query("DELETE FROM url_preview_images WHERE media_id = :media_id")
    async def delete_image(self, media_id: str) -> int:
        """Forget an image's time."""
