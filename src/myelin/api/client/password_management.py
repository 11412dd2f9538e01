"""Change the password (spec: password_management.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.api.client.token_requests import EmailToken, MsisdnToken
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.uia import InteractiveAuth, Operation

endpoints = Endpoints(group="accounts")


class ChangePasswordBody(msgspec.Struct, frozen=True):
    """The new password."""

    new_password: str
    logout_devices: bool = True


@endpoints.endpoint("POST /_matrix/client/v3/account/password", limit="general")
async def change_password(
    request: Request, requester: Requester, uia: InteractiveAuth, accounts: AccountService, body: dict[str, Any]
) -> Empty:
    """Set another password for the user."""
    operation = Operation("POST", "/account/password", request.client_address, requester.user_id)
    wanted = read(ChangePasswordBody, (await uia.confirm(operation, body)).body)
    await accounts.change_password(
        requester.user_id,
        wanted.new_password,
        logout_devices=wanted.logout_devices,
        keep_device=requester.device_id,
    )
    return Empty()


@endpoints.endpoint("POST /_matrix/client/v3/account/password/email/requestToken", auth=Auth.NONE, limit="registration")
async def request_token_to_reset_password_email(contacts: Contacts, body: EmailToken) -> Empty:
    """Prove a mail address, to set another password."""
    contacts.begin_validation("email", body.client_secret)
    return Empty()


@endpoints.endpoint(
    "POST /_matrix/client/v3/account/password/msisdn/requestToken", auth=Auth.NONE, limit="registration"
)
async def request_token_to_reset_password_msisdn(contacts: Contacts, body: MsisdnToken) -> Empty:
    """Prove a phone number, to set another password."""
    contacts.begin_validation("msisdn", body.client_secret)
    return Empty()
