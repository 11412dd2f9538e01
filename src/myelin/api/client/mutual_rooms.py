"""Rooms that two users share (spec: mutual_rooms.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.mutual_rooms import MutualRooms

endpoints = Endpoints(group="rooms")


class MutualQuery(msgspec.Struct, frozen=True):
    """With whom, and after which room."""

    user_id: str
    since: str | None = msgspec.field(default=None, name="from")


class SharedRooms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Rooms that both are joined to."""

    joined: list[str]
    count: int
    next_batch: str | None = None


@endpoints.endpoint(
    "GET /_matrix/client/v1/mutual_rooms",
    also=("/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms",),
    limit="user_directory",
)
async def get_mutual_rooms(requester: Requester, rooms: MutualRooms, query: MutualQuery) -> SharedRooms:
    """List the rooms that the user shares with another one."""
    return SharedRooms(*await rooms.page(requester.user_id, query.user_id, query.since))
