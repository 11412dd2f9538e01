"""Sign in (spec: login.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.matrix.errors import MatrixError
from myelin.services.accounts.login import LoginService
from myelin.services.accounts.sessions import NewDevice, SignedIn
from myelin.services.appservices.accounts import LOGIN_TYPE, AppserviceAccounts
from myelin.services.sso.cas import PROVIDER_ID as CAS
from myelin.services.sso.ports import UpstreamProviders

endpoints = Endpoints(group="login", auth=Auth.NONE)


class LoginBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who signs in, and how."""

    type: str
    identifier: dict[str, Any] | None = None
    user: str | None = None
    medium: str | None = None
    address: str | None = None
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
        identifier = self.identifier
        if identifier is None and self.medium is not None:
            # As clients said it before there were identifiers.
            identifier = {"type": "m.id.thirdparty", "medium": self.medium, "address": self.address}
        named = {"identifier": identifier, "user": self.user}
        return {name: value for name, value in named.items() if value is not None}


class LoggedIn(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session."""

    user_id: str
    access_token: str
    device_id: str
    home_server: str
    refresh_token: str | None = None
    expires_in_ms: int | None = None


class ProviderToChoose(msgspec.Struct, frozen=True, omit_defaults=True):
    """A place to sign in at, as clients show it."""

    id: str
    name: str
    icon: str = ""
    brand: str = ""


class LoginFlow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A way to sign in."""

    type: str
    get_login_token: bool = False
    identity_providers: tuple[ProviderToChoose, ...] = ()


class LoginFlows(msgspec.Struct, frozen=True):
    """The ways to sign in."""

    flows: tuple[LoginFlow, ...]


FLOWS = (LoginFlow("m.login.password"), LoginFlow("m.login.token", get_login_token=True), LoginFlow(LOGIN_TYPE))


@endpoints.endpoint("GET /_matrix/client/v3/login", limit="general")
async def get_login_flows(providers: UpstreamProviders) -> LoginFlows:
    """Say how users can sign in."""
    if not providers:
        return LoginFlows(FLOWS)
    offered = tuple(ProviderToChoose(p.provider_id, p.name, p.icon, p.brand) for p in providers)
    elsewhere = [LoginFlow("m.login.sso", identity_providers=offered)]
    if providers.named(CAS) is not None:
        # As clients of before m.login.sso know it.
        elsewhere.append(LoginFlow("m.login.cas"))
    return LoginFlows((*elsewhere, *FLOWS))


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
