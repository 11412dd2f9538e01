"""Leaving rooms and forgetting them (spec: leaving.yaml)."""

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.membership.memberships import Memberships

endpoints = Endpoints(group="rooms")


class LeaveBody(msgspec.Struct, frozen=True):
    """Why somebody leaves."""

    reason: str | None = None


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/leave",
    auth=Auth.GUEST,
    limit="membership",
    shard_by="room_id",
    body_optional=True,
)
async def leave_room(requester: Requester, memberships: Memberships, room_id: str, body: LeaveBody) -> Empty:
    """Leave a room, reject an invite, or take a knock back."""
    await memberships.leave_by_choice(requester.user_id, room_id, body.reason)
    return Empty()


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/forget", limit="membership", shard_by="room_id", body_optional=True
)
async def forget_room(requester: Requester, memberships: Memberships, room_id: str) -> Empty:
    """Take a room that the user left out of their lists."""
    await memberships.forget(requester.user_id, room_id)
    return Empty()
