"""The rooms a user is in (spec: list_joined_rooms.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.services.membership.memberships import Memberships

endpoints = Endpoints(group="rooms")


class JoinedRooms(msgspec.Struct, frozen=True):
    """IDs of rooms."""

    joined_rooms: list[str]


@endpoints.endpoint("GET /_matrix/client/v3/joined_rooms")
async def get_joined_rooms(requester: Requester, memberships: Memberships) -> JoinedRooms:
    """Name the rooms that the user is joined to."""
    return JoinedRooms(await memberships.joined_rooms(requester.user_id))
