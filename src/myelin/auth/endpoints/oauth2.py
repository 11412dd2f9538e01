"""The endpoints that clients call by themselves: registration, tokens, revocation, devices, keys, discovery."""

from typing import Any

import msgspec

from myelin.auth.endpoints.answers import created, told_as_oauth
from myelin.auth.oauth2.addresses import Addresses
from myelin.auth.oauth2.client_metadata import GRANT_TYPES
from myelin.auth.oauth2.clients import Clients
from myelin.auth.oauth2.code_exchange import CodeExchange
from myelin.auth.oauth2.device_authorization import INTERVAL_S, DeviceAuthorizations
from myelin.auth.oauth2.errors import OAuthError, invalid_request
from myelin.auth.oauth2.refreshing import Refreshing
from myelin.auth.oauth2.revocation import Revocation
from myelin.auth.oauth2.server_metadata import ServerMetadata
from myelin.auth.oauth2.token_keys import TokenKeys
from myelin.auth.oauth2.user_info import UserInfo
from myelin.auth.pages.forms import read_form
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Response

endpoints = Endpoints(group="auth", auth=Auth.NONE)


class DeviceAnswer(msgspec.Struct, frozen=True):
    """RFC 8628, section 3.2; times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int = INTERVAL_S


@endpoints.endpoint(
    "GET /.well-known/openid-configuration", also=("/.well-known/oauth-authorization-server",), limit="general"
)
async def get_server_metadata(metadata: ServerMetadata) -> dict[str, Any]:
    """Tell clients what this authorization server can do."""
    return metadata.document


@endpoints.endpoint("GET /auth/oauth2/keys.json", limit="general")
async def get_keys(keys: TokenKeys) -> dict[str, Any]:
    """Publish the keys that ID tokens are signed with."""
    return await keys.published()


@endpoints.endpoint("GET /auth/oauth2/userinfo", auth=Auth.USER, limit="general", name="get_user_info")
@endpoints.endpoint("POST /auth/oauth2/userinfo", auth=Auth.USER, limit="general", name="post_user_info")
@told_as_oauth
async def get_user_info(requester: Requester, sessions: UserInfo) -> dict[str, str]:
    """Tell a client whose token it has (OpenID Connect Core, section 5.3)."""
    return await sessions.claims(requester.user_id, requester.device_id)


@endpoints.endpoint("POST /auth/oauth2/registration", limit="registration")
@told_as_oauth
async def register_client(clients: Clients, body: dict[str, Any]) -> Response:
    """Register a client, or find it again."""
    client = await clients.register(body)
    answer = {"client_id": client.client_id, "client_id_issued_at": client.created_ts // 1000}
    return created({**client.metadata.as_registered(), **answer})


@endpoints.endpoint("POST /auth/oauth2/token", limit="general")
@told_as_oauth
async def get_token(
    request: Request,
    clients: Clients,
    codes: CodeExchange,
    refreshing: Refreshing,
    devices: DeviceAuthorizations,
) -> Any:
    """Exchange a code, a refresh token or a device code for tokens."""
    form = await read_form(request)
    client = await clients.client(form.get("client_id"))
    match form.get("grant_type"):
        case "authorization_code":
            return await codes.exchange(client, form)
        case "refresh_token":
            return await refreshing.refresh(client, form)
        case "urn:ietf:params:oauth:grant-type:device_code":
            return await devices.exchange(client, form)
        case None:
            raise invalid_request("grant_type is missing")
    raise OAuthError("unsupported_grant_type", f"grant_type must be one of {', '.join(GRANT_TYPES)}")


@endpoints.endpoint("POST /auth/oauth2/revoke", limit="general")
@told_as_oauth
async def revoke_token(request: Request, revocation: Revocation) -> dict[str, Any]:
    """Sign out the device that a token belongs to, whoever shows it: it may have been found in the open."""
    token = (await read_form(request)).get("token")
    if not token:
        raise invalid_request("token is missing")
    await revocation.revoke(token)
    return {}


@endpoints.endpoint("POST /auth/oauth2/device", limit="registration")
@told_as_oauth
async def begin_device_authorization(
    request: Request, clients: Clients, devices: DeviceAuthorizations, at: Addresses
) -> DeviceAnswer:
    """Begin to sign in a device without a browser."""
    form = await read_form(request)
    client = await clients.client(form.get("client_id"))
    begun = await devices.begin(client, form, request.client_address)
    return DeviceAnswer(
        device_code=begun.device_code,
        user_code=begun.user_code,
        verification_uri=at.device,
        verification_uri_complete=f"{at.device}?user_code={begun.user_code}",
        expires_in=begun.expires_in_s,
    )
