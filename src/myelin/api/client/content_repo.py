"""Uploads, and the old addresses of media (spec: content-repo.yaml)."""

import msgspec

from myelin.api.client.media_answers import DownloadQuery, MediaAnswers, ThumbnailQuery, UploadSize, chunks
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty, Response
from myelin.services.media.incoming import Upload
from myelin.services.media.uploads import Uploads

endpoints = Endpoints(group="media")


class UploadQuery(msgspec.Struct):
    """The file's name."""

    filename: str | None = None


class Uploaded(msgspec.Struct):
    """Where the file is."""

    content_uri: str


class Created(msgspec.Struct):
    """Where the file will be, and until when it may be uploaded."""

    content_uri: str
    unused_expires_at: int


@endpoints.endpoint("POST /_matrix/media/v3/upload", also=("/_matrix/media/v1/upload",), limit="media")
async def upload_content(requester: Requester, request: Request, uploads: Uploads, query: UploadQuery) -> Uploaded:
    """Upload a file."""
    uploads.check_size(request.raw.content_length)
    upload = Upload.from_client(chunks(request), request.headers.get("Content-Type"), query.filename)
    return Uploaded(await uploads.upload(requester.user_id, upload))


@endpoints.endpoint("POST /_matrix/media/v1/create", limit="media_create", body_optional=True)
async def create_content(requester: Requester, uploads: Uploads) -> Created:
    """Reserve a media ID to upload to later."""
    reserved = await uploads.reserve(requester.user_id)
    return Created(reserved.content_uri, reserved.unused_expires_at)


@endpoints.endpoint("PUT /_matrix/media/v3/upload/{server_name}/{media_id}", limit="media")
async def upload_content_to_mxc(
    requester: Requester, request: Request, uploads: Uploads, server_name: str, media_id: str, query: UploadQuery
) -> Empty:
    """Upload a file to a media ID reserved before."""
    uploads.check_size(request.raw.content_length)
    upload = Upload.from_client(chunks(request), request.headers.get("Content-Type"), query.filename)
    await uploads.fill(requester.user_id, server_name, media_id, upload)
    return Empty()


@endpoints.endpoint("GET /_matrix/media/v3/config", also=("/_matrix/media/v1/config",), auth=Auth.GUEST)
async def get_config(uploads: Uploads) -> UploadSize:
    """How large an upload may be."""
    return UploadSize(uploads.max_size)


@endpoints.endpoint(
    "GET /_matrix/media/v3/download/{server_name}/{media_id}",
    also=("/_matrix/media/v1/download/{server_name}/{media_id}",),
    auth=Auth.NONE,
)
async def get_content(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, query: DownloadQuery
) -> Response:
    """Download a file without an access token."""
    return await answers.download(request, server_name, media_id, query, None, public=True)


@endpoints.endpoint(
    "GET /_matrix/media/v3/download/{server_name}/{media_id}/{file_name}",
    also=("/_matrix/media/v1/download/{server_name}/{media_id}/{file_name}",),
    auth=Auth.NONE,
)
async def get_content_override_name(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, file_name: str, query: DownloadQuery
) -> Response:
    """Download a file under another name without an access token."""
    return await answers.download(request, server_name, media_id, query, file_name, public=True)


@endpoints.endpoint(
    "GET /_matrix/media/v3/thumbnail/{server_name}/{media_id}",
    also=("/_matrix/media/v1/thumbnail/{server_name}/{media_id}",),
    auth=Auth.NONE,
)
async def get_content_thumbnail(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, query: ThumbnailQuery
) -> Response:
    """Download a smaller version of an image without an access token."""
    return await answers.thumbnail(request, server_name, media_id, query, public=True)
