"""Media for other servers (spec: server-server content_repository.yaml)."""

from typing import Annotated, Literal

import msgspec

from myelin.api.client.media_answers import MAX_DIMENSION
from myelin.api.server.media_parts import MediaParts
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.response import Response

endpoints = Endpoints(group="federation", auth=Auth.SERVER)

Dimension = Annotated[int, msgspec.Meta(ge=1, le=MAX_DIMENSION)]
TimeoutMs = Annotated[int, msgspec.Meta(ge=0)]


class ContentQuery(msgspec.Struct, frozen=True):
    """How long to wait for an upload that is announced, in milliseconds."""

    timeout_ms: TimeoutMs = 20_000


class ContentThumbnailQuery(msgspec.Struct, frozen=True):
    """The size that is wanted, in pixels."""

    width: Dimension
    height: Dimension
    method: Literal["crop", "scale"] = "scale"
    animated: bool = False
    timeout_ms: TimeoutMs = 20_000


@endpoints.endpoint("GET /_matrix/federation/v1/media/download/{media_id}", name="federation_get_content")
async def get_content(request: Request, parts: MediaParts, media_id: str, query: ContentQuery) -> Response:
    """Give a file that was uploaded here."""
    return await parts.download(request, media_id, query.timeout_ms)


@endpoints.endpoint("GET /_matrix/federation/v1/media/thumbnail/{media_id}", name="federation_get_content_thumbnail")
async def get_content_thumbnail(
    request: Request, parts: MediaParts, media_id: str, query: ContentThumbnailQuery
) -> Response:
    """Give a smaller version of an image that was uploaded here."""
    return await parts.thumbnail(
        request, media_id, (query.width, query.height, query.method), query.timeout_ms, animated=query.animated
    )
