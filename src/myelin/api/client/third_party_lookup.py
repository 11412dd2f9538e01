"""Look-ups on other networks (spec: third_party_lookup.yaml)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.services.directory.third_parties import ThirdParties

endpoints = Endpoints(group="third_party")


class AliasQuery(msgspec.Struct, frozen=True):
    """Which room."""

    alias: str


class UserQuery(msgspec.Struct, frozen=True):
    """Which user."""

    userid: str


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/protocols")
async def get_protocols(networks: ThirdParties) -> dict[str, Mapping[str, Any]]:
    """List the kinds of networks that this server bridges to."""
    return await networks.protocols()


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/protocol/{protocol}")
async def get_protocol_metadata(networks: ThirdParties, protocol: str) -> Mapping[str, Any]:
    """Show one kind of network."""
    return await networks.protocol(protocol)


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/location/{protocol}")
async def query_location_by_protocol(
    networks: ThirdParties, request: Request, protocol: str
) -> list[Mapping[str, Any]]:
    """Find rooms of a place on a network."""
    return await networks.locations(protocol, _fields(request))


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/user/{protocol}")
async def query_user_by_protocol(networks: ThirdParties, request: Request, protocol: str) -> list[Mapping[str, Any]]:
    """Find Matrix users of somebody on a network."""
    return await networks.users(protocol, _fields(request))


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/location")
async def query_location_by_alias(networks: ThirdParties, query: AliasQuery) -> list[Mapping[str, Any]]:
    """Find places on networks of a room."""
    return await networks.locations_of(query.alias)


@endpoints.endpoint("GET /_matrix/client/v3/thirdparty/user", name="query_user_by_id")
async def query_user_by_id(networks: ThirdParties, query: UserQuery) -> list[Mapping[str, Any]]:
    """Find whom on a network a Matrix user stands for."""
    return await networks.users_of(query.userid)


def _fields(request: Request) -> dict[str, str]:
    """What identifies the place or person: every query parameter but the token."""
    return {name: value for name, value in request.query.items() if name != "access_token"}
