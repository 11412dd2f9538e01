"""Images of previews: kept as media of this server for a time, then gone with their files."""

from collections.abc import AsyncIterator

from myelin.db.connection import Database
from myelin.services.media.files import ContentFiles
from myelin.services.media.removal import MediaRemoval
from myelin.services.media.uploads import new_media_id
from myelin.services.previews.composition import KeptImage
from myelin.services.previews.page_process import PageProcess
from myelin.store.media import MediaStore
from myelin.store.url_previews import PreviewImage, UrlPreviewStore
from myelin.telemetry.ambient import Clock, Randomness

FORGOTTEN_AT_ONCE = 200


class PreviewImages:
    """Keeps images and forgets them again."""

    def __init__(
        self,
        server_name: str,
        max_pixels: int,
        database: Database,
        files: ContentFiles,
        removal: MediaRemoval,
        process: PageProcess,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._server_name = server_name
        self._max_pixels = max_pixels
        self._database = database
        self._files = files
        self._removal = removal
        self._process = process
        self._clock = clock
        self._randomness = randomness

    async def keep(self, body: bytes, filename: str, expires_ts: int) -> KeptImage | None:
        """The image as media of this server; None for what is no image that can be shown."""
        facts = await self._process.measure_image(body, self._max_pixels)
        if facts is None:
            return None
        content = await self._files.receive(_once(body), len(body))
        media_id = new_media_id(self._randomness)
        async with self._database.transaction() as transaction:
            await UrlPreviewStore(transaction).add_image(media_id, content.sha256, expires_ts)
            await MediaStore(transaction).add_media(
                origin=self._server_name,
                media_id=media_id,
                sha256=content.sha256,
                size=content.size,
                content_type=facts.content_type,
                filename=filename[:255] or None,
                uploader=None,
                now=self._clock.now_ms(),
            )
        return KeptImage(f"mxc://{self._server_name}/{media_id}", content.size, facts)

    async def forget_expired(self) -> None:
        """Remove the images that ran out, and their files where nothing else has the same content."""
        while True:
            expired = await UrlPreviewStore(self._database).expired_images(self._clock.now_ms(), FORGOTTEN_AT_ONCE)
            for image in expired:
                await self._forget(image)
            if len(expired) < FORGOTTEN_AT_ONCE:
                return

    async def _forget(self, image: PreviewImage) -> None:
        await self._removal.remove(self._server_name, image.media_id)
        await UrlPreviewStore(self._database).delete_image(image.media_id)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
