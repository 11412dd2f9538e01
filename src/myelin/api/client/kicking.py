"""Removing users from rooms (spec: kicking.yaml)."""

import msgspec

from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.membership.memberships import Memberships

endpoints = Endpoints(group="rooms")


class TargetBody(msgspec.Struct, frozen=True):
    """Whom it is about, and why."""

    user_id: str
    reason: str | None = None


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/kick", limit="membership", shard_by="room_id", unless_suspended=True
)
async def kick(requester: Requester, memberships: Memberships, room_id: str, body: TargetBody) -> Empty:
    """Remove a user from a room."""
    await memberships.kick(requester.user_id, room_id, body.user_id, body.reason)
    return Empty()
