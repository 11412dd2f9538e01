"""Change the password (spec: password_management.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.accounts.accounts import AccountService
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
