"""All of one room at once (spec: room_initial_sync.yaml)."""

from typing import Any

import msgspec

from myelin.api.client.reading_queries import Limit, page_size
from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.initial_sync import RoomInitialSync
from myelin.services.rooms.viewpoint import Viewpoints

endpoints = Endpoints(group="rooms", auth=Auth.GUEST)

DEFAULT_MESSAGES = 20


class InitialSyncQuery(msgspec.Struct, frozen=True):
    """Query parameters of `GET /initialSync`."""

    limit: Limit = DEFAULT_MESSAGES


@endpoints.endpoint("GET /_matrix/client/v3/rooms/{room_id}/initialSync", shard_by="room_id")
async def room_initial_sync(
    requester: Requester,
    viewpoints: Viewpoints,
    initial_sync: RoomInitialSync,
    room_id: str,
    query: InitialSyncQuery,
) -> dict[str, Any]:
    """Show a room's state and newest messages."""
    return await initial_sync.of(await viewpoints.of(requester, room_id), page_size(query.limit))
