"""Invites of our users, the older form, which rooms of versions 1 and 2 may come by (spec: invites-v1.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.handshakes.being_invited import BeingInvited, Invitation, assumed_version

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("PUT /_matrix/federation/v1/invite/{room_id}/{event_id}", shard_by="room_id")
async def send_invite_v1(
    origin: str, being_invited: BeingInvited, room_id: str, event_id: str, body: dict[str, Any]
) -> list[Any]:
    """Invite a user of this server; the event with this server's signature."""
    unsigned = body.get("unsigned")
    told = unsigned.get("invite_room_state") if isinstance(unsigned, dict) else None
    invitation = Invitation(room_id, event_id, assumed_version(told), body, told)
    return [200, {"event": await being_invited.invite(origin, invitation)}]
