"""Whose OpenID token it is (spec: server-server openid.yaml); widgets and services ask without being servers."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.errors import MissingToken, UnknownToken
from myelin.services.accounts.openid import OpenIdService

endpoints = Endpoints(group="accounts", auth=Auth.NONE)


class UserInfoQuery(msgspec.Struct, frozen=True):
    """The token to exchange."""

    access_token: str | None = None


class UserInfo(msgspec.Struct, frozen=True):
    """Who made the token."""

    sub: str


@endpoints.endpoint("GET /_matrix/federation/v1/openid/userinfo", limit="general", name="exchange_open_id_token")
async def exchange_open_id_token(openid: OpenIdService, query: UserInfoQuery) -> UserInfo:
    """Say whose token it is."""
    if query.access_token is None:
        raise MissingToken("access_token is missing")
    user_id = await openid.user_id(query.access_token)
    if user_id is None:
        raise UnknownToken("The token is not known, or has expired")
    return UserInfo(user_id)
