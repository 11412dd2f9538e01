"""OpenID tokens (spec: openid.yaml)."""

import msgspec

from myelin.api.client.own import check_own
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.accounts.openid import OpenIdService

endpoints = Endpoints(group="accounts")


class OpenIdToken(msgspec.Struct, frozen=True):
    """Something to show to a third party."""

    access_token: str
    expires_in: int
    matrix_server_name: str
    token_type: str = "Bearer"  # noqa: S105  (the type's name)


@endpoints.endpoint(
    "POST /_matrix/client/v3/user/{user_id}/openid/request_token",
    limit="general",
    shard_by="user_id",
    body_optional=True,
    name="request_open_id_token",
)
async def request_open_id_token(requester: Requester, openid: OpenIdService, user_id: str) -> OpenIdToken:
    """Make a token that proves to a third party who the user is."""
    check_own(requester, user_id)
    token, lifetime_s = await openid.new_token(user_id)
    return OpenIdToken(token, lifetime_s, user_id.partition(":")[2])
