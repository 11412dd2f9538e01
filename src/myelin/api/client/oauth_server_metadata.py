"""The authorization server (spec: oauth_server_metadata.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.errors import Unrecognized
from myelin.services.accounts.discovery import Discovery

endpoints = Endpoints(group="login", auth=Auth.NONE)


@endpoints.endpoint(
    "GET /_matrix/client/v1/auth_metadata", also=("/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",)
)
async def get_auth_metadata(discovery: Discovery) -> dict[str, Any]:
    """Tell clients where the OAuth 2.0 API is, or that there is none, in the way that the spec has for it."""
    if discovery.auth_metadata is not None:
        return discovery.auth_metadata
    raise Unrecognized("This server does not offer the OAuth 2.0 API", status=404)
