"""The authorization server (spec: oauth_server_metadata.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.errors import Unrecognized

endpoints = Endpoints(group="login", auth=Auth.NONE)


@endpoints.endpoint(
    "GET /_matrix/client/v1/auth_metadata", also=("/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",)
)
async def get_auth_metadata() -> dict[str, Any]:
    """Tell clients that this server has no OAuth 2.0 API, in the way that the spec has for it."""
    raise Unrecognized("This server does not offer the OAuth 2.0 API", status=404)
