"""Room aliases (spec: directory.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.directory.ports import Resolved
from myelin.services.rooms.aliases import RoomAliases

endpoints = Endpoints(group="directory")


class AliasBody(msgspec.Struct, frozen=True):
    """Where an alias is to point to."""

    room_id: str


class AliasTarget(msgspec.Struct, frozen=True):
    """Where an alias points to, and servers that are in the room."""

    room_id: str
    servers: tuple[str, ...]


class AliasList(msgspec.Struct, frozen=True):
    """Aliases of one room."""

    aliases: list[str]


@endpoints.endpoint("PUT /_matrix/client/v3/directory/room/{room_alias}", limit="aliases", unless_suspended=True)
async def set_room_alias(requester: Requester, aliases: RoomAliases, room_alias: str, body: AliasBody) -> Empty:
    """Make an alias."""
    await aliases.create(requester, room_alias, body.room_id)
    return Empty()


@endpoints.endpoint("GET /_matrix/client/v3/directory/room/{room_alias}", auth=Auth.NONE, limit="general")
async def get_room_id_by_alias(aliases: RoomAliases, room_alias: str) -> AliasTarget:
    """Say where an alias points to."""
    found: Resolved = await aliases.resolve(room_alias)
    return AliasTarget(found.room_id, found.servers)


@endpoints.endpoint("DELETE /_matrix/client/v3/directory/room/{room_alias}", limit="aliases", unless_suspended=True)
async def delete_room_alias(requester: Requester, aliases: RoomAliases, room_alias: str) -> Empty:
    """Remove an alias."""
    await aliases.delete(requester, room_alias)
    return Empty()


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/aliases", limit="general", shard_by="room_id")
async def get_local_aliases(requester: Requester, aliases: RoomAliases, room_id: str) -> AliasList:
    """Name the aliases of this server that point to a room."""
    return AliasList(await aliases.of_room(requester.user_id, room_id))
