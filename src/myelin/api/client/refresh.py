"""Renew access tokens (spec: refresh.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.sessions import SessionService, Tokens

endpoints = Endpoints(group="login", auth=Auth.NONE)


class RefreshBody(msgspec.Struct, frozen=True):
    """The refresh token."""

    refresh_token: str


@endpoints.endpoint("POST /_matrix/client/v3/refresh", limit="general")
async def refresh(sessions: SessionService, body: RefreshBody) -> Tokens:
    """Give a new pair of tokens for a refresh token."""
    return (await sessions.refresh(body.refresh_token)).tokens
