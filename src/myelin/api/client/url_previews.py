"""Previews of URLs (spec: authed-content-repo.yaml and content-repo.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import JsonBytes
from myelin.services.previews.previews import Previews

endpoints = Endpoints(group="media")


class PreviewQuery(msgspec.Struct):
    """The URL; previews are always the newest there are, whatever `ts` asks for."""

    url: str
    ts: int | None = None


@endpoints.endpoint(
    "GET /_matrix/client/v1/media/preview_url",
    also=("/_matrix/client/unstable/org.matrix.msc3916/media/preview_url",),
    limit="url_previews",
)
async def get_url_preview_authed(requester: Requester, previews: Previews, query: PreviewQuery) -> JsonBytes:  # noqa: ARG001  (who has signed in may ask)
    """Say what a URL leads to."""
    return JsonBytes(await previews.preview(query.url))


@endpoints.endpoint("GET /_matrix/media/v3/preview_url", also=("/_matrix/media/v1/preview_url",), limit="url_previews")
async def get_url_preview(requester: Requester, previews: Previews, query: PreviewQuery) -> JsonBytes:  # noqa: ARG001  (who has signed in may ask)
    """Say what a URL leads to, at the old address."""
    return JsonBytes(await previews.preview(query.url))
