"""Questions about users and aliases of this server (spec: server-server query.yaml)."""

from collections.abc import Mapping
from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.matrix.errors import InvalidParam, Unrecognized
from myelin.services.accounts.profiles import ProfileService
from myelin.services.rooms.aliases import RoomAliases

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class ProfileQuery(msgspec.Struct, frozen=True):
    """Whose profile, and which field of it."""

    user_id: str
    field: str | None = None


class DirectoryQuery(msgspec.Struct, frozen=True):
    """Which alias."""

    room_alias: str


class AliasTarget(msgspec.Struct, frozen=True):
    """Where an alias points to, and servers that are in the room."""

    room_id: str
    servers: tuple[str, ...]


@endpoints.endpoint("GET /_matrix/federation/v1/query/profile")
async def query_profile(profiles: ProfileService, query: ProfileQuery) -> Mapping[str, Any]:
    """Show the profile of a user of this server."""
    if not profiles.is_ours(query.user_id):
        raise InvalidParam("The user does not belong to this server")
    if query.field is None:
        return await profiles.profile(query.user_id)
    return {query.field: await profiles.field(query.user_id, query.field)}


@endpoints.endpoint("GET /_matrix/federation/v1/query/directory")
async def query_room_directory(aliases: RoomAliases, query: DirectoryQuery) -> AliasTarget:
    """Say where an alias of this server points to."""
    found = await aliases.resolve_own(query.room_alias)
    return AliasTarget(found.room_id, found.servers)


@endpoints.endpoint("GET /_matrix/federation/v1/query/{query_type}")
async def query_info(query_type: str) -> Mapping[str, Any]:
    """Refuse questions that nobody has defined."""
    raise Unrecognized(f"This server knows no query {query_type[:64]}", status=404)
