"""Rooms at a glance (spec: room_summary.yaml)."""

from myelin.api.client.joining import via
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.request import Request
from myelin.http.requester import Requester
from myelin.services.rooms.addresses import RoomAddresses
from myelin.services.rooms.summary import Summaries
from myelin.services.rooms.summary_fields import RoomSummary

endpoints = Endpoints(group="rooms")


@endpoints.endpoint(
    "GET /_matrix/client/v1/room_summary/{room_id_or_alias}",
    also=(
        "/_matrix/client/unstable/im.nheko.summary/summary/{room_id_or_alias}",
        "/_matrix/client/unstable/im.nheko.summary/rooms/{room_id_or_alias}/summary",
    ),
    auth=Auth.OPTIONAL,
    limit="general",
)
async def get_room_summary(
    requester: Requester | None,
    addresses: RoomAddresses,
    summaries: Summaries,
    request: Request,
    room_id_or_alias: str,
) -> RoomSummary:
    """Show a room to somebody who may want to join it."""
    found = await addresses.resolve(room_id_or_alias, via(request))
    return await summaries.summary(requester.user_id if requester else None, found.room_id, found.servers)
