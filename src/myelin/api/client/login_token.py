"""A token to sign in on another device (spec: login_token.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.uia import InteractiveAuth, Operation

endpoints = Endpoints(group="login")


class LoginToken(msgspec.Struct, frozen=True):
    """The token and its lifetime."""

    login_token: str
    expires_in_ms: int


@endpoints.endpoint("POST /_matrix/client/v1/login/get_token", limit="general", body_optional=True)
async def generate_login_token(
    request: Request, requester: Requester, uia: InteractiveAuth, login_service: LoginService, body: dict[str, Any]
) -> LoginToken:
    """Make a token that signs this user in on another device."""
    operation = Operation("POST", "/login/get_token", request.client_address, requester.user_id, requester.oauth_client)
    await uia.confirm(operation, body)
    return LoginToken(*await login_service.new_token(requester.user_id))
