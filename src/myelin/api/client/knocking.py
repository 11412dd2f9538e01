"""Asking to be let in (spec: knocking.yaml)."""

import msgspec

from myelin.api.client.create_room import RoomId
from myelin.api.client.joining import via
from myelin.http.endpoint import Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.membership.joining import Entry, Joining
from myelin.services.rooms.addresses import RoomAddresses

endpoints = Endpoints(group="rooms")


class KnockBody(msgspec.Struct, frozen=True):
    """Why somebody knocks."""

    reason: str | None = None


@endpoints.endpoint(
    "POST /_matrix/client/v3/knock/{room_id_or_alias}",
    limit="joins",
    shard_by="room_id_or_alias",
    body_optional=True,
    unless_suspended=True,
)
async def knock_room(
    requester: Requester,
    joining: Joining,
    addresses: RoomAddresses,
    request: Request,
    room_id_or_alias: str,
    body: KnockBody,
) -> RoomId:
    """Ask the members of a room for an invitation."""
    found = await addresses.resolve(room_id_or_alias, via(request))
    await joining.knock(Entry(user_id=requester.user_id, reason=body.reason, via=found.servers), found.room_id)
    return RoomId(found.room_id)
