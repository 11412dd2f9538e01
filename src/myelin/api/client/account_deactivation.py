"""End an account (spec: account_deactivation.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.uia import InteractiveAuth, Operation

endpoints = Endpoints(group="accounts")


class DeactivateBody(msgspec.Struct, frozen=True):
    """Whether what the user wrote is to be hidden."""

    erase: bool = False


class Deactivated(msgspec.Struct, frozen=True):
    """There were no identifiers at an identity server."""

    id_server_unbind_result: str = "success"


@endpoints.endpoint("POST /_matrix/client/v3/account/deactivate", limit="general", body_optional=True)
async def deactivate_account(
    request: Request, requester: Requester, uia: InteractiveAuth, accounts: AccountService, body: dict[str, Any]
) -> Deactivated:
    """End the user's account for good."""
    if requester.appservice_id is None:
        operation = Operation(
            "POST", "/account/deactivate", request.client_address, requester.user_id, requester.oauth_client
        )
        body = dict((await uia.confirm(operation, body)).body)
    wanted = read(DeactivateBody, body)
    await accounts.deactivate(requester.user_id, erase=wanted.erase)
    return Deactivated()
