"""Leaving rooms of this server (spec: leaving-v2.yaml)."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.http.response import Empty
from myelin.services.federation.handshakes.accepting import Accepting

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("PUT /_matrix/federation/v2/send_leave/{room_id}/{event_id}", shard_by="room_id")
async def send_leave_v2(origin: str, accepting: Accepting, room_id: str, event_id: str, body: dict[str, Any]) -> Empty:
    """Hand in a signed leave."""
    await accepting.accept(origin, room_id, event_id, body, "leave")
    return Empty()
