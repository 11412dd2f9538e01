"""Keeping users out of rooms (spec: banning.yaml)."""

from myelin.api.client.kicking import TargetBody
from myelin.http.endpoint import Endpoints
from myelin.http.requester import Requester
from myelin.http.response import Empty
from myelin.services.membership.memberships import Memberships

endpoints = Endpoints(group="rooms")


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/ban", limit="membership", shard_by="room_id", unless_suspended=True
)
async def ban(requester: Requester, memberships: Memberships, room_id: str, body: TargetBody) -> Empty:
    """Ban a user from a room."""
    await memberships.ban(requester.user_id, room_id, body.user_id, body.reason)
    return Empty()


@endpoints.endpoint(
    "POST /_matrix/client/v3/rooms/{room_id}/unban", limit="membership", shard_by="room_id", unless_suspended=True
)
async def unban(requester: Requester, memberships: Memberships, room_id: str, body: TargetBody) -> Empty:
    """Lift a user's ban."""
    await memberships.unban(requester.user_id, room_id, body.user_id, body.reason)
    return Empty()
