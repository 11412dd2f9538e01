"""Change the password (spec: password_management.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.api.client.token_requests import EmailToken, MsisdnToken, Session
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.matrix.errors import MatrixError, MissingToken
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.accounts.uia_stages import PROOF_STAGES, proofs_in

endpoints = Endpoints(group="accounts")


class ChangePasswordBody(msgspec.Struct, frozen=True):
    """The new password."""

    new_password: str
    logout_devices: bool = True


@endpoints.endpoint("POST /_matrix/client/v3/account/password", auth=Auth.OPTIONAL, limit="general")
async def change_password(
    request: Request,
    requester: Requester | None,
    uia: InteractiveAuth,
    accounts: AccountService,
    contacts: Contacts,
    body: dict[str, Any],
) -> Empty:
    """Set another password for the user, or for who proves to have their mail address or phone number."""
    if requester is None:
        return await _reset_password(request, uia, accounts, contacts, body)
    if requester.is_guest:
        raise MatrixError("Guests may not do this", errcode="M_GUEST_ACCESS_FORBIDDEN")
    operation = Operation(
        "POST", "/account/password", request.client_address, requester.user_id, requester.oauth_client
    )
    wanted = read(ChangePasswordBody, (await uia.confirm(operation, body)).body)
    await accounts.change_password(
        requester.user_id,
        wanted.new_password,
        logout_devices=wanted.logout_devices,
        keep_device=requester.device_id,
    )
    return Empty()


async def _reset_password(
    request: Request, uia: InteractiveAuth, accounts: AccountService, contacts: Contacts, body: dict[str, Any]
) -> Empty:
    if not contacts.media:
        raise MissingToken("Missing access token")
    operation = Operation("POST", "/account/password", request.client_address)
    flows = [[stage] for stage, medium in PROOF_STAGES.items() if medium in contacts.media]
    passed = await uia.check(operation, body, flows)
    wanted = read(ChangePasswordBody, passed.body)
    await accounts.check_new_password(wanted.new_password)
    user_id = await contacts.user_to_reset(*next(iter(proofs_in(passed.results).items())))
    await accounts.change_password(user_id, wanted.new_password, logout_devices=wanted.logout_devices)
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/account/password/email/requestToken", auth=Auth.NONE, limit="registration")
async def request_token_to_reset_password_email(contacts: Contacts, body: EmailToken) -> Session:
    """Prove a mail address, to set another password."""
    return Session(
        await contacts.begin_validation("password", body.email, body.client_secret, body.send_attempt, body.next_link)
    )


@endpoints.endpoint(
    "POST /_matrix/client/v3/account/password/msisdn/requestToken", auth=Auth.NONE, limit="registration"
)
async def request_token_to_reset_password_msisdn(contacts: Contacts, body: MsisdnToken) -> Session:
    """Prove a phone number, to set another password."""
    return Session(
        *await contacts.begin_phone_validation(
            "password", body.country, body.phone_number, body.client_secret, body.send_attempt
        )
    )
