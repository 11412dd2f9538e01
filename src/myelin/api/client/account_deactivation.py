"""End an account (spec: account_deactivation.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.bodies import read
from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.accounts.accounts import AccountService
from myelin.services.accounts.contacts import Contacts
from myelin.services.accounts.uia import InteractiveAuth, Operation
from myelin.services.identity.bindings import Bindings

endpoints = Endpoints(group="accounts")


class DeactivateBody(msgspec.Struct, frozen=True):
    """Whether what the user wrote is to be hidden, and an identity server that knows an address of theirs."""

    erase: bool = False
    id_server: str | None = None


class Deactivated(msgspec.Struct, frozen=True):
    """Whether all addresses were taken back from identity servers."""

    id_server_unbind_result: str = "success"


@endpoints.endpoint("POST /_matrix/client/v3/account/deactivate", limit="general", body_optional=True)
async def deactivate_account(
    request: Request,
    requester: Requester,
    uia: InteractiveAuth,
    accounts: AccountService,
    contacts: Contacts,
    bindings: Bindings,
    body: dict[str, Any],
) -> Deactivated:
    """End the user's account for good."""
    if requester.appservice_id is None:
        operation = Operation(
            "POST", "/account/deactivate", request.client_address, requester.user_id, requester.oauth_client
        )
        body = dict((await uia.confirm(operation, body)).body)
    wanted = read(DeactivateBody, body)
    addresses = [(known.medium, known.address) for known in await contacts.of(requester.user_id)]
    is_unbound = await bindings.unbind_all(requester.user_id, wanted.id_server, addresses)
    await accounts.deactivate(requester.user_id, erase=wanted.erase)
    return Deactivated("success" if is_unbound else "no-support")
