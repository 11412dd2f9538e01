"""Media for who has signed in (spec: authed-content-repo.yaml)."""

from myelin.api.client.media_answers import DownloadQuery, MediaAnswers, ThumbnailQuery, UploadSize
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response
from myelin.services.media.uploads import Uploads

endpoints = Endpoints(group="media", auth=Auth.GUEST)

_UNSTABLE = "/_matrix/client/unstable/org.matrix.msc3916/media/"


@endpoints.endpoint(
    "GET /_matrix/client/v1/media/download/{server_name}/{media_id}",
    also=(f"{_UNSTABLE}download/{{server_name}}/{{media_id}}",),
)
async def get_content_authed(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, query: DownloadQuery
) -> Response:
    """Download a file."""
    return await answers.download(request, server_name, media_id, query, None, public=False)


@endpoints.endpoint(
    "GET /_matrix/client/v1/media/download/{server_name}/{media_id}/{file_name}",
    also=(f"{_UNSTABLE}download/{{server_name}}/{{media_id}}/{{file_name}}",),
)
async def get_content_override_name_authed(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, file_name: str, query: DownloadQuery
) -> Response:
    """Download a file under another name."""
    return await answers.download(request, server_name, media_id, query, file_name, public=False)


@endpoints.endpoint(
    "GET /_matrix/client/v1/media/thumbnail/{server_name}/{media_id}",
    also=(f"{_UNSTABLE}thumbnail/{{server_name}}/{{media_id}}",),
)
async def get_content_thumbnail_authed(
    request: Request, answers: MediaAnswers, server_name: str, media_id: str, query: ThumbnailQuery
) -> Response:
    """Download a smaller version of an image."""
    return await answers.thumbnail(request, server_name, media_id, query, public=False)


@endpoints.endpoint("GET /_matrix/client/v1/media/config", also=(f"{_UNSTABLE}config",))
async def get_config_authed(uploads: Uploads) -> UploadSize:
    """How large an upload may be."""
    return UploadSize(uploads.max_size)
