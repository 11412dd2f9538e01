"""Making a room (spec: create_room.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.rooms.create import RoomCreation
from myelin.services.rooms.new_room import NewRoom

endpoints = Endpoints(group="rooms")


class RoomId(msgspec.Struct, frozen=True):
    """The ID of a room."""

    room_id: str


@endpoints.endpoint("POST /_matrix/client/v3/createRoom", limit="room_creation", unless_suspended=True)
async def create_room(requester: Requester, creation: RoomCreation, body: NewRoom) -> RoomId:
    """Make a room."""
    return RoomId(await creation.create(requester.user_id, body, requester))
