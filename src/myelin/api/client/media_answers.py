"""How media are sent: the headers that keep a browser from running them, and the same for old and new addresses."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import msgspec
from aiohttp.http_exceptions import HttpProcessingError

from myelin.http.content_disposition import content_disposition
from myelin.http.file_response import FileToSend, send_file
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.matrix.errors import MatrixError, NotFound
from myelin.services.media.downloads import Downloads, StoredMedia
from myelin.services.media.files import ContentFiles
from myelin.services.media.thumbnails import Thumbnails

MAX_DIMENSION = 1_000_000
SAFE_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf;"
    " style-src 'unsafe-inline'; object-src 'self';",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noarchive, noimageindex",
}
PRIVATE_FOR_EVER = "private, max-age=31536000, immutable"
PUBLIC_FOR_EVER = "public, max-age=31536000, immutable"

TimeoutMs = Annotated[int, msgspec.Meta(ge=0)]
Dimension = Annotated[int, msgspec.Meta(ge=1, le=MAX_DIMENSION)]


class DownloadQuery(msgspec.Struct):
    """How long to wait for an upload that is announced, in milliseconds."""

    timeout_ms: TimeoutMs = 20_000


class ThumbnailQuery(msgspec.Struct):
    """The size that is wanted, in pixels, and how to get there."""

    width: Dimension
    height: Dimension
    method: Literal["crop", "scale"] = "scale"
    animated: bool = False
    timeout_ms: TimeoutMs = 20_000


class UploadSize(msgspec.Struct):
    """What a client should know before it uploads."""

    size: int = msgspec.field(name="m.upload.size")


class MediaAnswers:
    """Sends media and thumbnails; to those without an access token only if `public`, else nothing is found there."""

    def __init__(self, downloads: Downloads, thumbnails: Thumbnails, files: ContentFiles, *, public: bool) -> None:
        self._public = public
        self._downloads = downloads
        self._thumbnails = thumbnails
        self._files = files

    async def download(
        self, request: Request, server_name: str, media_id: str, query: DownloadQuery, name: str | None, *, public: bool
    ) -> Response:
        """The file, under `name` or the one it was uploaded with."""
        media = await self._media(server_name, media_id, query.timeout_ms, public)
        headers = _headers(media.content_type, media.filename if name is None else name, public=public)
        path = self._files.content_path(media.sha256)
        try:
            return await send_file(request, FileToSend(path, media.size, media.sha256.hex(), headers))
        except FileNotFoundError as error:
            raise NotFound("The file is gone") from error

    async def thumbnail(
        self, request: Request, server_name: str, media_id: str, query: ThumbnailQuery, *, public: bool
    ) -> Response:
        """A thumbnail of the image; made again where its file is gone."""
        media = await self._media(server_name, media_id, query.timeout_ms, public)
        for _ in range(2):
            made = await self._thumbnails.thumbnail(
                media, query.width, query.height, query.method, animated=query.animated
            )
            name = f"thumbnail.{made.content_type.rpartition('/')[2]}"
            headers = _headers(made.content_type, name, public=public)
            try:
                return await send_file(request, FileToSend(made.path, made.size, made.etag, headers))
            except FileNotFoundError:
                await self._thumbnails.forget(media)
        raise NotFound("The file is gone")

    async def _media(self, server_name: str, media_id: str, timeout_ms: int, public: bool) -> StoredMedia:
        if public and not self._public:
            raise NotFound("Media is served to users who have signed in: use /_matrix/client/v1/media")
        # Who has not signed in cannot make this server fetch and keep another server's files.
        return await self._downloads.media(server_name, media_id, timeout_ms=timeout_ms, allow_remote=not public)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """The request's body as it arrives. Raises MatrixError where it breaks off."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.raw.transport is not None:
        request.raw.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async for chunk in request.stream.iter_any():
            yield chunk
    except HttpProcessingError as error:
        raise MatrixError("The upload is not well-formed HTTP") from error


def _headers(content_type: str, filename: str | None, *, public: bool) -> dict[str, str]:
    return {
        **SAFE_HEADERS,
        "Content-Type": content_type,
        "Content-Disposition": content_disposition(content_type, filename),
        "Cache-Control": PUBLIC_FOR_EVER if public else PRIVATE_FOR_EVER,
    }
