"""Leaving rooms of this server (spec: leaving-v1.yaml), and the older form of `send_leave`."""

from typing import Any

from myelin.http.endpoint import Auth, Endpoints
from myelin.services.federation.handshakes.accepting import Accepting
from myelin.services.federation.handshakes.proposing import Proposing

endpoints = Endpoints(group="federation", auth=Auth.SERVER)


@endpoints.endpoint("GET /_matrix/federation/v1/make_leave/{room_id}/{user_id}", shard_by="room_id")
async def make_leave(origin: str, proposing: Proposing, room_id: str, user_id: str) -> dict[str, Any]:
    """Ask for a leave event to complete and sign."""
    return await proposing.leave(origin, room_id, user_id)


@endpoints.endpoint("PUT /_matrix/federation/v1/send_leave/{room_id}/{event_id}", shard_by="room_id")
async def send_leave_v1(
    origin: str, accepting: Accepting, room_id: str, event_id: str, body: dict[str, Any]
) -> list[Any]:
    """Hand in a signed leave, as it was done before version 2 of the endpoint."""
    await accepting.accept_as_of_old(origin, room_id, event_id, body, "leave")
    return [200, {}]
