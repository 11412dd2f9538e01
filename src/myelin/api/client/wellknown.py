"""Where the server is found (spec: wellknown.yaml, support.yaml; server-server wellknown.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.accounts.discovery import Discovery

endpoints = Endpoints(group="well_known", auth=Auth.NONE)


@endpoints.endpoint("GET /.well-known/matrix/client")
async def get_wellknown(discovery: Discovery) -> dict[str, Any]:
    """Tell clients where this server is."""
    return discovery.client_file()


@endpoints.endpoint("GET /.well-known/matrix/server", name="get_server_wellknown")
async def get_server_wellknown(discovery: Discovery) -> dict[str, str]:
    """Tell other servers where this one is."""
    return discovery.server_file()


@endpoints.endpoint("GET /.well-known/matrix/support")
async def get_wellknown_support(discovery: Discovery) -> dict[str, Any]:
    """Tell people whom to ask."""
    return discovery.support_file()
