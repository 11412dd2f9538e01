"""Contact addresses of an account (spec: administrative_contact.yaml)."""

from typing import Any

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester

endpoints = Endpoints(group="accounts")


@endpoints.endpoint("GET /_matrix/client/v3/account/3pid", name="get_account_3pids")
async def get_account_3pids(requester: Requester) -> dict[str, list[Any]]:  # noqa: ARG001  (the endpoint needs a user)
    """List the account's mail addresses and phone numbers: this server keeps none."""
    return {"threepids": []}
