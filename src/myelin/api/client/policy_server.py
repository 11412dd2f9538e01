"""The key of a policy server under this name (spec: policy_server.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.discovery import Discovery

endpoints = Endpoints(group="well_known", auth=Auth.NONE)


@endpoints.endpoint("GET /.well-known/matrix/policy_server")
async def get_wellknown_policy(discovery: Discovery) -> dict[str, Any]:
    """Tell rooms with which key the policy server signs."""
    return discovery.policy_server_file()
