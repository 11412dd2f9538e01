"""How media are sent to other servers: in two parts, the first for what the spec may one day say of the second."""

from typing import Literal

from myelin.http.content_disposition import content_disposition
from myelin.http.file_response import FileToSend
from myelin.http.multipart_file import send_in_multipart
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import NotFound
from myelin.services.media.downloads import Downloads
from myelin.services.media.files import ContentFiles
from myelin.services.media.thumbnails import Thumbnails
from myelin.telemetry.ambient import Randomness

BOUNDARY_BYTES = 24

Wish = tuple[int, int, Literal["crop", "scale"]]
"""Width and height in pixels, and the method."""


class MediaParts:
    """Sends what was uploaded here, and thumbnails of it."""

    def __init__(
        self, downloads: Downloads, thumbnails: Thumbnails, files: ContentFiles, randomness: Randomness
    ) -> None:
        self._downloads = downloads
        self._thumbnails = thumbnails
        self._files = files
        self._randomness = randomness

    async def download(self, request: Request, media_id: str, timeout_ms: int) -> Response:
        """The file. Raises NotFound or M_NOT_YET_UPLOADED."""
        media = await self._downloads.own(media_id, timeout_ms=timeout_ms)
        headers = _headers(media.content_type, media.filename)
        try:
            return await self._send(
                request, FileToSend(self._files.content_path(media.sha256), media.size, "", headers)
            )
        except FileNotFoundError as error:
            raise NotFound("The file is gone") from error

    async def thumbnail(
        self, request: Request, media_id: str, wish: Wish, timeout_ms: int, *, animated: bool
    ) -> Response:
        """A thumbnail of the image; made again where its file is gone."""
        media = await self._downloads.own(media_id, timeout_ms=timeout_ms)
        for _ in range(2):
            made = await self._thumbnails.thumbnail(media, *wish, animated=animated)
            headers = _headers(made.content_type, None)
            try:
                return await self._send(request, FileToSend(made.path, made.size, made.etag, headers))
            except FileNotFoundError:
                await self._thumbnails.forget(media)
        raise NotFound("The file is gone")

    async def _send(self, request: Request, file: FileToSend) -> Response:
        return await send_in_multipart(request, file, self._randomness.token_bytes(BOUNDARY_BYTES).hex())


def _headers(content_type: str, filename: str | None) -> dict[str, str]:
    return {"Content-Type": content_type, "Content-Disposition": content_disposition(content_type, filename)}
