"""The list of public rooms (spec: list_public_rooms.yaml)."""

from typing import Literal

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.directory.listing import EVERYTHING, Page, RoomFilter
from myelin.services.directory.networks import Networks
from myelin.services.directory.public_rooms import PublicRooms
from myelin.services.rooms.aliases import RoomAliases

endpoints = Endpoints(group="directory")


class ListQuery(msgspec.Struct, frozen=True):
    """Which part of whose list."""

    limit: int | None = None
    since: str | None = None
    server: str | None = None


class ServerQuery(msgspec.Struct, frozen=True):
    """Whose list."""

    server: str | None = None


class ListBody(Networks, frozen=True):
    """Which rooms of which lists."""

    limit: int | None = None
    since: str | None = None
    filter: RoomFilter | None = None


class VisibilityBody(msgspec.Struct, frozen=True):
    """Whether a room is on the list."""

    visibility: Literal["private", "public"] = "public"


@endpoints.endpoint("GET /_matrix/client/v3/publicRooms", auth=Auth.OPTIONAL, limit="general")
async def get_public_rooms(requester: Requester | None, rooms: PublicRooms, query: ListQuery) -> Page:
    """List public rooms."""
    rooms.check_may_list(is_signed_in=requester is not None, server=query.server)
    return await rooms.page_of(query.server, limit=query.limit, since=query.since)


@endpoints.endpoint("POST /_matrix/client/v3/publicRooms", limit="general", body_optional=True)
async def query_public_rooms(rooms: PublicRooms, query: ServerQuery, body: ListBody) -> Page:
    """Search public rooms."""
    rooms.check_may_list(is_signed_in=True, server=query.server)
    wanted = body.filter or EVERYTHING
    return await rooms.page_of(query.server, limit=body.limit, since=body.since, wanted=wanted, networks=body)


@endpoints.endpoint("GET /_matrix/client/v3/directory/list/room/{room_id}", auth=Auth.NONE, limit="general")
async def get_room_visibility_on_directory(aliases: RoomAliases, room_id: str) -> VisibilityBody:
    """Say whether a room is on the list."""
    return VisibilityBody("public" if await aliases.is_published(room_id) else "private")


@endpoints.endpoint(
    "PUT /_matrix/client/v3/directory/list/room/{room_id}",
    limit="aliases",
    body_optional=True,
    unless_suspended=True,
)
async def set_room_visibility_on_directory(
    requester: Requester, aliases: RoomAliases, room_id: str, body: VisibilityBody
) -> Empty:
    """Put a room on the list, or take it off."""
    await aliases.publish(requester, room_id, is_public=body.visibility == "public")
    return Empty()
