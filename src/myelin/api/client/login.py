"""Sign in (spec: login.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.matrix.errors import MatrixError
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.sessions import NewDevice, SignedIn
from myelin.services.appservices.accounts import LOGIN_TYPE, AppserviceAccounts

endpoints = Endpoints(group="login", auth=Auth.NONE)


class LoginBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who signs in, and how."""

    type: str
    identifier: dict[str, Any] | None = None
    user: str | None = None
    password: str | None = None
    token: str | None = None
    device_id: str | None = None
    initial_device_display_name: str | None = None
    refresh_token: bool = False

    def device(self) -> NewDevice:
        """The device to sign in."""
        return NewDevice(self.device_id, self.initial_device_display_name, self.refresh_token)

    def names(self) -> dict[str, Any]:
        """The fields that say who it is."""
        named = {"identifier": self.identifier, "user": self.user}
        return {name: value for name, value in named.items() if value is not None}


class LoggedIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session."""

    user_id: str
    access_token: str
    device_id: str
    home_server: str
    refresh_token: str | None = None
    expires_in_ms: int | None = None


class LoginFlow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A way to sign in."""

    type: str
    get_login_token: bool = False


class LoginFlows(msgspec.Struct, frozen=True):
    """The ways to sign in."""

    flows: tuple[LoginFlow, ...]


FLOWS = LoginFlows(
    (LoginFlow("m.login.password"), LoginFlow("m.login.token", get_login_token=True), LoginFlow(LOGIN_TYPE))
)


@endpoints.endpoint("GET /_matrix/client/v3/login", limit="general")
async def get_login_flows() -> LoginFlows:
    """Say how users can sign in."""
    return FLOWS


@endpoints.endpoint("POST /_matrix/client/v3/login", limit="login_address")
async def login(
    request: Request, login_service: LoginService, appservices: AppserviceAccounts, body: LoginBody
) -> LoggedIn:
    """Sign in."""
    if body.type == "m.login.password":
        return _logged_in(await login_service.with_password(body.names(), body.password, body.device()))
    if body.type == "m.login.token":
        return _logged_in(await login_service.with_token(body.token, body.device()))
    if body.type == LOGIN_TYPE:
        by = appservices.of_request(request)
        return _logged_in(await appservices.sign_in(by, body.names(), body.device()))
    raise MatrixError("This type of login is not supported", errcode="M_UNKNOWN")


def _logged_in(made: SignedIn) -> LoggedIn:
    tokens = made.tokens
    return LoggedIn(
        made.user_id,
        tokens.access_token,
        made.device_id,
        made.user_id.partition(":")[2],
        tokens.refresh_token,
        tokens.expires_in_ms,
    )
