"""Invites of our users (spec: invites-v2.yaml)."""

from typing import Any

import msgspec

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.handshakes.being_invited import BeingInvited, Invitation

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


class InviteBody(msgspec.Struct, frozen=True):
    """An invite, and what it tells of the room."""

    room_version: str
    event: dict[str, Any]
    invite_room_state: Any = None


@endpoints.endpoint("PUT /_matrix/federation/v2/invite/{room_id}/{event_id}", shard_by="room_id")
async def send_invite_v2(
    origin: str, being_invited: BeingInvited, room_id: str, event_id: str, body: InviteBody
) -> dict[str, Any]:
    """Invite a user of this server; the event with this server's signature."""
    invitation = Invitation(room_id, event_id, body.room_version, body.event, body.invite_room_state)
    return {"event": await being_invited.invite(origin, invitation)}
