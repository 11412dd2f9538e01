"""Contact addresses of an account (spec: administrative_contact.yaml)."""

from typing import Any, Literal

import msgspec

from myelin.api.client.bodies import read
from myelin.api.client.token_requests import EmailToken, MsisdnToken, Session
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MatrixError
from myelin.services.accounts.contacts import Contacts, check_client_secret
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.identity.bindings import Bindings

endpoints = Endpoints(group="accounts")

UNSTABLE_BIND = ("/_matrix/client/unstable/account/3pid/bind",)
UNSTABLE_UNBIND = ("/_matrix/client/unstable/account/3pid/unbind",)
"""Where these were before they had a version."""


class Bind(msgspec.Struct, frozen=True):
    """An address that was proven to an identity server."""

    client_secret: str
    id_server: str
    id_access_token: str
    sid: str


class LegacyBind(msgspec.Struct, frozen=True):
    """The same, as older clients say it."""

    three_pid_creds: Bind


class Add(msgspec.Struct, frozen=True):
    """An address that was proven to this server."""

    client_secret: str
    sid: str


class Address(msgspec.Struct, frozen=True):
    """An address of the account, and since when; times in milliseconds."""

    address: str
    medium: str
    validated_at: int
    added_at: int


class Removal(msgspec.Struct, frozen=True):
    """Which address to remove."""

    medium: Literal["email", "msisdn"]
    address: str
    id_server: str | None = None


class Removed(msgspec.Struct, frozen=True):
    """Whether an identity server forgot the address too."""

    id_server_unbind_result: str = "no-support"


@endpoints.endpoint("GET /_matrix/client/v3/account/3pid", name="get_account_3pids")
async def get_account_3pids(requester: Requester, contacts: Contacts) -> dict[str, list[Address]]:
    """List the account's mail addresses."""
    known = await contacts.of(requester.user_id)
    return {"threepids": [Address(a.address, a.medium, a.validated_ts, a.added_ts) for a in known]}


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid", limit="general")
async def post_3pids(requester: Requester, bindings: Bindings, body: LegacyBind) -> Empty:
    """Publish an address on an identity server."""
    return await bind_3pid(requester, bindings, body.three_pid_creds)


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/add", limit="general")
async def add_3pid(
    request: Request, requester: Requester, uia: InteractiveAuth, contacts: Contacts, body: dict[str, Any]
) -> Empty:
    """Add an address to the account."""
    operation = Operation(
        "POST", "/account/3pid/add", request.client_address, requester.user_id, requester.oauth_client
    )
    wanted = read(Add, (await uia.confirm(operation, body)).body)
    await contacts.add(requester.user_id, wanted.sid, wanted.client_secret)
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/bind", also=UNSTABLE_BIND, limit="general")
async def bind_3pid(requester: Requester, bindings: Bindings, body: Bind) -> Empty:
    """Publish an address on an identity server."""
    check_client_secret(body.client_secret)
    await bindings.bind(requester.user_id, body.id_server, body.id_access_token, body.sid, body.client_secret)
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/delete", limit="general")
async def delete_3pid_from_account(
    requester: Requester, contacts: Contacts, bindings: Bindings, body: Removal
) -> Removed:
    """Remove an address from the account, and take it back from identity servers; one that is not there is gone."""
    await contacts.remove(requester.user_id, body.medium, body.address)
    try:
        return await _unbound(requester, bindings, body)
    except MatrixError:
        # The address is gone from the account, whatever the identity server says.
        return Removed()


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/unbind", also=UNSTABLE_UNBIND, limit="general")
async def unbind_3pid_from_account(requester: Requester, bindings: Bindings, body: Removal) -> Removed:
    """Take an address back from an identity server."""
    return await _unbound(requester, bindings, body)


async def _unbound(requester: Requester, bindings: Bindings, body: Removal) -> Removed:
    is_done = await bindings.unbind(requester.user_id, body.medium, body.address, body.id_server)
    return Removed("success" if is_done else "no-support")


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/email/requestToken", auth=Auth.NONE, limit="registration")
async def request_token_to_3pid_email(contacts: Contacts, body: EmailToken) -> Session:
    """Prove a mail address, to add it."""
    return Session(
        await contacts.begin_validation("add", body.email, body.client_secret, body.send_attempt, body.next_link)
    )


@endpoints.endpoint("POST /_matrix/client/v3/account/3pid/msisdn/requestToken", auth=Auth.NONE, limit="registration")
async def request_token_to_3pid_msisdn(contacts: Contacts, body: MsisdnToken) -> Session:
    """Prove a phone number, to add it."""
    return Session(
        *await contacts.begin_phone_validation(
            "add", body.country, body.phone_number, body.client_secret, body.send_attempt
        )
    )
