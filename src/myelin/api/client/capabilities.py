"""Capabilities (spec: capabilities.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.accounts.discovery import Discovery

endpoints = Endpoints(group="accounts", auth=Auth.GUEST)


@endpoints.endpoint("GET /_matrix/client/v3/capabilities", limit="general")
async def get_capabilities(requester: Requester, discovery: Discovery) -> dict[str, Any]:
    """Say what the user can do here."""
    return {"capabilities": discovery.capabilities_of(is_admin=requester.is_admin)}
